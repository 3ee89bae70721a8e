//! A bus as bad as a bus may be: what arrives through it is lost, doubled, late and out of order, as seeded dice will
//! have it; and it can be deaf. For tests of those who listen.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use super::{Bus, Ear, Health, SharedBus, Subscription, Topic};

/// Messages that are late at the same time. One more is let through.
const LATE_MAX: usize = 64;

/// What happens to a message, of a hundred. What is left over arrives as it should.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Odds {
    /// It is never heard.
    pub(crate) lost: u64,
    /// It is heard twice.
    pub(crate) doubled: u64,
    /// It is heard after some that came later, or when the bus is told to settle.
    pub(crate) late: u64,
}

/// One node's end of another bus. Its own messages go out as they should, unless it is deaf: what is bad about it is
/// how this node hears.
pub(crate) struct Trouble {
    inner: SharedBus,
    state: Arc<State>,
}

struct State {
    odds: Odds,
    chance: Mutex<Chance>,
    deaf: AtomicBool,
    health: watch::Sender<Health>,
}

/// The dice, and what they hold back.
struct Chance {
    dice: u64,
    late: Vec<Late>,
}

/// A message that is late, and whose it is.
struct Late {
    ear: Ear,
    ended: Arc<AtomicBool>,
    message: Bytes,
}

impl Trouble {
    /// Trouble with a bus; the same seed and the same messages make the same trouble.
    pub(crate) fn new(inner: SharedBus, odds: Odds, seed: u64) -> Arc<Self> {
        assert!(odds.lost + odds.doubled + odds.late <= 100, "of a hundred: {odds:?}");
        let dice = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let state = State {
            odds,
            chance: Mutex::new(Chance { dice, late: Vec::new() }),
            deaf: AtomicBool::new(false),
            health: watch::Sender::new(Health::Delivering),
        };
        Arc::new(Self { inner, state: Arc::new(state) })
    }

    /// Nothing comes or goes any more, and what was late is lost.
    pub(crate) fn deafen(&self) {
        self.state.deaf.store(true, Ordering::SeqCst);
        self.state.chance().late.clear();
        self.state.health.send_replace(Health::Deaf);
    }

    /// It is as good as before.
    pub(crate) fn heal(&self) {
        self.state.deaf.store(false, Ordering::SeqCst);
        self.state.health.send_replace(Health::Delivering);
    }

    /// What is late is heard now, in any order.
    pub(crate) fn settle(&self) {
        loop {
            let next = self.state.chance().one_late();
            match next {
                Some(late) => late.hear(),
                None => return,
            }
        }
    }
}

#[async_trait]
impl Bus for Trouble {
    fn publish(&self, topic: &Topic, message: Bytes) {
        if !self.state.deaf.load(Ordering::SeqCst) {
            self.inner.publish(topic, message);
        }
    }

    async fn subscribe(&self, topic: Topic, ear: Ear) -> Subscription {
        let (state, ended) = (Arc::clone(&self.state), Arc::new(AtomicBool::new(false)));
        let end = Arc::clone(&ended);
        let troubled: Ear = Arc::new(move |message| {
            state.hear(Late { ear: Arc::clone(&ear), ended: Arc::clone(&ended), message });
        });
        let inner = self.inner.subscribe(topic, troubled).await;
        Subscription::ending(move || {
            end.store(true, Ordering::SeqCst);
            drop(inner);
        })
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.state.health.subscribe()
    }
}

impl State {
    fn chance(&self) -> MutexGuard<'_, Chance> {
        self.chance.lock().expect("nothing panics while it holds this")
    }

    /// A message has come this far. Ears are called without the lock: they may publish.
    fn hear(&self, message: Late) {
        if self.deaf.load(Ordering::SeqCst) {
            return;
        }
        let (now, overtaken) = {
            let mut chance = self.chance();
            let release = chance.roll(4) == 0;
            let overtaken = if release { chance.one_late() } else { None };
            (chance.becomes(self.odds, message), overtaken)
        };
        for message in now.into_iter().chain(overtaken) {
            message.hear();
        }
    }
}

