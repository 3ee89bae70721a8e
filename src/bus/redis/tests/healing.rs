//! Whatever happens to a server or to the link, the bus notices in time and is well again in time, by itself.
//!
//! These tests have several threads: while one starts servers, the bus goes on.

use bytes::Bytes;
use rotunda_servers::redis::Redis;

use super::proxy::Proxy;
use super::{DEAF_WITHIN, WELL_WITHIN};
use super::{connect, counted, deaf_in_time, well_in_time, within};
use crate::bus::contract::{Listener, log, until};
use crate::bus::{Bus, Health};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_dies_and_comes_back() {
    let mut redis = Redis::start().unwrap();
    let (bus, metrics) = connect(&redis.url(), None, "n");
    until(bus.as_ref(), Health::Delivering).await;
    let mut before = Listener::new(bus.as_ref(), log("before")).await;
    redis.kill().unwrap();
    deaf_in_time(&bus).await;
    let mut meanwhile = Listener::new(bus.as_ref(), log("meanwhile")).await;
    bus.publish(&log("before"), Bytes::from("published while it was down"));
    redis.restart().unwrap();
    well_in_time(&bus).await;
    assert_eq!(before.next().await, "published while it was down");
    bus.publish(&log("meanwhile"), Bytes::from("again"));
    assert_eq!(meanwhile.next().await, "again");
    assert_eq!((counted(&metrics, "bus_reconnects_total"), counted(&metrics, "bus_delivering")), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_yet() {
    let mut redis = Redis::start().unwrap();
    redis.kill().unwrap();
    let (bus, metrics) = connect(&redis.url(), None, "n");
    let mut listener = Listener::new(bus.as_ref(), log("o")).await;
    assert_eq!((*bus.health().borrow(), counted(&metrics, "bus_delivering")), (Health::Deaf, 0));
    redis.restart().unwrap();
    well_in_time(&bus).await;
    bus.publish(&log("o"), Bytes::from("here"));
    assert_eq!(listener.next().await, "here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_frozen() {
    let redis = Redis::start().unwrap();
    let (bus, _) = connect(&redis.url(), None, "n");
    let mut listener = Listener::new(bus.as_ref(), log("o")).await;
    until(bus.as_ref(), Health::Delivering).await;
    for round in 0..3 {
        redis.signal("STOP").unwrap();
        deaf_in_time(&bus).await;
        redis.signal("CONT").unwrap();
        well_in_time(&bus).await;
        bus.publish(&log("o"), Bytes::from(round.to_string()));
        while listener.next().await != round.to_string() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_server_ends() {
    let redis = Redis::start().unwrap();
    let (bus, metrics) = connect(&redis.url(), None, "n");
    until(bus.as_ref(), Health::Delivering).await;
    let mut listener = Listener::new(bus.as_ref(), log("o")).await;
    for round in 1..=3 {
        let mut health = bus.health();
        health.mark_unchanged();
        assert_eq!(redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).unwrap(), "1");
        within(DEAF_WITHIN, "noticed", health.changed()).await.unwrap();
        well_in_time(&bus).await;
        bus.publish(&log("o"), Bytes::from(round.to_string()));
        while listener.next().await != round.to_string() {}
        assert_eq!(counted(&metrics, "bus_reconnects_total"), round);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_falls_silent() {
    let redis = Redis::start().unwrap();
    let proxy = Proxy::to(redis.port()).await;
    let (bus, _) = connect(&redis.url_through(proxy.port), None, "n");
    until(bus.as_ref(), Health::Delivering).await;
    let mut listener = Listener::new(bus.as_ref(), log("o")).await;
    proxy.silence(true);
    deaf_in_time(&bus).await;
    proxy.silence(false);
    well_in_time(&bus).await;
    bus.publish(&log("o"), Bytes::from("here"));
    assert_eq!(listener.next().await, "here");
}

/// The connection is whole and probes come back, but Redis does not hold one of the channels any more, and has never
/// said so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_is_lost_without_a_word() {
    let redis = Redis::start().unwrap();
    let proxy = Proxy::to(redis.port()).await;
    let (bus, metrics) = connect(&redis.url_through(proxy.port), None, "n");
    until(bus.as_ref(), Health::Delivering).await;
    let mut listener = Listener::new(bus.as_ref(), log("o")).await;
    let mut health = bus.health();
    health.mark_unchanged();
    let answer = b">3\r\n$11\r\nunsubscribe\r\n$15\r\nrotunda:log:{o}\r\n:1\r\n";
    proxy.forge(b"*2\r\n$11\r\nUNSUBSCRIBE\r\n$15\r\nrotunda:log:{o}\r\n", answer);
    within(WELL_WITHIN, "noticed", health.changed()).await.unwrap();
    assert!(proxy.has_forged(), "nobody heard of it");
    well_in_time(&bus).await;
    bus.publish(&log("o"), Bytes::from("here"));
    assert_eq!(listener.next().await, "here");
    assert_eq!(counted(&metrics, "bus_reconnects_total"), 1);
}

/// The same, but Redis says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_the_server_ends() {
    let redis = Redis::start().unwrap();
    let proxy = Proxy::to(redis.port()).await;
    let (bus, _) = connect(&redis.url_through(proxy.port), None, "n");
    until(bus.as_ref(), Health::Delivering).await;
    let mut listener = Listener::new(bus.as_ref(), log("o")).await;
    let mut health = bus.health();
    health.mark_unchanged();
    proxy.forge(b"*2\r\n$11\r\nUNSUBSCRIBE\r\n$15\r\nrotunda:log:{o}\r\n", b"nothing");
    within(WELL_WITHIN, "noticed", health.changed()).await.unwrap();
    well_in_time(&bus).await;
    bus.publish(&log("o"), Bytes::from("here"));
    assert_eq!(listener.next().await, "here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgets_all_it_knows_is_as_good_as_before() {
    let redis = Redis::start().unwrap();
    let (bus, metrics) = connect(&redis.url(), None, "n");
    until(bus.as_ref(), Health::Delivering).await;
    let mut listener = Listener::new(bus.as_ref(), log("o")).await;
    assert_eq!(redis.command(&["FLUSHALL"]).unwrap(), "OK");
    bus.publish(&log("o"), Bytes::from("here"));
    assert_eq!(listener.next().await, "here");
    assert_eq!(counted(&metrics, "bus_reconnects_total"), 0);
}
