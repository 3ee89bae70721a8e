//! What other nodes hear. The bus carries news, never truth: a message that is lost, doubled or late costs a look
//! into the log, and nothing else.

pub mod envelope;
pub mod local;
pub mod redis;
pub mod silent;

#[cfg(test)]
mod contract;
#[cfg(test)]
pub(crate) mod trouble;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rotunda_protocol::id::OrganizationId;
use tokio::sync::watch;

use crate::domain::node::NodeId;

/// What a message is about, and so who hears it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// What became durable in an organization: every node that hosts it.
    Log(OrganizationId),
    /// Who is where in an organization: the same nodes. Apart, so that a flood of it holds up nothing.
    Presence(OrganizationId),
    /// What one node alone is told.
    Node(NodeId),
}

/// Whether what is published arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// What this node told itself has come back, lately.
    Delivering,
    /// It has not, or never has: messages may be lost.
    Deaf,
}

/// Takes what is heard on a topic. Called in the order of arrival, and must return at once.
pub type Ear = Arc<dyn Fn(Bytes) + Send + Sync>;

/// Ends a subscription when it is dropped.
#[must_use = "dropping it ends the subscription"]
pub struct Subscription(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Subscription {
    /// A subscription that ends like this.
    pub fn ending(end: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(end)))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(end) = self.0.take() {
            end();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

/// What carries messages between nodes.
///
/// * A message goes to everybody who is subscribed to its topic, the node that publishes it included.
/// * Messages can be lost, doubled and reordered. A healthy bus rarely does any of it.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Tells whoever hears the topic. Never waits: what cannot be carried is lost, and counted.
    fn publish(&self, topic: &Topic, message: Bytes);

    /// Gives what is heard on a topic to `ear`, until the subscription is dropped. One ear for each topic. Returns
    /// when the subscription is held; when the bus is deaf, at once, and it is held as soon as it can be.
    async fn subscribe(&self, topic: Topic, ear: Ear) -> Subscription;

    /// Whether what is published arrives, as it changes. Each change says that messages may have been lost, one that
    /// was over before it was looked at too: so wait for changes, and do not compare with what it was before.
    fn health(&self) -> watch::Receiver<Health>;
}

/// A bus, shared.
pub type SharedBus = Arc<dyn Bus>;
