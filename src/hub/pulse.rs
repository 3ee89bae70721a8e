//! The node's pulse: it beats in the store, is told in one query how far all its organizations are, has each room
//! apply what it lacks, and with that extends each room's lease. While the bus is deaf this is how news arrive.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use rotunda_protocol::id::OrganizationId;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Hub;
use super::peers::{self, Peers};
use crate::bus::Health;
use crate::domain::event::Seq;
use crate::domain::node::NodeId;
use crate::store::nodes::Beat;

/// How often a node beats while news arrive by the bus. Lost ones are found after this.
const BEAT_EVERY: Duration = Duration::from_millis(500);
/// The same while they do not: delivery goes on well within a second.
const BEAT_EVERY_DEAF: Duration = Duration::from_millis(200);
/// How long a beat, and then the rooms, may take; a lease outlasts both.
const BEAT_TIME_MAX: Duration = Duration::from_secs(2);
/// How often rooms are looked at whose lease may have run out.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A node that has not beaten for this long is forgotten; any lease of its has run out long before.
const FORGET_AFTER: Duration = Duration::from_mins(1);

/// The pulse of a node among others, until it is stopped.
pub(super) struct Pulse {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Pulse {
    /// Starts beating, and listening to what other nodes tell this one.
    pub(super) fn start(hub: Hub, peers: Arc<Peers>) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(hub, peers, stop.clone()));
        Self { stop, task }
    }

    /// Stops, and takes the node off the list.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the node's pulse has failed");
        }
    }
}

async fn run(hub: Hub, peers: Arc<Peers>, stop: CancellationToken) {
    let mut heart = Heart { hub: hub.clone(), peers: Arc::clone(&peers), number: 0, confirmed: true };
    tokio::select! {
        () = stop.cancelled() => {}
        () = heart.beat_on() => {}
        () = look_on(&hub) => {}
        () = peers::listen(&hub, &peers) => {}
    }
    let gone = hub.services.store.forget(&peers.node, heart.number);
    if !matches!(timeout(BEAT_TIME_MAX, gone).await, Ok(Ok(()))) {
        tracing::warn!("the database still lists this node; others will forget it");
    }
}

struct Heart {
    hub: Hub,
    peers: Arc<Peers>,
    /// The number of the newest beat.
    number: u64,
    /// Everything that the newest beat was answered with has been applied.
    confirmed: bool,
}

impl Heart {
    async fn beat_on(&mut self) {
        let mut health = self.peers.bus.health();
        loop {
            self.beat().await;
            let every = match *health.borrow_and_update() {
                Health::Delivering => BEAT_EVERY,
                Health::Deaf => BEAT_EVERY_DEAF,
            };
            tokio::select! {
                () = sleep(every) => {}
                // Whatever was said just before is looked up at once.
                Ok(()) = health.changed() => {}
            }
        }
    }

    async fn beat(&mut self) {
        let rooms = self.hub.rooms.all();
        let number = self.number + u64::from(self.confirmed);
        let organizations = rooms.iter().map(|(organization, _)| organization.clone()).collect();
        let beat = Beat { node: self.peers.node.clone(), number, organizations };
        let asked = Instant::now();
        // The beat may be noted although its answer was lost: its number stands for nothing that was applied.
        (self.number, self.confirmed) = (number, false);
        let round = match timeout(BEAT_TIME_MAX, self.hub.services.store.beat(beat)).await {
            Ok(Ok(round)) => round,
            Ok(Err(error)) => return self.failed(&error.to_string()),
            Err(_) => return self.failed("it took too long"),
        };
        self.peers.lease.extend(asked);
        let nodes = self.peers.see(round.nodes);
        self.hub.services.metrics.saw_nodes(nodes.len());
        let heads: HashMap<_, _> = round.heads.into_iter().collect();
        let mut behind = Vec::new();
        for (organization, room) in rooms {
            // An organization that is not there yet has no events.
            let head = heads.get(&organization).copied().unwrap_or_default();
            match room.filter(|room| room.view().organization.seq() >= head) {
                Some(room) => room.confirm(asked),
                None => behind.push(self.bring(organization, head, asked)),
            }
        }
        self.confirmed = join_all(behind).await.into_iter().all(|reached| reached);
        self.forget(nodes).await;
    }

    fn failed(&self, why: &str) {
        tracing::warn!(why, "the database did not take the node's beat");
        self.hub.services.metrics.store_failed();
    }

    /// Has a room come as far as the log was; then what it knows is fresh. True too if it has closed meanwhile.
    async fn bring(&self, organization: OrganizationId, head: Seq, asked: Instant) -> bool {
        let reached = timeout(BEAT_TIME_MAX, async {
            // It may be opening, with what was read before this beat.
            let room = self.hub.room(&organization).await.ok()?;
            room.reach(head).await.map(|_| room)
        });
        match reached.await {
            Ok(Some(room)) => {
                room.confirm(asked);
                true
            }
            Ok(None) | Err(_) => !self.hub.rooms.has(&organization),
        }
    }

    /// Nodes that ended without a word.
    async fn forget(&self, nodes: Vec<(NodeId, u64, Instant)>) {
        for (node, number, _) in nodes.into_iter().filter(|(.., since)| since.elapsed() > FORGET_AFTER) {
            tracing::info!(%node, "a node has not beaten for a minute and is forgotten");
            if let Err(error) = self.hub.services.store.forget(&node, number).await {
                tracing::warn!(%error, %node, "a node cannot be forgotten yet");
            }
        }
    }
}

/// Rooms whose lease has run out say so to their sessions.
async fn look_on(hub: &Hub) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        for (_, room) in hub.rooms.all() {
            if let Some(room) = room {
                room.look_at_lease();
            }
        }
    }
}