impl Chance {
    /// A number below `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % sides
    }

    /// What is heard at once of a message.
    fn becomes(&mut self, odds: Odds, message: Late) -> Vec<Late> {
        let roll = self.roll(100);
        if roll < odds.lost {
            Vec::new()
        } else if roll < odds.lost + odds.doubled {
            let twin = Late {
                ear: message.ear.clone(),
                ended: message.ended.clone(),
                message: message.message.clone(),
            };
            vec![message, twin]
        } else if roll < odds.lost + odds.doubled + odds.late && self.late.len() < LATE_MAX {
            self.late.push(message);
            Vec::new()
        } else {
            vec![message]
        }
    }

    /// Any of those that are late.
    fn one_late(&mut self) -> Option<Late> {
        let count = self.late.len();
        if count == 0 {
            return None;
        }
        let index = usize::try_from(self.roll(count as u64)).unwrap();
        Some(self.late.swap_remove(index))
    }
}

impl Late {
    fn hear(mut self) {
        if !self.ended.load(Ordering::SeqCst) {
            (self.ear)(mem::take(&mut self.message));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use super::*;
    use crate::bus::contract::{self, Listener, Nodes, listen, log};
    use crate::bus::local::LocalBus;

    fn fresh() -> Ready<(Nodes, ())> {
        let local = LocalBus::new();
        let here = Trouble::new(local.clone(), Odds::default(), 1);
        let there = Trouble::new(local, Odds::default(), 2);
        ready((Nodes { here, there }, ()))
    }

    contract::checks!(fresh);

    /// What is heard of a hundred messages.
    async fn heard(odds: Odds, seed: u64) -> Vec<u32> {
        let bus = Trouble::new(LocalBus::new(), odds, seed);
        let mut listener = Listener::new(bus.as_ref(), log("o")).await;
        for number in 0..100_u32 {
            bus.publish(&log("o"), Bytes::copy_from_slice(&number.to_be_bytes()));
        }
        bus.settle();
        let mut heard = Vec::new();
        while let Some(message) = listener.already() {
            heard.push(u32::from_be_bytes(message.as_ref().try_into().unwrap()));
        }
        heard
    }

    #[tokio::test]
    async fn messages_are_lost_doubled_and_late_as_the_dice_will_have_it() {
        let all: Vec<u32> = (0..100).collect();
        let lossy = heard(Odds { lost: 30, ..Odds::default() }, 1).await;
        assert!(lossy.is_sorted() && lossy.len() < 100, "{lossy:?}");
        let doubling = heard(Odds { doubled: 30, ..Odds::default() }, 1).await;
        assert!(doubling.is_sorted() && doubling.len() > 100, "{doubling:?}");
        let mut late = heard(Odds { late: 30, ..Odds::default() }, 1).await;
        assert!(!late.is_sorted(), "{late:?}");
        late.sort_unstable();
        assert_eq!(late, all, "late is not lost");
        let odds = Odds { lost: 20, doubled: 20, late: 20 };
        assert_eq!(heard(odds, 7).await, heard(odds, 7).await, "one seed makes one trouble");
        assert_ne!(heard(odds, 7).await, heard(odds, 8).await);
    }

    #[tokio::test]
    async fn a_deaf_bus_neither_hears_nor_speaks() {
        let local = LocalBus::new();
        let deaf = Trouble::new(local.clone(), Odds::default(), 1);
        let mut here = Listener::new(deaf.as_ref(), log("o")).await;
        let mut there = Listener::new(local.as_ref(), log("o")).await;
        let mut changes = deaf.health();
        deaf.deafen();
        deaf.publish(&log("o"), Bytes::from("unsaid"));
        local.publish(&log("o"), Bytes::from("unheard"));
        deaf.heal();
        assert!(changes.has_changed().unwrap() && *changes.borrow_and_update() == Health::Delivering);
        deaf.publish(&log("o"), Bytes::from("said"));
        assert_eq!([there.next().await, there.next().await], ["unheard", "said"]);
        assert_eq!((here.next().await, here.already()), (Bytes::from("said"), None));
    }

    #[tokio::test]
    async fn what_is_late_is_not_heard_by_who_has_left() {
        let bus = Trouble::new(LocalBus::new(), Odds { late: 100, ..Odds::default() }, 1);
        let (subscription, mut left) = listen(bus.as_ref(), log("o")).await;
        bus.publish(&log("o"), Bytes::from("late"));
        assert!(left.try_recv().is_err(), "it is late");
        drop(subscription);
        bus.settle();
        assert!(left.try_recv().is_err(), "it is never heard");
    }
}
