//! Postgres is the truth: while it is gone nothing happens and nothing is claimed to have; sessions stay, are told so,
//! and go on when it is back.

use std::time::Duration;

use rotunda_protocol::ask::{Ask, Told};
use rotunda_protocol::command::Command;
use rotunda_protocol::refusal::Refusal;
use tokio::time::{Instant, sleep};

use super::harness::Cluster;
use super::scene::Scene;

/// Ends every connection but the one that asks for it.
const END_ALL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
/// Kills a connection's process, and with it, by the server's own doing, all of them.
const KILL_ONE: &str = "COPY (SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' \
                        AND pid <> pg_backend_pid() LIMIT 1) TO PROGRAM 'xargs kill -9'";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_may_be_restarted_and_nobody_is_sent_away() {
    let mut scene = Scene::begin(Cluster::start(2).await).await;
    let began = Instant::now();
    for _ in 0..2 {
        scene.cluster.postgres().restart().unwrap();
        scene.written(3).await;
    }
    eprintln!("two restarts, and everybody writes again after {:?}", began.elapsed());
    let stayed = scene.watchers.iter().all(|watcher| watcher.seen().connections == 1);
    assert!(stayed, "sessions stay connected");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_is_gone_commands_are_refused_with_a_word_that_they_can_be_tried_again() {
    let mut cluster = Cluster::start(1).await;
    let [main, _] = cluster.conversations().await;
    let mut ben = cluster.node(0).session("ben").await;
    let note = Command::PostNote { conversation: main, body: "once".into() };
    cluster.postgres().kill().unwrap();
    assert_eq!(ben.call_as("r", note.clone()).await, Err(Refusal::Unavailable));
    cluster.postgres().start_again().unwrap();
    let began = Instant::now();
    while ben.call_as("r", note.clone()).await == Err(Refusal::Unavailable) {
        assert!(began.elapsed() < Duration::from_secs(10), "it is back");
    }
    assert_eq!(ben.list("shared").await[0].conversation.items, 2, "and it happened once");
}

/// Longer than a lease.
const FROZEN_FOR: Duration = Duration::from_secs(7);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_stands_still_nothing_is_shown_as_current() {
    let mut scene = Scene::begin(Cluster::start(2).await).await;
    let mut dee = scene.cluster.node(0).session("dee").await;
    let list = || Ask::List { mailbox: "shared".parse().unwrap(), endpoint: None, after: None, limit: 1 };
    assert!(matches!(dee.ask(list()).await, Ok(Told::List { .. })));
    scene.cluster.postgres().freeze().unwrap();
    let began = Instant::now();
    for watcher in &scene.watchers {
        watcher.until("it says that it may be old", |seen| !seen.picture.fresh).await;
    }
    let told = began.elapsed();
    assert_eq!(dee.ask(list()).await, Err(Refusal::Unavailable));
    sleep(FROZEN_FOR.saturating_sub(began.elapsed())).await;
    scene.cluster.postgres().thaw().unwrap();
    let thawed = Instant::now();
    for watcher in &scene.watchers {
        watcher.until("it is current again", |seen| seen.picture.fresh).await;
    }
    let fresh = thawed.elapsed();
    scene.written(3).await;
    eprintln!(
        "told after {told:?}; fresh {fresh:?} after it went on, writing again {:?} after",
        thawed.elapsed()
    );
    assert!(told < Duration::from_secs(7), "{told:?}");
    assert!(fresh < Duration::from_secs(5), "{fresh:?}");
    assert!(scene.watchers.iter().all(|watcher| watcher.seen().connections == 1), "sessions stay connected");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_to_postgres_that_end_in_the_middle_of_a_commit_lead_to_no_false_answer() {
    let mut scene = Scene::begin(Cluster::start(2).await).await;
    for _ in 0..15 {
        scene.cluster.postgres().execute("rotunda", END_ALL).unwrap();
        scene.written(1).await;
    }
    for _ in 0..2 {
        // The one who asks is ended as well.
        drop(scene.cluster.postgres().execute("rotunda", KILL_ONE));
        scene.written(2).await;
    }
    scene.cluster.postgres().restart().unwrap();
    scene.written(2).await;
    let played = scene.end().await;
    assert!(played.notes.iter().any(|note| note.again), "some were in the middle of it");
}
