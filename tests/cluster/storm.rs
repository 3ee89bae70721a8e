//! Everybody comes back at once: two thousand sessions of a node that died, on the one that is left.

use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::Command;
use rotunda_protocol::frame::{ServerFrame, Start};
use rotunda_protocol::id::ConversationId;
use tokio::time::{Instant, sleep};

use super::harness::{Cluster, servers};
use super::line::{Line, Who};
use crate::support::practice::{MAIN, ORGANIZATION, bayview};

const TEAMMATES: usize = 200;
const SESSIONS_EACH: usize = 10;
/// Connections that are being made at once while there is no hurry.
const AT_ONCE: usize = 100;
const CONVERSATIONS: usize = 5;
/// Notes in each conversation, half of them before the node dies.
const NOTES: usize = 6;

/// Somebody who was connected.
struct Away {
    who: Who,
    cursor: String,
}

/// Connects until there is a welcome.
async fn back(node: SocketAddr, away: Away) -> (Line, ServerFrame) {
    loop {
        if let Some(back) = Line::open(node, &away.who, Some(away.cursor.clone()), &[]).await {
            return back;
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b36_two_thousand_sessions_of_a_dead_node_are_caught_up_by_another_within_seconds() {
    let practice = bayview(TEAMMATES);
    let mut cluster = Cluster::start_with(servers(), &practice, vec![vec![], vec![]]).await;
    cluster.delivers().await;
    let mut conversations = Vec::new();
    for n in 0..CONVERSATIONS {
        conversations.push(cluster.receive(MAIN, &format!("+1415555099{n}")).await);
    }
    let (first, second) = (cluster.node(0).address, cluster.node(1).address);
    let connect = async |n: usize| {
        let teammate = format!("t{}", n % TEAMMATES);
        let codec = if n.is_multiple_of(2) { Codec::MessagePack } else { Codec::Json };
        let who = Who { organization: ORGANIZATION.into(), teammate, codec };
        let (line, welcome) = Line::open(first, &who, None, &[]).await.expect("there is room for it");
        let ServerFrame::Welcome { cursor, .. } = welcome else { panic!("{welcome:?}") };
        (line, Away { who, cursor })
    };
    let began = Instant::now();
    let connecting = stream::iter(0..TEAMMATES * SESSIONS_EACH).map(connect).buffer_unordered(AT_ONCE);
    let (lines, away): (Vec<_>, Vec<_>) = connecting.unzip().await;
    eprintln!("{} sessions connected in {:?}", away.len(), began.elapsed());
    cluster.node(0).counted("rotunda_sessions", (TEAMMATES * SESSIONS_EACH) as u64).await;
    let mut ada = cluster.node(1).session("ada").await;
    let mut write = async |round: usize| {
        for n in 0..NOTES / 2 {
            for conversation in &conversations {
                let note = Command::PostNote {
                    conversation: conversation.clone(),
                    body: format!("round {round}, note {n}"),
                };
                ada.call(note).await.unwrap();
            }
        }
    };
    write(0).await;
    cluster.nodes[0].kill();
    drop(lines);
    write(1).await;
    let began = Instant::now();
    let coming = away.into_iter().map(|away| tokio::spawn(back(second, away)));
    let coming: Vec<_> = coming.collect();
    let (mut lines, mut slowest) = (Vec::new(), Duration::ZERO);
    for coming in coming {
        let (line, welcome) = coming.await.unwrap();
        slowest = slowest.max(began.elapsed());
        check(&welcome, &conversations);
        lines.push(line);
    }
    eprintln!("{} sessions caught up in {slowest:?}", lines.len());
    assert!(slowest < Duration::from_secs(20), "{slowest:?}");
    cluster.node(1).counted("rotunda_sessions", (TEAMMATES * SESSIONS_EACH + 1) as u64).await;
    // And each hears what happens next.
    let began = Instant::now();
    let body = "all are here".into();
    ada.call(Command::PostNote { conversation: conversations[0].clone(), body }).await.unwrap();
    for line in &mut lines {
        while !is_news(&line.next().await.expect("it stays connected")) {}
    }
    eprintln!("all of them were told of a note within {:?}", began.elapsed());
}

/// It is told of everything that it has missed, and of nothing twice.
fn check(welcome: &ServerFrame, conversations: &[ConversationId]) {
    let ServerFrame::Welcome { start: Start::Resumed, state, .. } = welcome else { panic!("{welcome:?}") };
    let rows: Vec<_> = state.conversations.iter().map(|listed| &listed.conversation).collect();
    assert_eq!(rows.len(), conversations.len(), "{welcome:?}");
    for conversation in conversations {
        let row = rows.iter().find(|row| row.id == *conversation).expect("it has changed");
        assert_eq!(row.items as usize, 1 + NOTES);
    }
}

fn is_news(frame: &ServerFrame) -> bool {
    let ServerFrame::Push { push, .. } = frame else { return false };
    matches!(push, rotunda_protocol::push::Push::Conversation { conversation, .. }
        if conversation.items as usize == 2 + NOTES)
}
