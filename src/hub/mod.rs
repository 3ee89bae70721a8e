//! All organizations of this process: who has a session here, and what each of them is told.
//!
//! A room is one organization; its task decides, commits, and fans out. Everything that reads does so from the
//! room's newest snapshot, in the reader's own task, so that ten thousand who list at once never hold up a room.

mod joining;
mod keeper;
mod room;
mod rooms;

mod attendance;
mod commit;
mod fanout;
mod fault;
mod registry;

mod follow;
mod lease;

mod barrier;
mod listen;
mod peers;
mod pulse;
mod question;
mod report;

mod greeting;
mod missed;
mod place;
mod read;
mod refused;

mod cursor;
pub mod mint;
pub mod wire;

pub mod back_office;
mod seat;
pub mod send_queue;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rotunda_protocol::ask::{Ask, Told};
use rotunda_protocol::command::{Command, Outcome};
use rotunda_protocol::frame::Ref;
use rotunda_protocol::id::{OrganizationId, TeammateId};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;
use tokio::sync::oneshot;
use tokio::time::timeout;

pub use self::joining::{Joining, NotJoined};
use self::peers::Peers;
use self::pulse::Pulse;
use self::room::{Input, Pending, Room};
use self::rooms::Rooms;
pub use self::seat::Seat;
use crate::bus::SharedBus;
use crate::domain::event::Seq;
use crate::domain::node::NodeId;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::store::SharedStore;

/// How long a caller waits for a place in a busy room's mailbox.
const MAILBOX_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a node that starts waits for its first beat.
const FIRST_BEAT_TIME_MAX: Duration = Duration::from_secs(5);
/// How often an answer or a catch-up is made of a newer snapshot, because something has overtaken it.
const ANSWERS_MAX: u32 = 3;
/// How often a caller opens a room anew that was closed before it took the input.
const OPENINGS_MAX: u32 = 4;

/// What all rooms use.
pub struct Services {
    /// The database.
    pub store: SharedStore,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What is granted.
    pub limits: Limits,
    /// The other nodes; none if this one is alone with its database.
    peers: Option<Arc<Peers>>,
}

/// What a node needs to be one of several.
pub struct Cluster {
    /// Its name, which no other node ever had.
    pub node: NodeId,
    /// What nodes tell each other by.
    pub bus: SharedBus,
}

/// All rooms of this process. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    rooms: Rooms,
    services: Arc<Services>,
    /// Of a node among others, if this is one.
    pulse: Arc<Mutex<Option<Pulse>>>,
}

impl Hub {
    /// A hub that is alone with its store.
    pub fn new(store: SharedStore, metrics: Arc<Metrics>, limits: Limits) -> Self {
        Self::on(Services { store, metrics, limits, peers: None })
    }

    /// A hub that shares its store with others. Has to be called within a runtime, which carries its pulse.
    pub fn among(store: SharedStore, metrics: Arc<Metrics>, limits: Limits, cluster: Cluster) -> Self {
        let peers = Arc::new(Peers::new(cluster.node, cluster.bus));
        let hub = Self::on(Services { store, metrics, limits, peers: Some(Arc::clone(&peers)) });
        hub.pulse().replace(Pulse::start(hub.clone(), peers));
        hub
    }

    fn on(services: Services) -> Self {
        Self { rooms: Rooms::default(), services: Arc::new(services), pulse: Arc::default() }
    }

    /// Waits for the node's first beat: whoever comes before that is shown nothing yet. Not for ever, for without the
    /// database there is nothing to show, and those who come hear so.
    pub async fn begin(&self) {
        let Some(peers) = &self.services.peers else { return };
        let mut newest = peers.newest();
        if peers.lease.is_valid() {
            return;
        }
        if !matches!(timeout(FIRST_BEAT_TIME_MAX, newest.changed()).await, Ok(Ok(()))) {
            tracing::warn!("the database does not take the node's beats yet");
        }
    }

