//! The other nodes, as this one knows them: who has beaten lately, how to tell each something, and until when this
//! node itself is known to be up to date.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use dashmap::DashMap;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Hub;
use super::lease::Lease;
use crate::bus::envelope::{self, Note};
use crate::bus::{SharedBus, Subscription, Topic};
use crate::domain::node::NodeId;

/// Notes from other nodes that wait to be looked at. One that does not fit is asked again.
const NOTES_MAX: usize = 1_024;
/// Confirmations that wait for one who asked.
const CONFIRMED_MAX: usize = 256;

/// A node that said how many sessions lost something; none if it does not have the organization in memory.
pub(super) type Confirmed = (NodeId, Option<u32>);

/// The other nodes, and this one among them.
pub(super) struct Peers {
    /// This node.
    pub node: NodeId,
    /// What nodes tell each other by.
    pub bus: SharedBus,
    /// The lease of rooms that open from now on.
    pub lease: Lease,
    /// The newest number of each node, and when this node first saw it.
    seen: Mutex<HashMap<NodeId, (u64, Instant)>>,
    questions: DashMap<u64, mpsc::Sender<Confirmed>>,
    /// Numbers questions and reports.
    number: AtomicU64,
}

/// A question to other nodes, which is over when this is dropped.
pub(super) struct Question<'a> {
    peers: &'a Peers,
    /// Its number.
    pub number: u64,
    /// What they answer.
    pub answers: mpsc::Receiver<Confirmed>,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.peers.questions.remove(&self.number);
    }
}

impl Peers {
    /// A node that knows of no other yet.
    pub(super) fn new(node: NodeId, bus: SharedBus) -> Self {
        Self {
            node,
            bus,
            lease: Lease::none_yet(),
            seen: Mutex::default(),
            questions: DashMap::new(),
            number: AtomicU64::new(1),
        }
    }

    /// Who has beaten, by the store's word of just now. Returns since when each has been seen with its number:
    /// whatever lease it has by that beat began before.
    pub(super) fn see(&self, nodes: Vec<(NodeId, u64)>) -> Vec<(NodeId, u64, Instant)> {
        let (mut seen, now) = (self.seen(), Instant::now());
        seen.retain(|node, _| nodes.iter().any(|(other, _)| other == node));
        let since = |(node, number): (NodeId, u64)| {
            let known = seen.get(&node).filter(|(before, _)| *before == number);
            let since = known.map_or(now, |(_, since)| *since);
            seen.insert(node.clone(), (number, since));
            (node, number, since)
        };
        nodes.into_iter().map(since).collect()
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<NodeId, (u64, Instant)>> {
        self.seen.lock().expect("nothing panics while it holds this")
    }

    /// Higher than any that was given before.
    pub(super) fn next_number(&self) -> u64 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// Begins a question.
    pub(super) fn ask(&self) -> Question<'_> {
        let number = self.next_number();
        let (answer, answers) = mpsc::channel(CONFIRMED_MAX);
        self.questions.insert(number, answer);
        Question { peers: self, number, answers }
    }

    /// Tells one node something.
    pub(super) fn tell(&self, to: &NodeId, note: &Note) {
        self.bus.publish(&Topic::Node(to.clone()), envelope::encode(&self.node, note));
    }

    fn confirmed(&self, question: u64, confirmed: Confirmed) {
        if let Some(asked) = self.questions.get(&question) {
            // With so many answers waiting, another one changes nothing: it is asked again.
            drop(asked.try_send(confirmed));
        }
    }
}

/// Listens to what other nodes tell this one, for as long as the hub lives.
pub(super) async fn listen(hub: &Hub, peers: &Arc<Peers>) {
    let (heard, mut notes) = mpsc::channel(NOTES_MAX);
    let ear = Arc::new(move |bytes| drop(heard.try_send(bytes)));
    let _subscription: Subscription = peers.bus.subscribe(Topic::Node(peers.node.clone()), ear).await;
    while let Some(bytes) = notes.recv().await {
        match envelope::decode::<Note>(&bytes) {
            Ok((from, Note::Confirm { question, organization, seq })) => {
                let (hub, peers) = (hub.clone(), Arc::clone(peers));
                tokio::spawn(async move {
                    if let Ok(sessions) = hub.confirm(&organization, seq).await {
                        peers.tell(&from, &Note::Confirmed { question, sessions });
                    }
                });
            }
            Ok((by, Note::Confirmed { question, sessions })) => peers.confirmed(question, (by, sessions)),
            Err(error) => tracing::debug!(%error, "a note from another node cannot be read"),
        }
    }
}
