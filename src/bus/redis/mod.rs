//! Redis between nodes: a single server, or a Redis Cluster by its sharded channels.
//!
//! The bus is well when this node hears itself on every server and all it wants to hear is held there. The moment that
//! is in doubt it is deaf, every connection is dropped, and all is made anew until it is well again: there is one way
//! back from everything. What waits to be published waits for that, within limits.
//!
//! Needs Redis 6; a cluster needs Redis 7.

mod address;
mod ears;
mod fault;
mod link;
mod map;
mod names;
mod outbox;
mod session;
mod supervisor;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::address::Address;
use self::ears::Ears;
use self::names::Names;
use self::outbox::{Outbox, Outgoing};
use super::{Bus, Ear, Health, Subscription, Topic};
use crate::domain::node::NodeId;
use crate::metrics::Metrics;

pub use self::address::BusError;

/// How long what waits may still take to be published when the bus is closed.
const CLOSE_MAX: Duration = Duration::from_millis(500);

/// Redis, as what this node hears others by. Ends when it is dropped.
pub struct RedisBus {
    shared: Arc<Shared>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
    _stop_when_dropped: DropGuard,
}

/// What outlives every connection.
struct Shared {
    address: Address,
    node: NodeId,
    names: Names,
    ears: Arc<Ears>,
    outbox: Outbox,
    metrics: Arc<Metrics>,
}

impl RedisBus {
    /// Connects a node by a URL, in the background and for as long as it takes: it begins deaf. `authority` is a file
    /// with certificates in PEM; with it they alone are trusted. Fails when the URL cannot be one, or the file.
    pub fn connect(
        url: &str,
        authority: Option<&Path>,
        node: NodeId,
        metrics: Arc<Metrics>,
    ) -> Result<Self, BusError> {
        let address = Address::read(url, authority)?;
        let names = Names::new(address.number);
        let outbox = Outbox::default();
        let shared = Arc::new(Shared { address, node, names, ears: Arc::new(Ears::new()), outbox, metrics });
        let stop = CancellationToken::new();
        let task = tokio::spawn(supervisor::run(Arc::clone(&shared), stop.clone()));
        Ok(Self { shared, task: Mutex::new(Some(task)), _stop_when_dropped: stop.clone().drop_guard(), stop })
    }

    /// Publishes what waits, if it can be done soon, and ends. Deaf from then on.
    pub async fn close(&self) {
        let emptied = timeout(CLOSE_MAX, self.shared.outbox.until_empty()).await;
        if emptied.is_err() {
            tracing::warn!("not everything that other nodes were to hear could be told");
        }
        self.stop.cancel();
        let task = self.task.lock().expect("nothing panics while it holds this").take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the bus's supervisor has failed");
        }
    }
}

#[async_trait]
impl Bus for RedisBus {
    fn publish(&self, topic: &Topic, message: Bytes) {
        let dropped =
            self.shared.outbox.push(Outgoing { channel: self.shared.names.channel(topic), message });
        self.shared.metrics.bus_dropped(dropped);
    }

    async fn subscribe(&self, topic: Topic, ear: Ear) -> Subscription {
        let channel = self.shared.names.channel(&topic);
        let number = self.shared.ears.listen(&channel, ear);
        let (ears, ended) = (Arc::clone(&self.shared.ears), channel.clone());
        // Made first, so that it ends too when nobody waits for it any more.
        let subscription = Subscription::ending(move || ears.end(&ended, number));
        self.shared.ears.until_held(&channel).await;
        subscription
    }

    fn health(&self) -> watch::Receiver<Health> {
        self.shared.ears.health()
    }
}

impl Shared {
    fn tell_delivering(&self) {
        self.metrics.bus_delivering(true);
        tracing::info!("the bus delivers");
    }
}