    /// Takes the node off the list of those that others wait for. Called when no session is left.
    pub async fn leave(&self) {
        let pulse = self.pulse().take();
        if let Some(pulse) = pulse {
            pulse.stop().await;
        }
    }

    fn pulse(&self) -> MutexGuard<'_, Option<Pulse>> {
        self.pulse.lock().expect("nothing panics while it holds this")
    }

    /// Does a command, once for each actor and `ref`, and returns when it is durable.
    pub async fn call(
        &self,
        organization: &OrganizationId,
        actor: Actor,
        r#ref: Ref,
        command: Command,
    ) -> Result<Outcome, Refusal> {
        let fingerprint = commit::fingerprint(&command);
        let began = std::time::Instant::now();
        for _ in 0..OPENINGS_MAX {
            let room = self.room(organization).await?;
            let (reply, result) = oneshot::channel();
            let pending = Pending {
                actor: actor.clone(),
                r#ref: r#ref.clone(),
                fingerprint,
                command: command.clone(),
                reply,
            };
            let sent = room.inputs.send_timeout(Input::Command(pending), MAILBOX_WAIT_MAX).await;
            let result = match sent {
                Ok(()) => result.await.ok(),
                Err(_) => None,
            };
            if let Some(result) = result {
                self.services.metrics.command_answered(result.as_ref().err(), began.elapsed());
                return match result {
                    Err(refusal) if refused::tells(&refusal) => {
                        let view = room.fresh_view()?;
                        Err(refused::as_of(&room, &view, &actor, &command, refusal).await)
                    }
                    result => result,
                };
            }
        }
        Err(Refusal::Unavailable)
    }

    /// Answers a question as the teammate may be told.
    pub async fn ask(
        &self,
        organization: &OrganizationId,
        teammate: &TeammateId,
        ask: Ask,
    ) -> Result<Told, Refusal> {
        for _ in 0..ANSWERS_MAX {
            let room = self.room(organization).await?;
            let view = room.fresh_view()?;
            let told = read::answer(&room, &view, teammate, &ask).await;
            match told {
                Err(Refusal::AccessChanged) => room.look().await,
                // What was read while somebody's access narrowed is read again, and what nobody kept up to date.
                Ok(_) if room.narrowed() > view.organization.seq() || room.has_ended() => {}
                told => return room.fresh_view().and(told),
            }
        }
        Err(Refusal::AccessChanged)
    }

    /// Waits until the organization, if it is in memory here, has been applied up to an event, and says how many
    /// sessions lost something by it; none if it is not in memory.
    async fn confirm(&self, organization: &OrganizationId, seq: Seq) -> Result<Option<u32>, Refusal> {
        let Some(room) = self.rooms.opened(organization).await else { return Ok(None) };
        match room.reach(seq).await {
            Some(reached) if reached.seq >= seq => Ok(Some(reached.sessions)),
            Some(_) | None => Err(Refusal::Unavailable),
        }
    }

    /// The room of an organization, opened if need be. One that does not exist has an empty room.
    async fn room(&self, organization: &OrganizationId) -> Result<Arc<Room>, Refusal> {
        self.rooms.open(organization, &self.services).await.map_err(|_logged| Refusal::Unavailable)
    }
}

#[cfg(test)]
impl Hub {
    /// Waits until the node may show something.
    async fn fresh(&self, organization: &OrganizationId) {
        while self.room(organization).await.is_ok_and(|room| !room.lease.is_valid()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until the node has applied the log up to an event.
    async fn level(&self, organization: &OrganizationId, seq: Seq) {
        let room = self.room(organization).await.expect("the store answers");
        while room.reach(seq).await.is_none_or(|reached| reached.seq < seq) {}
    }

    /// How many rooms are open.
    fn rooms(&self) -> usize {
        self.rooms.all().len()
    }

    /// Ends a room's task in the middle of its work, as a panic would.
    async fn break_room(&self, organization: &OrganizationId) {
        let room = self.room(organization).await.expect("the store answers");
        room.inputs.send(Input::Break).await.map_err(|_closed| ()).expect("the room is open");
        room.inputs.closed().await;
    }
}
