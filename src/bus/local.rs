//! A bus within one process: for a hub that is alone, and for several nodes in one test. What is published is heard
//! before `publish` returns, and nothing is ever lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use dashmap::DashMap;
use tokio::sync::watch;

use super::{Bus, Ear, Health, Subscription, Topic};

/// Everybody who listens, by topic: several nodes may share a bus, so a topic may have several ears.
type Ears = DashMap<Topic, Vec<(u64, Ear)>>;

/// A bus within one process. All who share it hear each other.
pub struct LocalBus {
    ears: Arc<Ears>,
    /// Tells the ears of one topic apart.
    next: AtomicU64,
    /// It never changes.
    health: watch::Sender<Health>,
}

impl LocalBus {
    /// A bus that nobody listens to.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            ears: Arc::default(),
            next: AtomicU64::new(0),
            health: watch::Sender::new(Health::Delivering),
        })
    }
}

#[async_trait]
impl Bus for LocalBus {
    fn publish(&self, topic: &Topic, message: Bytes) {
        // Copied, so that an ear may publish, listen and stop listening.
        let ears = self.ears.get(topic).map(|ears| ears.clone()).unwrap_or_default();
        for (_, ear) in ears {
            ear(message.clone());
        }
    }

    async fn subscribe(&self, topic: Topic, ear: Ear) -> Subscription {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.ears.entry(topic.clone()).or_default().push((number, ear));
        let ears = Arc::clone(&self.ears);
        Subscription::ending(move || {
            ears.remove_if_mut(&topic, |_, ears| {
                ears.retain(|(other, _)| *other != number);
                ears.is_empty()
            });
        })
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use super::*;
    use crate::bus::SharedBus;
    use crate::bus::contract::{self, Nodes, log};

    fn fresh() -> Ready<(Nodes, ())> {
        let bus = LocalBus::new();
        let (here, there): (SharedBus, SharedBus) = (bus.clone(), bus);
        ready((Nodes { here, there }, ()))
    }

    contract::checks!(fresh);

    #[tokio::test]
    async fn what_nobody_listens_to_any_more_takes_no_place() {
        let bus = LocalBus::new();
        let ear: Ear = Arc::new(drop::<Bytes>);
        let one = bus.subscribe(log("o"), ear.clone()).await;
        let two = bus.subscribe(log("o"), ear).await;
        drop(one);
        assert_eq!(bus.ears.len(), 1);
        drop(two);
        assert!(bus.ears.is_empty());
    }
}
