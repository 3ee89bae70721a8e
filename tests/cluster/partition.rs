//! A node that is well, and cut off from what it shares with others. It cannot know what was taken from whom
//! meanwhile, nor that others no longer wait for it; only how long ago it was sure.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::harness::{Cluster, servers};
use super::proxy::Proxy;
use super::scene::Scene;
use crate::support::practice::bayview;

/// How long it goes on after others have stopped waiting for it.
const FURTHER: Duration = Duration::from_secs(2);

/// Two nodes, of which the second may lose the bus, the database, or both.
async fn two() -> (Scene, [Proxy; 2]) {
    let (redis, postgres) = servers();
    let (bus, store) = (Proxy::to(redis.port()).await, Proxy::to(postgres.port()).await);
    let direct = postgres.url("rotunda");
    let around = direct.replace(&format!(":{}/", postgres.port()), &format!(":{}/", store.port));
    assert_ne!(direct, around);
    let through = vec![("ROTUNDA_BUS", redis.url_through(bus.port)), ("ROTUNDA_STORE", around)];
    let cluster = Cluster::start_with((redis, postgres), &bayview(0), vec![vec![], through]).await;
    cluster.delivers().await;
    // Whoever will lose something is on the node that is cut off.
    (Scene::begin_with(cluster, ["dee", "cyd", "eve"]).await, [bus, store])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b3_a_node_that_is_cut_off_shows_nothing_of_what_is_revoked_meanwhile() {
    let (scene, [bus, store]) = two().await;
    bus.silence(true);
    store.silence(true);
    let cut = Instant::now();
    // Those who wrote by it go to the other node.
    let revoked = scene.cyd_leaves_the_desk(0).await.revoked.unwrap();
    eprintln!("revoked in {} ms with a node cut off {:?} ago", revoked.took_ms, cut.elapsed());
    assert_eq!((revoked.nodes, revoked.lapsed), (1, 1), "{revoked:?}");
    // It may have been in the middle of a write; then the database first ends that, and only then is anything written.
    let answered = cut.elapsed();
    assert!(answered > Duration::from_secs(4), "it might have shown something until then: {answered:?}");
    assert!(answered < Duration::from_secs(14), "{answered:?}");
    scene.written(3).await;
    sleep(FURTHER).await;
    let cyd = scene.of("cyd").next().unwrap();
    assert!(!cyd.seen().picture.fresh, "she knows that what she sees may be old");
    bus.silence(false);
    store.silence(false);
    let healed = Instant::now();
    cyd.until("it is current again", |seen| seen.picture.fresh).await;
    eprintln!("cut off for {:?}, current again after {:?}", healed - cut, healed.elapsed());
    scene.written(3).await;
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_alone_loses_the_database_shows_nothing_as_current() {
    let (scene, [_bus, store]) = two().await;
    store.silence(true);
    let lost = Instant::now();
    let cyd = scene.of("cyd").next().unwrap();
    cyd.until("it says that it may be old", |seen| !seen.picture.fresh).await;
    let told = lost.elapsed();
    // It still hears, and says so; if not, it is not waited for.
    let revoked = scene.cyd_leaves_the_desk(0).await.revoked.unwrap();
    assert_eq!(revoked.nodes + revoked.lapsed, 2, "{revoked:?}");
    eprintln!("told after {told:?}; revoked in {} ms, {} lapsed", revoked.took_ms, revoked.lapsed);
    store.silence(false);
    cyd.until("it is current again", |seen| seen.picture.fresh).await;
    scene.written(3).await;
    scene.end().await;
}
