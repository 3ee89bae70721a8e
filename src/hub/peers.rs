//! The other nodes, as this one knows them: who has beaten lately, how to tell each something, and until when this
//! node itself is known to be up to date.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::time::Instant;

use super::lease::Lease;
use super::question::Questions;
use crate::bus::envelope::{self, Note};
use crate::bus::{SharedBus, Topic};
use crate::domain::node::NodeId;
use crate::store::nodes::Beat;
use crate::store::{SharedStore, StoreError};

/// The other nodes, and this one among them.
pub(super) struct Peers {
    /// This node.
    pub node: NodeId,
    /// What nodes tell each other by.
    pub bus: SharedBus,
    /// The lease of rooms that open from now on.
    pub lease: Lease,
    /// What this node has asked the others.
    pub questions: Questions,
    /// The number of this node's newest beat.
    pub beaten: AtomicU64,
    /// The newest of its beats after which it has applied all that it was told.
    pub applied: AtomicU64,
    /// The newest number of each node, and when this node first saw it.
    since: Mutex<HashMap<NodeId, (u64, Instant)>>,
    newest: watch::Sender<List>,
    reading: tokio::sync::Mutex<()>,
    /// Numbers reports.
    number: AtomicU64,
}

/// The list of nodes as it was read once.
#[derive(Debug, Clone)]
pub(super) struct List {
    /// Before it was read.
    pub asked: Instant,
    /// Who is on it, this node too.
    pub nodes: Arc<Vec<Seen>>,
}

/// A node on the list.
#[derive(Debug)]
pub(super) struct Seen {
    /// Its newest beat.
    pub beat: Beat,
    /// Since when that has been known here. Whatever lease it has by that beat was asked for before.
    pub since: Instant,
}

impl Peers {
    /// A node that knows of no other yet.
    pub(super) fn new(node: NodeId, bus: SharedBus) -> Self {
        Self {
            node,
            bus,
            lease: Lease::none_yet(),
            questions: Questions::default(),
            beaten: AtomicU64::new(0),
            applied: AtomicU64::new(0),
            since: Mutex::default(),
            newest: watch::Sender::new(List { asked: Instant::now(), nodes: Arc::default() }),
            reading: tokio::sync::Mutex::default(),
            number: AtomicU64::new(1),
        }
    }

    /// Reads the list of nodes.
    pub(super) async fn read(&self, store: &SharedStore) -> Result<List, StoreError> {
        let asked = Instant::now();
        let beats = store.nodes().await?;
        let now = Instant::now();
        let mut since = self.since.lock().expect("nothing panics while it holds this");
        since.retain(|node, _| beats.iter().any(|beat| beat.node == *node));
        let seen = |beat: Beat| {
            let known = since.get(&beat.node).filter(|(number, _)| *number == beat.number);
            let known_since = known.map_or(now, |(_, since)| *since);
            since.insert(beat.node.clone(), (beat.number, known_since));
            Seen { beat, since: known_since }
        };
        Ok(List { asked, nodes: Arc::new(beats.into_iter().map(seen).collect()) })
    }

    /// A list that was read after something happened: one read serves all that wait for it.
    pub(super) async fn read_after(&self, then: Instant, store: &SharedStore) -> Result<List, StoreError> {
        let _one_at_a_time = self.reading.lock().await;
        let newest = self.newest.borrow().clone();
        if newest.asked > then {
            return Ok(newest);
        }
        let list = self.read(store).await?;
        self.show(list.clone());
        Ok(list)
    }

    /// Lets everybody here see a list that was read.
    pub(super) fn show(&self, list: List) {
        self.newest.send_if_modified(|newest| {
            let newer = list.asked > newest.asked;
            if newer {
                *newest = list;
            }
            newer
        });
    }

    /// The newest list that was shown, as it changes.
    pub(super) fn newest(&self) -> watch::Receiver<List> {
        self.newest.subscribe()
    }

    /// Tells one node something.
    pub(super) fn tell(&self, to: &NodeId, note: &Note) {
        self.bus.publish(&Topic::Node(to.clone()), envelope::encode(&self.node, note));
    }

    /// Higher than any that was given before.
    pub(super) fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }
}
