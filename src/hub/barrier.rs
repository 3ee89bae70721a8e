//! The barrier of a revocation. Whoever changes who may see something is answered when every node that has the
//! organization in memory has applied it, or may show nothing any more because its lease has run out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rotunda_protocol::command::{Done, Outcome, Revoked};
use rotunda_protocol::id::OrganizationId;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::Services;
use super::keeper::Keeper;
use super::lease::LEASE;
use super::peers::{List, Peers};
use super::question::Confirmed;
use super::room::Pending;
use crate::bus::envelope::Note;
use crate::domain::event::Seq;
use crate::domain::node::NodeId;

/// How often nodes that have not answered are asked again.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// By how much two machines may measure a lease's time differently.
const MARGIN: Duration = Duration::from_millis(250);

/// A loss of access that has become durable.
pub(super) struct Loss {
    /// In which organization.
    pub organization: OrganizationId,
    /// By which event.
    pub seq: Seq,
    /// Since when.
    pub durable: Instant,
    /// How many sessions on this node lost something.
    pub sessions: u32,
}

/// The other nodes that have yet to answer.
type Awaited = HashMap<NodeId, Awaiting>;

/// A node that has yet to answer.
struct Awaiting {
    /// The number of its newest beat, by a list that was read after the loss became durable.
    number: u64,
    /// When whatever lease it had by that beat has run out.
    lapses: Instant,
}

impl Keeper {
    /// Answers a command that took something from somebody, or that finds it taken, when that is so everywhere. Unless
    /// it `tells`, the answer does not say what it took.
    pub(super) fn answer_when_enforced(&self, pending: Pending, done: Done, loss: Loss, tells: bool) {
        let services = Arc::clone(&self.room.services);
        tokio::spawn(async move {
            let revoked = enforce(&services, &loss).await;
            pending.answer(Ok(Outcome { done, revoked: tells.then_some(revoked) }));
        });
    }
}

/// Waits until a loss is enforced on every node.
async fn enforce(services: &Services, loss: &Loss) -> Revoked {
    let mut revoked = Revoked { nodes: 1, lapsed: 0, sessions: loss.sessions, took_ms: 0 };
    if let Some(peers) = &services.peers {
        match read(services, peers, loss).await {
            Some(list) => wait(peers, loss, list, &mut revoked).await,
            // Who there is cannot be known. Whoever there is has applied it by then, or shows nothing.
            None => sleep_until(loss.durable + LEASE + MARGIN).await,
        }
    }
    let took = loss.durable.elapsed();
    revoked.took_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
    services.metrics.revoked(took, revoked.lapsed);
    revoked
}

/// The list of nodes, read after the loss became durable: what a node that is not on it asks, it asks later.
async fn read(services: &Services, peers: &Peers, loss: &Loss) -> Option<List> {
    let until = loss.durable + LEASE;
    while Instant::now() < until {
        match timeout_at(until, peers.read_after(loss.durable, &services.store)).await {
            Ok(Ok(list)) => return Some(list),
            Ok(Err(_)) | Err(_) => sleep(ASK_AGAIN).await,
        }
    }
    None
}

async fn wait(peers: &Peers, loss: &Loss, list: List, revoked: &mut Revoked) {
    let others = list.nodes.iter().filter(|seen| seen.beat.node != peers.node);
    let awaiting = others.map(|seen| {
        // By that beat, or by one that was asked for before the loss.
        let lapses = seen.since.min(loss.durable) + LEASE + MARGIN;
        (seen.beat.node.clone(), Awaiting { number: seen.beat.number, lapses })
    });
    let mut awaited: Awaited = awaiting.collect();
    let (mut question, mut newest) = (peers.questions.ask(), peers.newest());
    loop {
        lapse(&mut awaited, revoked);
        ask(peers, loss, question.number, &awaited);
        let again = Instant::now() + ASK_AGAIN;
        loop {
            if awaited.is_empty() {
                return;
            }
            tokio::select! {
                Some(confirmed) = question.answers.recv() => count(&mut awaited, &confirmed, revoked),
                Ok(()) = newest.changed() => look(&newest.borrow_and_update(), list.asked, &mut awaited, revoked),
                () = sleep_until(again) => break,
            }
        }
    }
}

/// Nodes that may show nothing any more need not answer.
fn lapse(awaited: &mut Awaited, revoked: &mut Revoked) {
    let (now, before) = (Instant::now(), awaited.len());
    awaited.retain(|_, node| now < node.lapses);
    revoked.lapsed += u32::try_from(before - awaited.len()).unwrap_or(u32::MAX);
}

fn ask(peers: &Peers, loss: &Loss, question: u64, awaited: &Awaited) {
    for node in awaited.keys() {
        peers.tell(node, &Note::Confirm { question, organization: loss.organization.clone(), seq: loss.seq });
    }
}

fn count(awaited: &mut Awaited, confirmed: &Confirmed, revoked: &mut Revoked) {
    if awaited.remove(&confirmed.by).is_some() {
        revoked.nodes += u32::from(confirmed.sessions.is_some());
        revoked.sessions += confirmed.sessions.unwrap_or_default();
    }
}

/// A node that cannot be heard is seen to go on by its beats. Only a list that was read after the first one counts.
fn look(list: &List, first: Instant, awaited: &mut Awaited, revoked: &mut Revoked) {
    if list.asked <= first {
        return;
    }
    let applied: HashMap<_, _> = list.nodes.iter().map(|seen| (&seen.beat.node, seen.beat.applied)).collect();
    awaited.retain(|node, awaiting| match applied.get(node) {
        // It has gone, with its sessions.
        None => false,
        // What it asked after a later beat had the loss in it.
        Some(applied) if *applied > awaiting.number => {
            revoked.nodes += 1;
            false
        }
        Some(_) => true,
    });
}
