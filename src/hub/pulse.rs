//! The node's pulse: it beats in the store, is told in one query how far all its organizations are, has each room
//! apply what it lacks, and with that extends each room's lease. While the bus is deaf this is how news arrive.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use rotunda_protocol::id::OrganizationId;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Hub;
use super::lease::Moment;
use super::listen::listen;
use super::peers::{List, Peers};
use super::room::Room;
use crate::bus::Health;
use crate::domain::event::Seq;
use crate::store::StoreError;
use crate::store::nodes::Beat;

/// How often a node beats while news arrive by the bus. Lost ones are found after this.
const BEAT_EVERY: Duration = Duration::from_millis(500);
/// The same while they do not: delivery goes on well within a second.
const BEAT_EVERY_DEAF: Duration = Duration::from_millis(200);
/// How long the database may take for a beat: a lease outlasts two of them.
const BEAT_TIME_MAX: Duration = Duration::from_secs(2);
/// How long rooms may take to apply what they lack. Beats go on meanwhile; those that took longer confirm nothing.
const CATCH_UP_TIME_MAX: Duration = Duration::from_secs(10);
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
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            // Without a pulse the node would show nothing for ever.
            while let Err(error) = tokio::spawn(run(hub.clone(), Arc::clone(&peers), stopped.clone())).await {
                tracing::error!(%error, "the node's pulse has failed, and begins anew");
                sleep(BEAT_EVERY).await;
            }
        });
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
    let heart = Heart {
        hub: hub.clone(),
        peers: Arc::clone(&peers),
        failing: AtomicBool::new(false),
        forgetting: Arc::new(Semaphore::new(1)),
    };
    tokio::select! {
        () = stop.cancelled() => {}
        _ = async { tokio::join!(heart.beat_on(), look_on(&hub), listen(&hub, &peers)) } => {}
    }
    let gone = hub.services.store.forget(&peers.node, peers.beaten.load(Ordering::Relaxed));
    if !matches!(timeout(BEAT_TIME_MAX, gone).await, Ok(Ok(()))) {
        tracing::warn!("the database still lists this node; others will forget it");
    }
}

struct Heart {
    hub: Hub,
    peers: Arc<Peers>,
    /// The last beat failed, and it was told.
    failing: AtomicBool,
    /// Nodes are forgotten by one task at a time.
    forgetting: Arc<Semaphore>,
}

impl Heart {
    async fn beat_on(&self) {
        let mut health = self.peers.bus.health();
        loop {
            match timeout(BEAT_TIME_MAX, self.beat()).await {
                Ok(Ok(())) => self.tell(None),
                Ok(Err(error)) => self.tell(Some(&error.to_string())),
                Err(_elapsed) => self.tell(Some("it took too long")),
            }
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

    async fn beat(&self) -> Result<(), StoreError> {
        let (store, asked) = (&self.hub.services.store, Moment::now());
        let number = self.peers.beaten.fetch_add(1, Ordering::Relaxed) + 1;
        let applied = self.peers.applied.load(Ordering::Relaxed);
        store.beat(Beat { node: self.peers.node.clone(), number, applied }).await?;
        // After the beat, so that a room is on this list, or has been read since whoever waits for the beat began to.
        let rooms: Vec<_> = self.hub.rooms.all().into_iter().map(Asked::now).collect();
        let organizations: Vec<_> = rooms.iter().map(|asked| asked.organization.clone()).collect();
        let heads = store.heads(&organizations).await?;
        self.peers.lease.extend(asked);
        self.catch_up(number, asked, rooms, &heads.into_iter().collect());
        // Only now: without the list, what is known is as fresh.
        let list = self.peers.read(store).await?;
        self.hub.services.metrics.saw_nodes(list.nodes.len());
        self.forget(&list);
        self.peers.show(list);
        Ok(())
    }

    /// Has each room come as far as the log was. Those that are there already cost nothing; the others take their own
    /// time.
    fn catch_up(&self, number: u64, asked: Moment, rooms: Vec<Asked>, heads: &HashMap<OrganizationId, Seq>) {
        let mut behind = Vec::new();
        for Asked { organization, room, applied } in rooms {
            // An organization that is not there yet has no events.
            let head = heads.get(&organization).copied().unwrap_or_default();
            match room {
                Some(room) if head < applied => {
                    room.lose();
                    behind.push(
                        async move {
                            room.inputs.closed().await;
                            true
                        }
                        .boxed(),
                    );
                }
                Some(room) if head <= room.applied() => room.confirm(asked),
                Some(_) | None => behind.push(bring(self.hub.clone(), organization, head, asked).boxed()),
            }
        }
        if behind.is_empty() {
            self.peers.applied.fetch_max(number, Ordering::Relaxed);
            return;
        }
        let peers = Arc::clone(&self.peers);
        tokio::spawn(async move {
            let all = timeout(CATCH_UP_TIME_MAX, join_all(behind)).await;
            if all.is_ok_and(|brought| brought.into_iter().all(|brought| brought)) {
                peers.applied.fetch_max(number, Ordering::Relaxed);
            }
        });
    }

    /// Nodes that ended without a word.
    fn forget(&self, list: &List) {
        let others = list.nodes.iter().filter(|seen| seen.beat.node != self.peers.node);
        let gone: Vec<_> =
            others.filter(|seen| seen.since.elapsed() > FORGET_AFTER).map(|seen| seen.beat.clone()).collect();
        let Ok(turn) = Arc::clone(&self.forgetting).try_acquire_owned() else { return };
        if gone.is_empty() {
            return;
        }
        let store = self.hub.services.store.clone();
        tokio::spawn(async move {
            let _turn = turn;
            for Beat { node, number, .. } in gone {
                if let Err(error) = store.forget(&node, number).await {
                    return tracing::debug!(%error, %node, "a node cannot be forgotten yet");
                }
                tracing::info!(%node, "a node has not beaten for a minute and is not listed any more");
            }
        });
    }

    /// Once when beats begin to fail, and once when they are taken again.
    fn tell(&self, failure: Option<&str>) {
        let failing = failure.is_some();
        if let Some(why) = failure {
            self.hub.services.metrics.store_failed();
            if !self.failing.load(Ordering::Relaxed) {
                tracing::warn!(why, "the database does not take the node's beats: soon it can show nothing");
            }
        } else if self.failing.load(Ordering::Relaxed) {
            tracing::info!("the database takes the node's beats again");
        }
        self.failing.store(failing, Ordering::Relaxed);
    }
}

/// A room, and how far it was when the node asked.
struct Asked {
    organization: OrganizationId,
    room: Option<Arc<Room>>,
    applied: Seq,
}

impl Asked {
    fn now((organization, room): (OrganizationId, Option<Arc<Room>>)) -> Self {
        let applied = room.as_ref().map(|room| room.applied()).unwrap_or_default();
        Self { organization, room, applied }
    }
}

/// Has a room come as far as the log was; then what it knows is fresh. True too if there is none any more.
async fn bring(hub: Hub, organization: OrganizationId, head: Seq, asked: Moment) -> bool {
    // It may be opening, with what was read before this beat.
    let Some(room) = hub.rooms.opened(&organization).await else { return true };
    match room.reach(head).await {
        Some(reached) if reached.seq >= head => {
            room.confirm(asked);
            true
        }
        Some(_) | None if room.has_ended() => {
            hub.rooms.forget(&room);
            true
        }
        Some(_) | None => false,
    }
}

/// Rooms whose lease has run out say so to their sessions.
async fn look_on(hub: &Hub) {
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        hub.rooms.all().into_iter().filter_map(|(_, room)| room).for_each(|room| room.look_at_lease());
    }
}
