//! No bus at all: nothing is carried, and its health says so. Nodes that share a database and have nothing else
//! between them follow its log.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use super::{Bus, Ear, Health, Subscription, Topic};

/// No bus at all.
pub struct Silent(watch::Sender<Health>);

impl Silent {
    /// Silence.
    pub fn new() -> Self {
        Self(watch::Sender::new(Health::Deaf))
    }
}

impl Default for Silent {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Bus for Silent {
    fn publish(&self, _topic: &Topic, _message: Bytes) {}

    async fn subscribe(&self, _topic: Topic, _ear: Ear) -> Subscription {
        Subscription::ending(|| ())
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.0.subscribe()
    }
}
