//! A node that stands still does not know what was taken from whom meanwhile. Nobody waits for it for ever, and when
//! it goes on it shows nothing of that.

use std::slice::from_ref;
use std::time::Duration;

use rotunda_protocol::ask::Ask;
use rotunda_protocol::command::Command;
use rotunda_protocol::frame::{ClientFrame, ServerFrame};
use rotunda_protocol::id::ConversationId;
use tokio::time::{Instant, sleep_until, timeout};

use super::harness::{Cluster, servers};
use super::scene::Scene;
use super::told::{Shown, shown};
use super::watch::Watcher;
use crate::support::Client;
use crate::support::client::Came;
use crate::support::practice::{DESK, bayview, id};

/// Longer than any lease, and than nodes wait for each other's confirmation.
const FROZEN_FOR: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b3_a_frozen_node_delivers_nothing_of_what_was_revoked_when_it_wakes() {
    let cluster = Cluster::start(2).await;
    let [main, desk] = cluster.conversations().await;
    let (nodes, open) = (cluster.addresses(), [main.clone(), desk.clone()]);
    let (frozen, awake) = (&nodes[1..], &nodes[..1]);
    let cyd = Watcher::start(frozen, 0, "cyd", &open).await;
    let dee = Watcher::start(frozen, 0, "dee", &open).await;
    let ben = Watcher::start(awake, 0, "ben", &open).await;
    let mut writer = cluster.node(0).session("ben").await;
    let mut note = async |conversation: &_, body: &str| {
        let note = Command::PostNote { conversation: Clone::clone(conversation), body: body.into() };
        writer.call(note).await.unwrap();
    };
    note(&desk, "before").await;
    cyd.until("she knows of it", |seen| seen.picture.items[&desk].len() == 2).await;
    // All that it has sent has been read: what comes from here on was sent when it woke.
    cyd.ask("drained", Ask::Counts { mailboxes: vec![] }).await;
    dee.ask("drained", Ask::Counts { mailboxes: vec![] }).await;
    cluster.nodes[1].signal("STOP");
    let stopped = Instant::now();
    // The frozen node hears of these, and of the revocation behind them, all at once.
    for n in 0..20 {
        note(&desk, &format!("while she may see it: {n}")).await;
        note(&main, &format!("for everybody: {n}")).await;
    }
    let out = cyd_out();
    let suspend = Command::Suspend { teammate: id("dee") };
    let (revoked, suspended) =
        tokio::join!(cluster.does(0, "cyd-out", &out), cluster.does(0, "dee-out", &suspend));
    let answered = stopped.elapsed();
    for revoked in [revoked.revoked.unwrap(), suspended.revoked.unwrap()] {
        assert_eq!((revoked.nodes, revoked.lapsed), (1, 1), "it was not waited for longer: {revoked:?}");
        let took = Duration::from_millis(revoked.took_ms.into());
        eprintln!("revoked in {took:?} with a node frozen");
        assert!(took > Duration::from_secs(3), "it might have shown something until then");
        assert!(took < Duration::from_secs(7), "{revoked:?}");
    }
    cyd.forbid_now(&desk);
    dee.forbid_now(&desk);
    dee.forbid_now(&main);
    for n in 0..20 {
        note(&desk, &format!("when she may not: {n}")).await;
    }
    sleep_until(stopped + FROZEN_FOR).await;
    assert!(cyd.seen().freshness.is_empty(), "it stood still; answered after {answered:?}");
    cluster.nodes[1].signal("CONT");
    let woken = Instant::now();
    cyd.until("she is told that it is gone", |seen| !seen.picture.rows.contains_key(&desk)).await;
    cyd.until("she is told of the rest", |seen| seen.picture.rows[&main].items == 21).await;
    eprintln!("caught up {:?} after it woke", woken.elapsed());
    cyd.ask("after", Ask::Counts { mailboxes: vec![] }).await;
    dee.until("her session has ended", |seen| seen.node.is_none()).await;
    dee.retire();
    let scene = Scene { cluster, watchers: vec![cyd, ben], writers: vec![], main, desk };
    let freshness: Vec<bool> = scene.watchers[0].seen().freshness.iter().map(|(fresh, _)| *fresh).collect();
    // The second takes the first one's place if that has not been written yet.
    assert!(matches!(freshness[..], [] | [true] | [false, true]), "{freshness:?}");
    assert_eq!(dee.seen().leaks, Vec::<String>::new());
    scene.end().await;
}

