//! The barrier of a revocation. Whoever changes who may see something is answered when every node that has the
//! organization in memory has applied it, or may show nothing any more because its lease has run out.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rotunda_protocol::command::{Command, Done, Outcome, Revoked};
use rotunda_protocol::id::OrganizationId;
use tokio::time::Instant;

use super::Services;
use super::keeper::Keeper;
use super::lease::LEASE;
use super::peers::{Confirmed, Peers};
use super::room::Pending;
use crate::bus::envelope::Note;
use crate::domain::event::Seq;
use crate::domain::node::NodeId;

/// How often nodes that have not answered are asked again, and looked for in the store.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// By how much two machines may measure a lease's time differently.
const MARGIN: Duration = Duration::from_millis(250);
/// A node that has beaten so often since has applied what was durable before: the first of these beats may have begun
/// before, and the second says that what the first was answered with has been applied.
const BEATS: u64 = 2;

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

/// A node that has yet to answer.
struct Awaited {
    /// The number of its newest beat when it was first asked.
    number: u64,
    /// When whatever lease it had then has run out.
    lapses: Instant,
}

impl Keeper {
    /// Answers a command that took something from somebody, when that is so everywhere. A `repeated` one is not told
    /// what it took, for it was its first call that did it.
    pub(super) fn answer_when_enforced(&self, pending: Pending, done: Done, loss: Loss, repeated: bool) {
        let services = Arc::clone(&self.room.services);
        tokio::spawn(async move {
            let revoked = enforce(&services, &loss).await;
            let revoked = (!repeated).then_some(revoked);
            pending.answer(Ok(Outcome { done, revoked }));
        });
    }
}

/// Waits until a loss is enforced on every node.
async fn enforce(services: &Services, loss: &Loss) -> Revoked {
    let mut revoked = Revoked { nodes: 1, lapsed: 0, sessions: loss.sessions, took_ms: 0 };
    if let Some(peers) = &services.peers {
        match awaited(services, peers, loss).await {
            Some(awaited) => wait(services, peers, loss, awaited, &mut revoked).await,
            // Who there is cannot be known. Whoever there is has applied it by then, or shows nothing.
            None => tokio::time::sleep_until(loss.durable + LEASE + MARGIN).await,
        }
    }
    let took = loss.durable.elapsed();
    revoked.took_ms = u32::try_from(took.as_millis()).unwrap_or(u32::MAX);
    services.metrics.revoked(took, revoked.lapsed);
    revoked
}

/// The other nodes, by a list that was read after the loss became durable: who is not on it by then has yet to ask
/// how far the log is.
async fn awaited(services: &Services, peers: &Peers, loss: &Loss) -> Option<HashMap<NodeId, Awaited>> {
    while loss.durable.elapsed() < LEASE {
        match tokio::time::timeout(LEASE, services.store.nodes()).await {
            Ok(Ok(nodes)) => {
                let others = peers.see(nodes).into_iter().filter(|(node, ..)| *node != peers.node);
                let awaited =
                    |(node, number, since)| (node, Awaited { number, lapses: since + LEASE + MARGIN });
                return Some(others.map(awaited).collect());
            }
            Ok(Err(_)) | Err(_) => tokio::time::sleep(ASK_AGAIN).await,
        }
    }
    None
}

async fn wait(
    services: &Services,
    peers: &Peers,
    loss: &Loss,
    mut awaited: HashMap<NodeId, Awaited>,
    revoked: &mut Revoked,
) {
    let mut question = peers.ask();
    loop {
        lapse(&mut awaited, revoked);
        for node in awaited.keys() {
            let (organization, seq) = (loss.organization.clone(), loss.seq);
            let note = Note::Confirm { question: question.number, organization, seq };
            peers.tell(node, &note);
        }
        let again = Instant::now() + ASK_AGAIN;
        while !awaited.is_empty()
            && let Ok(Some(confirmed)) = tokio::time::timeout_at(again, question.answers.recv()).await
        {
            count(&mut awaited, confirmed, revoked);
        }
        if awaited.is_empty() {
            return;
        }
        look(services, &mut awaited, revoked).await;
    }
}

/// Nodes that may show nothing any more need not answer.
fn lapse(awaited: &mut HashMap<NodeId, Awaited>, revoked: &mut Revoked) {
    let (now, before) = (Instant::now(), awaited.len());
    awaited.retain(|_, node| now < node.lapses);
    revoked.lapsed += u32::try_from(before - awaited.len()).unwrap_or(u32::MAX);
}

fn count(awaited: &mut HashMap<NodeId, Awaited>, (node, sessions): Confirmed, revoked: &mut Revoked) {
    if awaited.remove(&node).is_some() {
        revoked.nodes += u32::from(sessions.is_some());
        revoked.sessions += sessions.unwrap_or_default();
    }
}

/// A node that cannot be heard is seen to go on by its beats.
async fn look(services: &Services, awaited: &mut HashMap<NodeId, Awaited>, revoked: &mut Revoked) {
    let Ok(Ok(nodes)) = tokio::time::timeout(ASK_AGAIN, services.store.nodes()).await else { return };
    for (node, number) in nodes {
        if awaited.get(&node).is_some_and(|then| number >= then.number + BEATS) {
            count(awaited, (node, Some(0)), revoked);
        }
    }
}

/// Whether a command can let anybody see less.
pub(super) fn can_narrow(command: &Command) -> bool {
    match command {
        Command::Leave { .. }
        | Command::RemoveMembers { .. }
        | Command::Suspend { .. }
        | Command::Remove { .. }
        | Command::SetRole { .. }
        | Command::UpdateTeam { .. }
        | Command::DeleteTeam { .. }
        | Command::UpdateEndpoint { .. } => true,
        Command::Start { .. }
        | Command::StartTeam { .. }
        | Command::Claim { .. }
        | Command::Assign { .. }
        | Command::Archive { .. }
        | Command::Unarchive { .. }
        | Command::Update { .. }
        | Command::AddTag { .. }
        | Command::RemoveTag { .. }
        | Command::AddMembers { .. }
        | Command::Send { .. }
        | Command::PostNote { .. }
        | Command::MarkRead { .. }
        | Command::SetStar { .. }
        | Command::Invite(_)
        | Command::Activate { .. }
        | Command::Restore { .. }
        | Command::CreateTeam(_)
        | Command::CreateEndpoint(_)
        | Command::SetOrganization { .. }
        | Command::Provision(_)
        | Command::Receive(_) => false,
    }
}
