//! The real process: killed, told to end, started on what cannot be used.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rotunda_protocol::ask::Ask;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::conversation::Conversation;
use rotunda_protocol::frame::{Answer, ClientFrame, ServerFrame};
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::push::Push;

use crate::support::client::{Came, is_about};
use crate::support::practice::{MAIN, ORGANIZATION, bayview};
use crate::support::{Client, Hub};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_during_writes_loses_no_answered_command() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = Hub::running(folder.path()).await;
    hub.node.provision(ORGANIZATION, &bayview(0)).await;
    let conversation = hub.node.receive(MAIN, "+14155550999", "hello").await;
    let mut noted = 1;
    for round in 0..3 {
        let mut ben = hub.node.session("ben").await;
        let note =
            |n: u32| Command::PostNote { conversation: conversation.clone(), body: format!("note {n}") };
        // Many in flight, so that it dies in the middle of writing some.
        let mut answered = Vec::new();
        let mut sent = 0;
        loop {
            while sent < u32::try_from(answered.len()).unwrap() + 16 {
                let r#ref = format!("{round}-{sent}");
                ben.send(&ClientFrame::Call { r#ref, command: note(sent) }).await;
                sent += 1;
            }
            if let ServerFrame::Answer { r#ref, answer } = ben.frame().await {
                let Answer::Done { done, .. } = answer else { panic!("{answer:?}") };
                answered.push((r#ref, done));
            }
            if answered.len() == 30 {
                break;
            }
        }
        hub.kill();
        hub = Hub::running(folder.path()).await;
        let mut ben = hub.node.session("ben").await;
        // Everything answered is there; what was not answered is done once, whether it was written or not.
        for (r#ref, done) in &answered {
            let n: u32 = r#ref.split_once('-').unwrap().1.parse().unwrap();
            assert_eq!(ben.call_as(r#ref, note(n)).await.as_ref(), Ok(done), "{ref}");
        }
        let mut items = std::collections::BTreeSet::new();
        for n in 0..sent {
            let Ok(Done::Conversation { item: Some(item), .. }) =
                ben.call_as(&format!("{round}-{n}"), note(n)).await
            else {
                panic!("{n} was not done")
            };
            assert!(items.insert(item), "item {item} twice");
        }
        noted += sent;
        assert_eq!(ben.list("shared").await[0].conversation.items, noted, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_drains_with_a_code_a_delay_and_nothing_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut hub = Hub::running(folder.path()).await;
    hub.node.provision(ORGANIZATION, &bayview(0)).await;
    let conversation = hub.node.receive(MAIN, "+14155550999", "hello").await;
    let (mut ben, _) = hub.node.session_in("ben", Codec::Json, None).await;
    let (mut dee, _) = hub.node.session_in("dee", Codec::Json, None).await;
    let note = |n: u32| Command::PostNote { conversation: conversation.clone(), body: format!("note {n}") };
    for n in 0..10 {
        ben.send(&ClientFrame::Call { r#ref: n.to_string(), command: note(n) }).await;
    }
    hub.signal("TERM");
    let (mut answered, mut delays) = (0, Vec::new());
    for client in [&mut ben, &mut dee] {
        loop {
            match client.next().await {
                // One that comes after the signal is refused.
                Came::Frame(ServerFrame::Answer { answer: Answer::Done { .. }, .. }) => answered += 1,
                Came::Frame(ServerFrame::Closing { code, retry_after_ms }) => {
                    assert_eq!(code.number(), 4000);
                    delays.push(retry_after_ms.unwrap());
                }
                Came::Frame(_) => {}
                Came::Closed(frame) => {
                    assert_eq!(frame.map(|frame| frame.code.into()), Some(4000u16));
                    break;
                }
            }
        }
    }
    assert_eq!(delays.len(), 2);
    assert!(hub.process.wait().unwrap().success());
    let hub = Hub::running(folder.path()).await;
    let mut ben = hub.node.session("ben").await;
    let items = ben.list("shared").await[0].conversation.items;
    assert!(items > answered, "{items} items, {answered} notes answered");
}

#[tokio::test]
async fn a_damaged_database_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::running(folder.path()).await;
    hub.node.provision(ORGANIZATION, &bayview(200)).await;
    hub.signal("TERM");
    let mut hub = hub;
    hub.process.wait().unwrap();
    let file = folder.path().join("rotunda.db");
    let mut bytes = std::fs::read(&file).unwrap();
    let length = bytes.len();
    bytes[8_192..length].fill(0xA5);
    std::fs::write(&file, &bytes).unwrap();
    let output = Hub::command(folder.path(), &[]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("backup") && said.contains("rotunda.db"), "{said}");

    std::fs::write(&file, "not a database at all, but long enough to look at").unwrap();
    let output = Hub::command(folder.path(), &[]).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("not a SQLite database"), "{said}");
}

/// What is in the shared mailbox.
async fn shared(client: &mut Client) -> BTreeMap<ConversationId, Conversation> {
    let rows = client.list("shared").await.into_iter();
    rows.map(|row| (row.conversation.id.clone(), row.conversation)).collect()
}

/// Fewer than a catch-up brings along.
const BODIES: usize = 190;
const BODY_BYTES: usize = 15_000;

/// Writes as much as one who has the conversation open is sent; the longest that a command took.
async fn write(writer: &mut Client, quick: &mut Client, conversation: &ConversationId) -> Duration {
    let mut slowest = Duration::ZERO;
    for _ in 0..BODIES {
        let began = Instant::now();
        let body = "x".repeat(BODY_BYTES);
        writer.call(Command::PostNote { conversation: conversation.clone(), body }).await.unwrap();
        slowest = slowest.max(began.elapsed());
        quick.push(|push| is_about(push, conversation)).await;
        writer.pushes.clear();
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_stops_reading_delays_nobody_costs_little_and_converges() {
    let folder = tempfile::tempdir().unwrap();
    let fast = [
        ("ROTUNDA_QUEUE_BYTES_MAX", "65536"),
        ("ROTUNDA_FRAMES_PER_SECOND", "1000000"),
        ("ROTUNDA_FRAMES_BURST", "1000000"),
    ];
    let hub = Hub::running_with(folder.path(), &fast).await;
    let node = &hub.node;
    node.provision(ORGANIZATION, &bayview(0)).await;
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    let (mut quick, mut writer) = (node.session("ben").await, node.session("cyd").await);
    let mut stuck = node.session_with_little_room("ben").await;
    let mut shown = shared(&mut stuck).await;
    // Whoever has the conversation open is sent bodies: together far more than sockets and queue hold. First without
    // the one who stops reading, so that all caches are as full as they get.
    loop {
        let before = hub.resident();
        write(&mut writer, &mut quick, &conversation).await;
        if hub.resident() < before + BODIES * BODY_BYTES / 10 {
            break;
        }
    }
    stuck.ask(Ask::Open { conversation: conversation.clone(), limit: 1 }).await.unwrap();
    let before = hub.resident();
    let slowest = write(&mut writer, &mut quick, &conversation).await;
    let grown = hub.resident().saturating_sub(before);
    eprintln!("slowest command {slowest:?}, grown by {} KiB", grown / 1024);
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert!(grown < BODIES * BODY_BYTES / 3, "{grown} bytes");

    // It reads again: what is left of the pushes, then one catch-up in place of those that were dropped.
    let (mut rows, mut items) = (Vec::new(), Vec::new());
    loop {
        match stuck.frame().await {
            ServerFrame::Push { push: Push::Conversation { conversation, .. }, .. } => {
                rows.push(conversation);
            }
            ServerFrame::Push { push: Push::Item { item }, .. } => items.push(item.number),
            ServerFrame::CatchUp { state, .. } => {
                rows.extend(state.conversations.into_iter().map(|row| row.conversation));
                items.extend(state.items.iter().map(|item| item.number));
                break;
            }
            _ => {}
        }
    }
    shown.extend(rows.into_iter().map(|row| (row.id.clone(), row)));
    items.sort_unstable();
    items.dedup();
    assert_eq!(items.len(), BODIES, "every item that was written meanwhile");
    let fresh = shared(&mut stuck).await;
    assert_eq!(shown, fresh);
}
