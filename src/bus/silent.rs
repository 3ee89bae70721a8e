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

    async fn subscribe(&self, _topic: Topic, ear: Ear) -> Subscription {
        // It never hears anything, and is there all the same: who listens must not find that nobody can speak.
        Subscription::ending(move || drop(ear))
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn nothing_is_heard_and_who_listens_waits() {
        let (tells, mut heard) = mpsc::channel(1);
        let (bus, topic) = (Silent::new(), Topic::Log("o".parse().unwrap()));
        let ear: Ear = Arc::new(move |message| drop(tells.try_send(message)));
        let subscription = bus.subscribe(topic.clone(), ear).await;
        bus.publish(&topic, Bytes::from_static(b"hello"));
        assert_eq!(heard.try_recv(), Err(mpsc::error::TryRecvError::Empty));
        assert_eq!(*bus.health().borrow(), Health::Deaf);
        drop(subscription);
        assert_eq!(heard.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }
}
