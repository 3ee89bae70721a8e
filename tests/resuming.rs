//! Sessions that were away, or too slow: afterwards they show what a fresh list shows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rotunda::limits::Limits;
use rotunda_protocol::ask::Ask;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::Command;
use rotunda_protocol::conversation::Conversation;
use rotunda_protocol::frame::{ServerFrame, Start};
use rotunda_protocol::id::ConversationId;
use tokio::io::AsyncReadExt;

use rotunda_protocol::push::Push;

use crate::support::client::Came;
use crate::support::practice::{MAIN, ORGANIZATION, id};
use crate::support::{Client, TestNode};

const MAILBOXES: [&str; 4] = ["shared", "teammate:ben", "team:desk", "none"];

async fn everything(client: &mut Client) -> BTreeMap<ConversationId, Conversation> {
    let mut rows = BTreeMap::new();
    for mailbox in MAILBOXES {
        let listed = client.list(mailbox).await.into_iter();
        rows.extend(listed.map(|row| (row.conversation.id.clone(), row.conversation)));
    }
    rows
}

#[tokio::test]
async fn b36_after_an_absence_rows_and_catch_up_are_a_fresh_list() {
    let node = TestNode::start().await;
    let mut conversations = Vec::new();
    for n in 0..40 {
        conversations.push(node.receive(MAIN, &format!("+141555502{n:02}"), "hello").await);
    }
    let mut ben = node.session("ben").await;
    let mut shown = everything(&mut ben).await;
    let cursor = ben.cursor.clone();
    drop(ben);

    let mut ada = node.session("ada").await;
    for conversation in &conversations[..10] {
        let assign = Command::Assign {
            conversation: conversation.clone(),
            to: id("teammate:ben"),
            grant: false,
            expect_rev: None,
        };
        ada.call(assign).await.unwrap();
    }
    for conversation in &conversations[5..15] {
        let archive =
            Command::Archive { conversation: conversation.clone(), seen: 9, force: false, expect_rev: None };
        ada.call(archive).await.unwrap();
    }
    node.receive(MAIN, "+14155550299", "new").await;
    node.receive(MAIN, "+14155550207", "back again").await;

    let (mut ben, welcome) = node.session_in("ben", Codec::MessagePack, cursor).await;
    let ServerFrame::Welcome { start: Start::Resumed, state, .. } = welcome else { panic!("{welcome:?}") };
    assert_eq!(state.conversations.len(), 16, "what changed, and nothing else");
    assert!(state.teammates.is_empty() && state.teams.is_empty());
    shown.extend(state.conversations.into_iter().map(|row| (row.conversation.id.clone(), row.conversation)));
    assert_eq!(shown, everything(&mut ben).await);
}

#[tokio::test]
async fn b38_a_cursor_that_is_none_is_answered_with_a_reset() {
    let node = TestNode::start().await;
    node.provision("harbor", &crate::support::practice::bayview(0)).await;
    let token = crate::support::node::token("harbor", "ben", Duration::from_mins(1));
    let mut elsewhere = Client::connect(&node.url(), Codec::Json).await;
    elsewhere.hello(&token, None).await;
    let foreign = elsewhere.cursor.clone().unwrap();
    for cursor in ["", "garbage", "AAAAAAAAAAAAAAAAAAAAAA", &foreign, &"x".repeat(10_000)] {
        let (_, welcome) = node.session_in("ben", Codec::Json, Some(cursor.into())).await;
        let ServerFrame::Welcome { start, state, .. } = welcome else { panic!("{welcome:?}") };
        assert_eq!(start, Start::Reset, "{cursor}");
        assert_eq!(state.teammates.len(), 5, "with all there is to know");
    }
    let (_, welcome) = node.session_in("ben", Codec::Json, None).await;
    assert!(matches!(welcome, ServerFrame::Welcome { start: Start::Fresh, .. }));
}

#[tokio::test]
async fn an_absence_with_too_much_news_is_answered_with_a_reset() {
    let limits = Limits { catch_up_rows_max: 10, ..Limits::default() };
    let node = TestNode::start_with(limits, &[], 0).await;
    let ben = node.session("ben").await;
    let cursor = ben.cursor.clone();
    drop(ben);
    for n in 0..11 {
        node.receive(MAIN, &format!("+141555502{n:02}"), "hello").await;
    }
    let (_, welcome) = node.session_in("ben", Codec::Json, cursor).await;
    assert!(matches!(welcome, ServerFrame::Welcome { start: Start::Reset, .. }));
}

/// Limits under which a test may write as fast as it can.
fn unhurried() -> Limits {
    Limits { frames_per_second: 1_000_000, frames_burst: 1_000_000, ..Limits::default() }
}

#[tokio::test]
async fn whoever_never_reads_again_is_told_to_reconnect() {
    let limits = Limits {
        queue_bytes_max: 4 * 1024,
        behind_max: Duration::from_millis(300),
        linger: Duration::from_millis(100),
        // How often it looks; it does not expect to hear from anybody for long.
        heartbeat: Duration::from_millis(100),
        heartbeat_margin: Duration::from_mins(2),
        ..unhurried()
    };
    let node = TestNode::start_with(limits, &[], 0).await;
    let conversation = node.receive(MAIN, "+14155550999", "hello").await;
    let mut stuck = node.session("ben").await;
    stuck.ask(Ask::Open { conversation: conversation.clone(), limit: 1 }).await.unwrap();
    let mut writer = node.session("cyd").await;
    // Until the hub gives the connection up: then a room does without it.
    let here = |state: &rotunda_protocol::push::Presence| state.here.contains(&id("ben"));
    writer.push(|push| matches!(push, Push::Here { came, .. } if came.contains(&id("ben")))).await;
    let began = Instant::now();
    loop {
        for _ in 0..100 {
            let body = "x".repeat(15_000);
            writer.call(Command::PostNote { conversation: conversation.clone(), body }).await.unwrap();
        }
        let (_, welcome) = node.session_in("dee", Codec::Json, None).await;
        let ServerFrame::Welcome { state, .. } = welcome else { panic!("{welcome:?}") };
        if !here(&state.presence) {
            break;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "the stuck session is still here");
    }
    // The connection is over, whatever is left in it.
    let socket = stuck.socket.get_mut();
    let mut rest = Vec::new();
    let end = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "the connection is still open");
}

#[tokio::test]
async fn a_token_that_expires_ends_the_session_and_a_new_one_resumes_it() {
    let node = TestNode::start_with(Limits::default(), &[], 0).await;
    let mut client = Client::connect(&node.url(), Codec::Json).await;
    // Tokens are good for some leeway longer: this one is nearly over it.
    let leeway = rotunda::session::token::LEEWAY_MS;
    let token = {
        let expires = rotunda::clock::now_millis() - leeway + 1_500;
        let tokens =
            rotunda::session::token::Tokens::with_secret(crate::support::node::SECRET, None).unwrap();
        tokens.sign(&id(ORGANIZATION), &id("ben"), expires).unwrap()
    };
    let Came::Frame(ServerFrame::Welcome { .. }) = client.hello(&token, None).await else {
        panic!("no welcome")
    };
    assert_eq!(client.closed().await, 4003);
    let (_, welcome) = node.session_in("ben", Codec::Json, client.cursor.clone()).await;
    assert!(matches!(welcome, ServerFrame::Welcome { start: Start::Resumed, .. }));
}
