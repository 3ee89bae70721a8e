//! Nodes that die or go away: what they have answered is there, what they have not told others is found in the log,
//! and whoever was on them goes on elsewhere.

use std::slice::from_ref;
use std::time::Duration;

use rotunda_protocol::command::Command;
use rotunda_protocol::frame::{Answer, ClientFrame, ServerFrame, Signal};
use rotunda_protocol::push::TypingMode;
use rotunda_servers::free_port;
use tokio::time::Instant;

use super::harness::{Cluster, servers};
use super::scene::{Scene, converges};
use super::watch::Watcher;
use crate::support::practice::{MAIN, bayview, id};

/// Nodes look into the log twice a second, whatever the bus says. The rest is for a busy machine, and for those who
/// have to connect anew.
const DELIVERED_WITHIN: Duration = Duration::from_secs(3);

/// Commands that are on their way when a node is killed: enough that some are in the middle of everything.
const BURST: usize = 30;
/// How often a node is killed.
const ROUNDS: usize = 9;

/// Sends many notes to a node and kills it at the first answers. Who it was that wrote, and what.
async fn killed_in_a_burst(scene: &mut Scene, round: usize) -> Vec<(String, Command)> {
    let node = round % 3;
    let mut ben = scene.cluster.node(node).session("ben").await;
    let mut sent = Vec::new();
    for n in 0..BURST {
        let body = format!("burst {round}-{n}");
        let note = Command::PostNote { conversation: scene.main.clone(), body };
        let r#ref = format!("burst-{round}-{n}");
        ben.send(&ClientFrame::Call { r#ref: r#ref.clone(), command: note.clone() }).await;
        sent.push((r#ref, note));
    }
    let mut answered = 0;
    while answered <= round {
        let frame = ben.frame().await;
        answered += usize::from(matches!(frame, ServerFrame::Answer { answer: Answer::Done { .. }, .. }));
    }
    scene.cluster.nodes[node].kill();
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_killed_in_the_middle_of_writing_lose_nothing_and_do_nothing_twice() {
    let mut scene = Scene::begin(Cluster::start(3).await).await;
    let (began, mut unheard) = (Instant::now(), 0);
    for round in 0..ROUNDS {
        let others = [(round + 1) % 3, (round + 2) % 3];
        let heard = scene.cluster.counts(others, "rotunda_events_followed_total").await;
        let sent = killed_in_a_burst(&mut scene, round).await;
        // Whatever of it had happened, it is done once.
        let mut ben = scene.cluster.node(others[0]).session("ben").await;
        for (r#ref, note) in sent {
            ben.call_as(&r#ref, note).await.unwrap();
        }
        scene.written(1).await;
        unheard += scene.cluster.counts(others, "rotunda_events_followed_total").await - heard;
        scene.cluster.restart(round % 3).await;
    }
    let main = scene.main.clone();
    let played = scene.end().await;
    let (longest, notes) = played.longest(&main, began, Instant::now());
    eprintln!("{notes} notes, known everywhere within {longest:?}; {unheard} events found in the log");
    assert!(longest < DELIVERED_WITHIN, "{longest:?}");
}

/// What was committed, answered, and told nobody: the node's own bus leads nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_answered_and_could_not_tell_before_it_died_is_known_everywhere() {
    let nowhere = vec![("ROTUNDA_BUS", format!("redis://127.0.0.1:{}", free_port().unwrap()))];
    let mut cluster = Cluster::start_with(servers(), &bayview(0), vec![nowhere, vec![], vec![]]).await;
    let conversation = cluster.receive(MAIN, "+14155550999").await;
    let nodes = cluster.addresses();
    let watchers = [Watcher::start(&nodes, 1, "cyd", &[]).await, Watcher::start(&nodes, 2, "dee", &[]).await];
    let mut longest = Duration::ZERO;
    for round in 0..4 {
        let mut ben = cluster.node(0).session("ben").await;
        let note = Command::PostNote { conversation: conversation.clone(), body: format!("note {round}") };
        ben.call_as(&format!("note-{round}"), note).await.unwrap();
        cluster.nodes[0].kill();
        let answered = Instant::now();
        for watcher in &watchers {
            let known = |items| items == 2 + round;
            watcher.until("it is known", |seen| known(seen.picture.rows[&conversation].items)).await;
        }
        longest = longest.max(answered.elapsed());
        cluster.restart(0).await;
    }
    for watcher in &watchers {
        converges(watcher, &cluster, 0).await;
    }
    eprintln!("known everywhere within {longest:?} of its answer");
    assert!(longest < DELIVERED_WITHIN, "{longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_drains_sends_its_clients_elsewhere_and_nothing_is_lost() {
    let mut scene = Scene::begin(Cluster::start(3).await).await;
    let began = Instant::now();
    scene.cluster.nodes[2].signal("TERM");
    for watcher in &scene.watchers {
        watcher.until("it is on another node", |seen| seen.node.is_some_and(|node| node != 2)).await;
    }
    let moved = began.elapsed();
    let ended = scene.cluster.nodes[2].process.wait().unwrap();
    assert!(ended.success(), "{ended}");
    eprintln!("all elsewhere after {moved:?}, ended after {:?}", began.elapsed());
    scene.written(5).await;
    for node in 0..2 {
        scene.cluster.node(node).counted("rotunda_nodes", 2).await;
    }
    let revoked = scene.cyd_leaves_the_desk(0).await.revoked.unwrap();
    assert_eq!((revoked.nodes, revoked.lapsed), (2, 0), "nobody waits for it: {revoked:?}");
    // Back it comes, so that lists can be compared on all three.
    scene.cluster.restart(2).await;
    let main = scene.main.clone();
    let played = scene.end().await;
    let (longest, notes) = played.longest(&main, began, Instant::now());
    eprintln!("{notes} notes, known everywhere within {longest:?}");
    assert!(longest < DELIVERED_WITHIN, "{longest:?}");
}

/// What a node said of its sessions is believed for this long.
const REPORTED_FOR: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b41_whoever_was_on_a_node_that_died_is_no_longer_shown_as_there() {
    let mut cluster = Cluster::start(2).await;
    let conversation = cluster.receive(MAIN, "+14155550999").await;
    let nodes = cluster.addresses();
    // She cannot go anywhere else.
    let ada = Watcher::start(&nodes[..1], 0, "ada", from_ref(&conversation)).await;
    let ben = Watcher::start(&nodes[1..], 0, "ben", from_ref(&conversation)).await;
    ada.signal(Signal::Typing { conversation: conversation.clone(), mode: TypingMode::Note }).await;
    let is_there = |seen: &super::watch::Seen| {
        let at = seen.picture.presence.get(&conversation);
        let viewing = at.is_some_and(|at| at.viewing.contains(&id("ada")));
        let typing = at.is_some_and(|at| at.typing.iter().any(|typing| typing.teammate == id("ada")));
        [seen.picture.here.contains(&id("ada")), viewing, typing]
    };
    ben.until("she is there", |seen| is_there(seen) == [true; 3]).await;
    cluster.nodes[0].kill();
    let died = Instant::now();
    // Whoever loses access meanwhile has lost it as soon as the dead node could show nothing any more.
    let out = Command::UpdateTeam { team: id("desk"), name: None, add: vec![], remove: vec![id("cyd")] };
    let revoked = cluster.does(1, "cyd-out", &out).await.revoked.unwrap();
    eprintln!("revoked in {} ms with a node dead", revoked.took_ms);
    assert_eq!((revoked.nodes, revoked.lapsed), (1, 1), "{revoked:?}");
    assert!(revoked.took_ms > 3_000 && revoked.took_ms < 7_000, "{revoked:?}");
    ben.until("she is not there", |seen| is_there(seen) == [false; 3]).await;
    let took = died.elapsed();
    eprintln!("no longer there after {took:?}");
    assert!(took < REPORTED_FOR + Duration::from_secs(3), "{took:?}");
}
