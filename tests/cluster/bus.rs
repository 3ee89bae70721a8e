//! Redis carries news, never truth: it may die, freeze, forget and lie, and people go on working.

use std::time::Duration;

use rotunda_servers::redis::Redis;
use tokio::time::Instant;

use super::harness::{Cluster, servers};
use super::proxy::Proxy;
use super::scene::Scene;
use crate::support::practice::bayview;

/// Without the bus, nodes read the log five times a second once they have noticed. The rest is for a busy machine.
const DELIVERED_WITHIN: Duration = Duration::from_secs(2);
/// How long each part of a test is looked at.
const A_WHILE: Duration = Duration::from_secs(2);

/// Everything goes on while the bus is gone, a loss of access included, and when it is back.
async fn the_bus_goes(breaks: impl Fn(&mut Redis), heals: impl Fn(&mut Redis)) {
    let mut scene = Scene::begin(Cluster::start(3).await).await;
    let broken = Instant::now();
    breaks(&mut scene.cluster.redis);
    scene.goes_on(A_WHILE).await;
    let revoked = scene.cyd_leaves_the_desk(1).await.revoked.unwrap();
    assert_eq!(
        (revoked.nodes, revoked.lapsed),
        (3, 0),
        "beats tell that it is so on every node: {revoked:?}"
    );
    let still_broken = Instant::now();
    heals(&mut scene.cluster.redis);
    scene.cluster.delivers().await;
    let healed = Instant::now();
    scene.goes_on(A_WHILE).await;
    let main = scene.main.clone();
    let played = scene.end().await;
    for (when, (longest, notes)) in [
        ("gone", played.longest(&main, broken, still_broken)),
        ("coming back", played.longest(&main, still_broken, healed)),
        ("back", played.longest(&main, healed, Instant::now())),
    ] {
        eprintln!("the bus is {when}: {notes} notes, known everywhere within {longest:?}");
        assert!(longest < DELIVERED_WITHIN, "{when}: {longest:?}");
    }
    eprintln!("revoked without it in {} ms; back after {:?}", revoked.took_ms, healed - still_broken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_may_die_and_come_back() {
    the_bus_goes(|redis| redis.kill().unwrap(), |redis| redis.restart().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_may_freeze_and_go_on() {
    the_bus_goes(|redis| redis.signal("STOP").unwrap(), |redis| redis.signal("CONT").unwrap()).await;
}

/// Redis no longer holds what a node wants to hear, has not said so, and everything else is well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_lost_without_a_word_is_noticed_and_healed() {
    let (redis, postgres) = servers();
    let proxy = Proxy::to(redis.port()).await;
    let through = vec![("ROTUNDA_BUS", redis.url_through(proxy.port))];
    let cluster = Cluster::start_with((redis, postgres), &bayview(0), vec![vec![], vec![], through]).await;
    cluster.delivers().await;
    let scene = Scene::begin(cluster).await;
    let lost = Instant::now();
    // Of four channels three are left, and nobody hears so.
    proxy.forge(
        b"*2\r\n$11\r\nUNSUBSCRIBE\r\n$21\r\nrotunda:log:{bayview}\r\n",
        b">3\r\n$11\r\nunsubscribe\r\n$21\r\nrotunda:log:{bayview}\r\n:3\r\n",
    );
    let node = scene.cluster.node(2);
    node.counted("rotunda_bus_reconnects_total", 1).await;
    let noticed = lost.elapsed();
    assert!(proxy.has_forged(), "nobody heard of it");
    scene.cluster.delivers().await;
    scene.goes_on(Duration::from_millis(500)).await;
    // And a link on which nothing comes through any more, while no connection ends.
    proxy.silence(true);
    scene.goes_on(A_WHILE).await;
    proxy.silence(false);
    scene.cluster.delivers().await;
    let main = scene.main.clone();
    let played = scene.end().await;
    let (longest, notes) = played.longest(&main, lost, Instant::now());
    eprintln!("noticed after {noticed:?}; {notes} notes, known everywhere within {longest:?}");
    assert!(longest < DELIVERED_WITHIN, "{longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_may_be_flushed() {
    let scene = Scene::begin(Cluster::start(2).await).await;
    let flushed = Instant::now();
    assert_eq!(scene.cluster.redis.command(&["FLUSHALL"]).unwrap(), "OK");
    scene.goes_on(A_WHILE).await;
    for node in 0..2 {
        assert_eq!(scene.cluster.node(node).count("rotunda_bus_reconnects_total").await, 0);
        assert_eq!(scene.cluster.node(node).count("rotunda_bus_delivering").await, 1);
    }
    let main = scene.main.clone();
    let played = scene.end().await;
    let (longest, notes) = played.longest(&main, flushed, Instant::now());
    eprintln!("{notes} notes, known everywhere within {longest:?}");
    assert!(longest < DELIVERED_WITHIN, "{longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_said_on_the_bus_leads_to_nothing_but_a_look_into_the_log() {
    let scene = Scene::begin(Cluster::start(2).await).await;
    let began = Instant::now();
    let channels = scene.cluster.redis.command(&["PUBSUB", "CHANNELS", "rotunda:*"]).unwrap();
    // Nothing, noise, a text, no MessagePack in this release's version, and the next version's envelope.
    let noise = ["", "0,255,254,3", "104,101,108,108,111", "1,193", "1,222,255,255,0", "2,129,161,97,1"];
    let mut said = 0;
    for channel in channels.lines().filter(|channel| !channel.contains(":probe:")) {
        for bytes in noise {
            let script = format!("return redis.call('PUBLISH', KEYS[1], string.char({bytes}))");
            let heard = scene.cluster.redis.command(&["EVAL", &script, "1", channel]).unwrap();
            said += heard.parse::<u32>().unwrap_or_else(|_| panic!("{heard}"));
        }
    }
    assert!(said >= 2 * 3 * 6 - 6, "every channel has somebody who listens: {said}");
    scene.goes_on(A_WHILE).await;
    for node in 0..2 {
        assert_eq!(scene.cluster.node(node).count("rotunda_bus_reconnects_total").await, 0);
    }
    assert!(scene.watchers.iter().all(|watcher| watcher.seen().connections == 1), "nobody was sent away");
    let main = scene.main.clone();
    let played = scene.end().await;
    let (longest, notes) = played.longest(&main, began, Instant::now());
    eprintln!("{notes} notes, known everywhere within {longest:?}");
    assert!(longest < DELIVERED_WITHIN, "{longest:?}");
}
