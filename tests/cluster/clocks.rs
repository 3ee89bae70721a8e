//! No two nodes' clocks are ever compared.

use std::path::PathBuf;
use std::slice::from_ref;
use std::time::Duration;

use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::Command;
use rotunda_protocol::frame::{ServerFrame, Signal};
use rotunda_protocol::push::TypingMode;
use tokio::time::Instant;

use super::harness::{Cluster, servers};
use super::scene::Scene;
use super::watch::Watcher;
use crate::support::Client;
use crate::support::client::Came;
use crate::support::node::token;
use crate::support::practice::{ORGANIZATION, bayview, id};

/// What Debian's package `faketime` has for programs with several threads.
fn faketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let mut files = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    files.find(|file| file.exists()).expect("the Debian package faketime is installed")
}

/// Two nodes, the second of which is a minute ahead. Only the time of day: what measures time is not touched, as on
/// a real machine.
async fn a_minute_apart() -> Cluster {
    let ahead = vec![
        ("LD_PRELOAD", faketime().to_str().unwrap().to_owned()),
        ("FAKETIME", "+60s".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
        ("DONT_FAKE_MONOTONIC", "1".into()),
    ];
    let cluster = Cluster::start_with(servers(), &bayview(0), vec![vec![], ahead]).await;
    cluster.delivers().await;
    cluster
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_may_be_a_minute_apart() {
    let scene = Scene::begin(a_minute_apart().await).await;
    let began = Instant::now();
    let nodes = scene.cluster.addresses();
    let note = |body: &str| Command::PostNote { conversation: scene.main.clone(), body: body.into() };
    // The second node's time is another one indeed, and a ref is the same on both.
    let mut done = Vec::new();
    let mut told_at = Vec::new();
    for node in [0, 1] {
        let mut ada = scene.cluster.node(node).session("ada").await;
        done.push(ada.call_as("once", note("once")).await.unwrap());
        let mine = format!("by node {node}");
        ada.call_as(&mine, note(&mine)).await.unwrap();
        let row = ada.list("shared").await.into_iter().find(|row| row.conversation.id == scene.main);
        told_at.push(row.unwrap().conversation.last.unwrap().at);
        // A token that the second node's clock has seen expire is within the leeway.
        let mut short = Client::connect(&scene.cluster.node(node).url(), Codec::Json).await;
        let token = token(ORGANIZATION, "ada", Duration::from_secs(45));
        assert!(matches!(short.hello(&token, None).await, Came::Frame(ServerFrame::Welcome { .. })));
    }
    assert_eq!(done[0], done[1]);
    eprintln!("one node's notes are {} ms later than the other's", told_at[1] - told_at[0]);
    // Who types on one node is shown on the other, and ends after its time, whichever clock is ahead.
    for (here, there) in [(0, 1), (1, 0)] {
        let ada = Watcher::start(&nodes[here..=here], 0, "ada", from_ref(&scene.main)).await;
        let dee = Watcher::start(&nodes[there..=there], 0, "dee", &[]).await;
        let typing = |seen: &super::watch::Seen| {
            let at = seen.picture.presence.get(&scene.main);
            at.is_some_and(|at| at.typing.iter().any(|typing| typing.teammate == id("ada")))
        };
        ada.signal(Signal::Typing { conversation: scene.main.clone(), mode: TypingMode::Reply }).await;
        dee.until("she types", typing).await;
        let began = Instant::now();
        dee.until("she has stopped", |seen| !typing(seen)).await;
        let took = began.elapsed();
        eprintln!("typing on node {here} is shown on node {there} for {took:?}");
        assert!(took > Duration::from_secs(4) && took < Duration::from_secs(9), "{took:?}");
    }
    // Nor does a loss of access depend on them.
    let suspend = Command::Suspend { teammate: id("eve") };
    for outcome in [scene.cyd_leaves_the_desk(0).await, scene.cluster.does(1, "eve-out", &suspend).await] {
        let revoked = outcome.revoked.unwrap();
        assert_eq!((revoked.nodes, revoked.lapsed), (2, 0), "{revoked:?}");
    }
    let main = scene.main.clone();
    scene.written(3).await;
    let played = scene.end().await;
    let (longest, notes) = played.longest(&main, began, Instant::now());
    eprintln!("{notes} notes, known everywhere within {longest:?}");
    assert!(longest < Duration::from_secs(2), "{longest:?}");
}