fn cyd_out() -> Command {
    Command::UpdateTeam { team: id("desk"), name: None, add: vec![], remove: vec![id("cyd")] }
}

/// Notes that do not fit into what the system keeps for a connection.
const NOTES: usize = 400;
const NOTE_BYTES: usize = 15_000;
/// How long what the system has kept may take to arrive from a process that stands still.
const DRAINED_AFTER: Duration = Duration::from_millis(500);

/// How many items of a conversation a frame shows.
fn items(frame: &ServerFrame, conversation: &ConversationId) -> usize {
    let of = |shown: &Shown| matches!(shown, Shown::Item(of, _) if of == conversation);
    shown(frame).iter().filter(|shown| of(shown)).count()
}

/// Reads what was written before the process was stopped. The number of items of a conversation.
async fn drain(client: &mut Client, conversation: &ConversationId) -> usize {
    let mut drained = 0;
    while let Ok(came) = timeout(DRAINED_AFTER, client.next()).await {
        match came {
            Came::Frame(frame) => drained += items(&frame, conversation),
            Came::Closed(why) => panic!("{why:?}"),
        }
    }
    drained
}

/// The queue of one who reads too slowly is full of what they may not see any more when its node wakes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b3_what_waits_in_a_frozen_node_for_a_slow_reader_is_not_delivered_when_it_wakes() {
    let patient = vec![("ROTUNDA_QUEUE_BYTES_MAX", "16777216".into())];
    let cluster = Cluster::start_with(servers(), &bayview(0), vec![vec![], patient]).await;
    cluster.delivers().await;
    let desk = cluster.receive(DESK, "mara@example.org").await;
    let mut cyd = cluster.node(1).session_with_little_room("cyd").await;
    cyd.ask(Ask::Open { conversation: desk.clone(), limit: 1 }).await.unwrap();
    let watching = Watcher::start(&cluster.addresses()[1..], 0, "ben", from_ref(&desk)).await;
    let mut writer = cluster.node(0).session("ben").await;
    for _ in 0..NOTES {
        let body = "x".repeat(NOTE_BYTES);
        writer.call(Command::PostNote { conversation: desk.clone(), body }).await.unwrap();
        writer.pushes.clear();
    }
    let all = 1 + u32::try_from(NOTES).unwrap();
    watching.until("its node has told all", |seen| seen.picture.rows[&desk].items == all).await;
    cluster.nodes[1].signal("STOP");
    let stopped = Instant::now();
    let before = drain(&mut cyd, &desk).await;
    assert!(before < NOTES, "nothing waits in the node");
    let revoked = cluster.does(0, "cyd-out", &cyd_out()).await.revoked.unwrap();
    assert_eq!((revoked.nodes, revoked.lapsed), (1, 1), "{revoked:?}");
    sleep_until(stopped + FROZEN_FOR).await;
    cluster.nodes[1].signal("CONT");
    let (ask, mut leaks) = (Ask::Counts { mailboxes: vec![] }, Vec::new());
    cyd.send(&ClientFrame::Ask { r#ref: "after".into(), ask }).await;
    let ended = loop {
        match cyd.next().await {
            Came::Frame(ServerFrame::Answer { r#ref, .. }) if r#ref == "after" => break false,
            Came::Frame(frame) if shown(&frame).iter().any(|shown| *shown.conversation() == desk) => {
                leaks.push(frame);
            }
            Came::Frame(_) => {}
            // In the middle of a frame there is no other way.
            Came::Closed(_) => break true,
        }
    };
    eprintln!("{before} of {NOTES} had left before it was stopped; cut off: {ended}");
    assert!(leaks.is_empty(), "{} frames: {:?}", leaks.len(), leaks.first());
}

/// It has accepted commands, and may have one in the middle of being written, when others do the same ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_frozen_node_was_about_to_do_happens_once_wherever_it_is_sent_again() {
    let scene = Scene::begin(Cluster::start(3).await).await;
    scene.cluster.nodes[1].signal("STOP");
    let stopped = Instant::now();
    // Those who wrote by it write by another now, the same at first.
    scene.written(3).await;
    let revoked = scene.cyd_leaves_the_desk(0).await.revoked.unwrap();
    assert_eq!((revoked.nodes, revoked.lapsed), (2, 1), "{revoked:?}");
    sleep_until(stopped + FROZEN_FOR).await;
    scene.cluster.nodes[1].signal("CONT");
    scene.written(3).await;
    let played = scene.end().await;
    assert!(played.notes.iter().any(|note| note.again), "some were in the middle of it");
}
