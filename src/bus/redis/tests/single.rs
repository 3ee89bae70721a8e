//! What is more than the contract: what Redis holds, what is counted, what is refused and said, and how it ends.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rotunda_servers::redis::{Redis, Settings};
use tracing_subscriber::fmt::MakeWriter;

use super::super::outbox::MESSAGES_MAX;
use super::super::session::Session;
use super::{connect, counted};
use crate::bus::contract::{Listener, log, presence, until};
use crate::bus::{Bus, Health};

#[tokio::test]
async fn a_subscription_is_held_when_it_is_given_and_let_go_when_it_is_dropped() {
    let redis = Redis::start().unwrap();
    let (bus, _) = connect(&redis.url(), None, "n");
    until(bus.as_ref(), Health::Delivering).await;
    let subscribers = || {
        redis.command(&["PUBSUB", "NUMSUB", "rotunda:log:{o}"]).unwrap().lines().last().unwrap().to_owned()
    };
    let listener = Listener::new(bus.as_ref(), log("o")).await;
    assert_eq!(subscribers(), "1");
    drop(listener);
    // What comes after was done after.
    let _another = Listener::new(bus.as_ref(), log("another")).await;
    assert_eq!(subscribers(), "0");
}

#[tokio::test]
async fn many_subscriptions_are_held_and_found_to_be_so() {
    let redis = Redis::start().unwrap();
    let (bus, metrics) = connect(&redis.url(), None, "n");
    until(bus.as_ref(), Health::Delivering).await;
    let names: Vec<_> = (0..2_000).map(|number| format!("o{number}")).collect();
    let listening = names.iter().map(|name| Listener::new(bus.as_ref(), log(name)));
    let mut listeners = futures::future::join_all(listening).await;
    listeners.truncate(1_000);
    for name in &names {
        bus.publish(&log(name), Bytes::from(name.clone()));
    }
    for (name, listener) in names.iter().zip(&mut listeners) {
        assert_eq!(listener.next().await, *name);
    }
    // Each comparison subscribes once more. After two of them the second has looked at all of this.
    let compared = subscribed(&redis) + 2;
    while subscribed(&redis) < compared {
        tokio::task::yield_now().await;
    }
    assert_eq!(counted(&metrics, "bus_reconnects_total"), 0);
}

