//! Who wants to hear what. It outlives every connection: each of them is made to hold what is wanted here, and the bus
//! is not well before it does.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use crate::bus::{Ear, Health};

/// What is wanted, and how the bus is.
pub(super) struct Ears {
    inner: RwLock<Inner>,
    /// Something is wanted, or no longer.
    changed: Notify,
    health: watch::Sender<Health>,
}

#[derive(Default)]
struct Inner {
    wanted: HashMap<String, Wanted>,
    /// Channels that became wanted or unwanted, and that the connection was not told of.
    changed: HashSet<String>,
    /// The number of the next ear.
    next: u64,
}

struct Wanted {
    ear: Ear,
    /// Tells it from an ear that was there before.
    number: u64,
    held: watch::Sender<bool>,
}

/// Channels that are to be held from now on, and those that are not.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) wanted: Vec<String>,
    pub(super) unwanted: Vec<String>,
}

impl Ears {
    /// Nobody listens, and nothing arrives.
    pub(super) fn new() -> Self {
        Self { inner: RwLock::default(), changed: Notify::new(), health: watch::Sender::new(Health::Deaf) }
    }

    /// Whether what is published arrives.
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    /// Wants a channel to be heard, and says by which number to end that. A former ear hears nothing more.
    pub(super) fn listen(&self, channel: &str, ear: Ear) -> u64 {
        let mut inner = self.write();
        let number = inner.next;
        inner.next += 1;
        inner.wanted.insert(channel.into(), Wanted { ear, number, held: watch::Sender::new(false) });
        inner.changed.insert(channel.into());
        drop(inner);
        self.changed.notify_one();
        number
    }

    /// Waits until a channel is held, or nobody wants it any more, or the bus is deaf.
    pub(super) async fn until_held(&self, channel: &str) {
        let (mut held, mut health) = {
            let inner = self.read();
            let Some(wanted) = inner.wanted.get(channel) else { return };
            (wanted.held.subscribe(), self.health.subscribe())
        };
        // Neither says more than this when its other end is gone.
        tokio::select! {
            held = held.wait_for(|held| *held) => drop(held),
            deaf = health.wait_for(|health| *health == Health::Deaf) => drop(deaf),
        }
    }

    /// Nobody wants this any more.
    pub(super) fn end(&self, channel: &str, number: u64) {
        let mut inner = self.write();
        if inner.wanted.get(channel).is_some_and(|wanted| wanted.number == number) {
            inner.wanted.remove(channel);
            inner.changed.insert(channel.into());
            drop(inner);
            self.changed.notify_one();
        }
    }

    /// Gives a message to whoever listens. Called without the lock, so that an ear may stop listening.
    pub(super) fn hear(&self, channel: &str, message: Bytes) -> bool {
        let ear = self.read().wanted.get(channel).map(|wanted| Arc::clone(&wanted.ear));
        let Some(ear) = ear else { return false };
        ear(message);
        true
    }

    /// Everything that is wanted: what a new connection begins with.
    pub(super) fn all(&self) -> Vec<String> {
        let mut inner = self.write();
        inner.changed.clear();
        inner.wanted.keys().cloned().collect()
    }

    /// What has changed since it was asked for. None at all, when nothing has.
    pub(super) fn changes(&self) -> Changes {
        let mut inner = self.write();
        let changed = std::mem::take(&mut inner.changed);
        let (wanted, unwanted) = changed.into_iter().partition(|channel| inner.wanted.contains_key(channel));
        Changes { wanted, unwanted }
    }

    /// Waits for a change. It may be one that was asked for already.
    pub(super) async fn until_changed(&self) {
        self.changed.notified().await;
    }

    /// These are held now.
    pub(super) fn hold(&self, channels: &[String]) {
        let inner = self.read();
        for wanted in channels.iter().filter_map(|channel| inner.wanted.get(channel)) {
            wanted.held.send_replace(true);
        }
    }

    /// The bus is well, unless something became wanted that is not held: then it says no. Whoever begins to listen
    /// sees either a deaf bus that will hold it before it is well, or a well one and waits.
    pub(super) fn deliver(&self) -> bool {
        let inner = self.write();
        let settled = inner.changed.is_empty();
        if settled {
            self.health.send_replace(Health::Delivering);
        }
        settled
    }

    /// Nothing is held any more. Says whether something was, as far as anybody knew.
    pub(super) fn deafen(&self) -> bool {
        let inner = self.write();
        for wanted in inner.wanted.values() {
            wanted.held.send_replace(false);
        }
        self.health.send_replace(Health::Deaf) == Health::Delivering
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().expect("nothing panics while it holds this")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().expect("nothing panics while it holds this")
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn ear() -> Ear {
        Arc::new(drop::<Bytes>)
    }

    #[test]
    fn what_became_wanted_and_unwanted_is_told_once() {
        let ears = Ears::new();
        let (a, _) = (ears.listen("a", ear()), ears.listen("b", ear()));
        let mut all = ears.all();
        all.sort();
        assert_eq!((all, ears.changes()), (vec!["a".into(), "b".into()], Changes::default()));
        ears.end("a", a);
        ears.listen("c", ear());
        let changes = Changes { wanted: vec!["c".into()], unwanted: vec!["a".into()] };
        assert_eq!((ears.changes(), ears.changes()), (changes, Changes::default()));
    }

    #[test]
    fn an_ear_does_not_end_the_one_that_took_its_place() {
        let ears = Ears::new();
        let old = ears.listen("a", ear());
        ears.listen("a", ear());
        ears.end("a", old);
        assert!(ears.hear("a", Bytes::new()));
    }

    #[test]
    fn the_bus_is_not_well_while_something_wanted_is_not_held() {
        let ears = Ears::new();
        ears.listen("a", ear());
        assert!(!ears.deliver());
        assert_eq!(ears.changes().wanted, ["a"]);
        assert!(ears.deliver());
        assert!(ears.until_held("a").now_or_never().is_none(), "a bus that is well is waited for");
        ears.hold(&["a".into()]);
        assert!(ears.until_held("a").now_or_never().is_some());
        assert!(ears.deafen());
        assert!(!ears.deafen(), "it was deaf before");
        assert!(ears.until_held("a").now_or_never().is_some(), "a deaf one is not");
    }

    #[test]
    fn whoever_waits_stops_when_nobody_wants_it_any_more() {
        let ears = Ears::new();
        assert!(ears.deliver());
        let number = ears.listen("a", ear());
        let mut waits = std::pin::pin!(ears.until_held("a"));
        assert!(waits.as_mut().now_or_never().is_none());
        ears.end("a", number);
        assert!(waits.now_or_never().is_some());
    }
}