/// How often Redis was told to subscribe.
fn subscribed(redis: &Redis) -> u64 {
    let told = redis.command(&["INFO", "commandstats"]).unwrap();
    let calls = told.lines().find_map(|line| line.strip_prefix("cmdstat_subscribe:calls="));
    calls.and_then(|calls| calls.split(',').next()).unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_the_outbox_has_no_room_for_is_dropped_and_counted() {
    let mut redis = Redis::start().unwrap();
    let (bus, metrics) = connect(&redis.url(), None, "n");
    let mut listener = Listener::new(bus.as_ref(), log("o")).await;
    redis.kill().unwrap();
    until(bus.as_ref(), Health::Deaf).await;
    let count = MESSAGES_MAX + 100;
    for number in 0..count {
        bus.publish(&log("o"), Bytes::from(number.to_string()));
    }
    assert_eq!(counted(&metrics, "bus_dropped_total"), 100);
    redis.restart().unwrap();
    for number in 100..count {
        assert_eq!(listener.next().await, number.to_string());
    }
    bus.close().await;
    let published = counted(&metrics, "bus_published_total");
    assert_eq!(
        (published, counted(&metrics, "bus_received_total")),
        (MESSAGES_MAX as u64, MESSAGES_MAX as u64)
    );
}

#[tokio::test]
async fn closing_tells_what_waits_and_then_is_deaf() {
    let redis = Redis::start().unwrap();
    let (bus, metrics) = connect(&redis.url(), None, "here");
    let (there, _) = connect(&redis.url(), None, "there");
    until(bus.as_ref(), Health::Delivering).await;
    until(there.as_ref(), Health::Delivering).await;
    let mut listener = Listener::new(there.as_ref(), log("o")).await;
    bus.publish(&log("o"), Bytes::from("goodbye"));
    bus.close().await;
    assert_eq!(listener.next().await, "goodbye");
    assert_eq!((*bus.health().borrow(), counted(&metrics, "bus_delivering")), (Health::Deaf, 0));
    // A subscription is no longer waited for.
    drop(Listener::new(bus.as_ref(), log("o")).await);
}

#[tokio::test]
async fn installations_with_other_numbers_do_not_hear_each_other() {
    let redis = Redis::start().unwrap();
    let (one, _) = connect(&format!("{}/1", redis.url()), None, "n");
    let (two, _) = connect(&format!("{}/2", redis.url()), None, "n");
    let mut listeners = Vec::new();
    for bus in [&one, &two] {
        until(bus.as_ref(), Health::Delivering).await;
        listeners.push(Listener::new(bus.as_ref(), log("o")).await);
    }
    for (bus, text) in [(&one, "of one"), (&two, "of two")] {
        bus.publish(&log("o"), Bytes::from(text));
    }
    assert_eq!((listeners[0].next().await, listeners[1].next().await), ("of one".into(), "of two".into()));
}

/// What the log says, in memory.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_wrong_password_is_said_once_and_not_shown() {
    let lines = Lines::default();
    // A test's tasks run on its own thread, so this hears them all.
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(lines.clone());
    let _hears = tracing::subscriber::set_default(subscriber.finish());
    let redis =
        Redis::start_with(Settings { password: Some("sesame".into()), ..Settings::default() }).unwrap();
    let (bus, _) = connect(&redis.url().replace("sesame", "barley"), None, "n");
    let mut listener = Listener::new(bus.as_ref(), log("o")).await;
    let text = || String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    // The password becomes right after some attempts; then all of the log is there to look at.
    while !has_been_refused(&redis, 3) {
        tokio::task::yield_now().await;
    }
    assert_eq!(redis.command(&["CONFIG", "SET", "requirepass", "barley"]).unwrap(), "OK");
    until(bus.as_ref(), Health::Delivering).await;
    bus.publish(&log("o"), Bytes::from("here"));
    assert_eq!(listener.next().await, "here");
    let text = text();
    assert_eq!(text.matches("the bus is deaf").count(), 1, "{text}");
    assert!(text.contains("WRONGPASS") && text.contains("the bus delivers"), "{text}");
    assert!(!text.contains("barley") && !text.contains("sesame"), "{text}");
}

/// Redis counts clients that failed to say the password, in its log of them.
fn has_been_refused(redis: &Redis, times: u32) -> bool {
    let log = redis.command(&["ACL", "LOG"]).unwrap();
    let count = log.lines().skip_while(|line| *line != "count").nth(1).and_then(|count| count.parse().ok());
    count.unwrap_or(0) >= times
}

#[tokio::test]
async fn a_certificate_by_nobody_that_is_trusted_is_not_accepted() {
    let redis = Redis::start_with(Settings { tls: true, ..Settings::default() }).unwrap();
    let (bus, _) = connect(&redis.url(), None, "n");
    let fault = Session::open(&bus.shared, 0).await.err().expect("nobody trusts it");
    assert!(fault.to_string().contains("certificate") && !fault.is_refusal(), "{fault}");
    let (trusting, _) = connect(&redis.url(), Some(&redis.authority()), "n");
    assert!(Session::open(&trusting.shared, 0).await.is_ok());
}

/// Messages on one topic are never held up by those that nobody here hears.
#[tokio::test]
async fn what_nobody_hears_is_not_counted_as_heard() {
    let redis = Redis::start().unwrap();
    let (bus, metrics) = connect(&redis.url(), None, "n");
    until(bus.as_ref(), Health::Delivering).await;
    let mut listener = Listener::new(bus.as_ref(), presence("o")).await;
    bus.publish(&log("o"), Bytes::from("unheard"));
    bus.publish(&presence("o"), Bytes::from("heard"));
    assert_eq!(listener.next().await, "heard");
    assert_eq!(counted(&metrics, "bus_received_total"), 1);
}
