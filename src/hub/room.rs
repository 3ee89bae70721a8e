//! A room: one organization on this node, as others see it. They send it inputs and read its snapshots; the
//! state itself belongs to the room's own task (`keeper`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use bytes::Bytes;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Outcome};
use rotunda_protocol::frame::{Ref, Signal};
use rotunda_protocol::id::{ConversationId, OrganizationId, SessionId, TeammateId};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::push::ConversationPresence;
use rotunda_protocol::refusal::Refusal;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::Services;
use super::cursor::Cursors;
use super::follow::{Reach, Reached};
use super::joining::{Joined, NotJoined};
use super::keeper::Keeper;
use super::lease::{Lease, Moment, SharedLease};
use super::peers::Peers;
use super::registry::Key;
use super::rooms::Rooms;
use super::send_queue::SendQueue;
use crate::bus::{Ear, Subscription, Topic, envelope};
use crate::domain::event::Seq;
use crate::domain::organization::Organization;
use crate::domain::presence::Presence;
use crate::domain::unheld::Unheld;
use crate::store::{Image, StoreError};

/// Inputs that wait for a room. A room that is this far behind asks its callers to try again.
pub(super) const INPUTS_MAX: usize = 4_096;

/// What a room can be asked to do.
pub(super) enum Input {
    /// A session comes.
    Join(Join, oneshot::Sender<Result<Joined, NotJoined>>),
    /// A session goes.
    Leave(Key),
    /// A command.
    Command(Pending),
    /// A session wants the items of a conversation. Answered when it is so.
    Open(Key, ConversationId, oneshot::Sender<()>),
    /// A session has a conversation before it, which it may see, and was answered that these are there.
    View(Key, ConversationPresence),
    /// A session says something fleeting.
    Signal(Key, Signal),
    /// What became durable on another node, as the bus brings it.
    News(Bytes),
    /// What another node says of its sessions.
    Others(Bytes),
    /// Somebody waits for the room to have applied the log up to some event.
    Reach(Reach),
    /// The room's lease has run out, or goes on.
    Lease,
    /// The log is shorter than what the room has applied.
    Lost,
    /// The task panics.
    #[cfg(test)]
    Break,
}

/// A session that comes.
pub(super) struct Join {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub teammate: TeammateId,
    /// How its frames are encoded.
    pub codec: Codec,
    /// Where its frames go.
    pub queue: Arc<SendQueue>,
    /// What it has open.
    pub open: Vec<ConversationId>,
}

/// A command that waits to be decided.
pub(super) struct Pending {
    /// Who asks.
    pub actor: Actor,
    /// Their name for it.
    pub r#ref: Ref,
    /// What tells it from other commands with the same `ref`.
    pub fingerprint: [u8; 32],
    /// What to do.
    pub command: Command,
    /// Dropped unanswered only if the command was not done.
    pub reply: oneshot::Sender<Result<Outcome, Refusal>>,
}

impl Pending {
    /// Answers it.
    pub(super) fn answer(self, result: Result<Outcome, Refusal>) {
        // Whoever asked may have gone; what was done stays done.
        drop(self.reply.send(result));
    }
}

/// A snapshot: an organization and who is here.
pub(super) struct View {
    /// The organization, as of a position.
    pub organization: Organization,
    /// Who is here.
    pub presence: Presence,
    /// Its cursors; none until the organization was provisioned.
    pub cursors: Option<Arc<Cursors>>,
    /// What has changed that is not in this snapshot.
    pub unheld: Unheld,
}

/// A room as others see it.
pub(super) struct Room {
    /// Whose room it is.
    pub organization: OrganizationId,
    /// Where its inputs go.
    pub inputs: mpsc::Sender<Input>,
    /// The newest snapshot. Everything in it is durable.
    pub view: ArcSwap<View>,
    /// What all rooms use.
    pub services: Arc<Services>,
    /// Up to where the log has been applied: everybody was told, and nothing waits any more that may not be shown.
    pub applied: AtomicU64,
    /// The newest event by which anybody may see less.
    pub narrowed: AtomicU64,
    /// Until when it may show anything.
    pub lease: SharedLease,
    /// It has yet to look at its lease, as it was asked to.
    pub looks_at_lease: AtomicBool,
    /// Its sessions believe that what they are shown is current.
    pub shows_fresh: AtomicBool,
}

impl Room {
    /// Opens a room on what the store holds.
    pub(super) async fn open(
        organization: OrganizationId,
        services: Arc<Services>,
        rooms: Rooms,
    ) -> Result<Arc<Self>, StoreError> {
        let (inputs, waiting) = mpsc::channel(INPUTS_MAX);
        let peers = services.peers.as_ref();
        // What is read from now on holds everything that was durable when the node last asked.
        let lease = peers.map_or(Lease::Forever, |peers| peers.lease.fork());
        // Before anything is read, so that nothing falls between.
        let hears = match peers {
            Some(peers) => subscribe(&organization, peers, &inputs).await.into(),
            None => Vec::new(),
        };
        let view = load(organization.clone(), services.store.load(&organization).await?);
        let applied = view.organization.seq();
        let room = Arc::new(Self {
            organization,
            inputs,
            view: ArcSwap::from_pointee(view),
            services: Arc::clone(&services),
            applied: AtomicU64::new(applied.0),
            narrowed: AtomicU64::new(applied.0),
            lease: Arc::new(lease),
            looks_at_lease: AtomicBool::new(false),
            shows_fresh: AtomicBool::new(true),
        });
        let keeper = Keeper::new(room.clone(), rooms, waiting, hears);
        services.metrics.room_opened();
        tokio::spawn(keeper.run());
        Ok(room)
    }

    /// The newest snapshot, if it is known to be fresh.
    pub(super) fn fresh_view(&self) -> Result<Arc<View>, Refusal> {
        if self.lease.is_valid() && !self.has_ended() { Ok(self.view()) } else { Err(Refusal::Unavailable) }
    }

    /// Nobody keeps it up to date any more.
    pub(super) fn has_ended(&self) -> bool {
        self.inputs.is_closed()
    }

    /// Waits until the log has been applied up to an event, or as far as it goes. None if nobody could look.
    pub(super) async fn reach(&self, seq: Seq) -> Option<Reached> {
        let (reply, reached) = oneshot::channel();
        self.inputs.send(Input::Reach(Reach { seq, reply })).await.ok()?;
        reached.await.ok()
    }

    /// Looks whether there is more in the log than the room has heard of.
    pub(super) async fn look(&self) {
        self.reach(self.view().organization.seq().next()).await;
    }

    /// The room is as far as the log was at this time.
    pub(super) fn confirm(&self, asked: Moment) {
        if self.lease.extend(asked) || !self.shows_fresh.load(Ordering::Relaxed) {
            self.tell_of_lease();
        }
    }

    /// Up to where the log has been applied.
    pub(super) fn applied(&self) -> Seq {
        Seq(self.applied.load(Ordering::Acquire))
    }

    /// The newest event by which anybody may see less, or one before it was opened.
    pub(super) fn narrowed(&self) -> Seq {
        Seq(self.narrowed.load(Ordering::Acquire))
    }

    /// The log is shorter than what the room has applied.
    pub(super) fn lose(&self) {
        send_surely(&self.inputs, Input::Lost);
    }

    /// Its sessions are told if its lease has run out.
    pub(super) fn look_at_lease(&self) {
        if !self.lease.is_valid() && self.shows_fresh.load(Ordering::Relaxed) {
            self.tell_of_lease();
        }
    }

    fn tell_of_lease(&self) {
        if !self.looks_at_lease.swap(true, Ordering::AcqRel) {
            send_surely(&self.inputs, Input::Lease);
        }
    }

    /// The newest snapshot.
    pub(super) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }
}

/// What other nodes do in an organization becomes inputs of its room. What does not fit is found in the log, or
/// reported again.
async fn subscribe(
    organization: &OrganizationId,
    peers: &Peers,
    inputs: &mpsc::Sender<Input>,
) -> [Subscription; 2] {
    let ear = |input: fn(Bytes) -> Input| -> Ear {
        let (inputs, node) = (inputs.clone(), peers.node.clone());
        Arc::new(move |bytes: Bytes| {
            if !envelope::is_from(&node, &bytes) {
                drop(inputs.try_send(input(bytes)));
            }
        })
    };
    let log = peers.bus.subscribe(Topic::Log(organization.clone()), ear(Input::News)).await;
    [log, peers.bus.subscribe(Topic::Presence(organization.clone()), ear(Input::Others)).await]
}

/// A session goes.
pub(super) fn leave(room: &mpsc::Sender<Input>, key: Key) {
    send_surely(room, Input::Leave(key));
}

/// For what must not get lost in a busy room; only a closed one has no use for it.
fn send_surely(room: &mpsc::Sender<Input>, input: Input) {
    if let Err(TrySendError::Full(input)) = room.try_send(input) {
        let room = room.clone();
        tokio::spawn(async move { drop(room.send(input).await) });
    }
}

/// An organization as the store has it.
pub(super) fn load(id: OrganizationId, image: Option<Image>) -> View {
    let mut organization = Organization::empty(id);
    let Some(image) = image else {
        let unheld = Unheld::default();
        return View { organization, presence: Presence::default(), cursors: None, unheld };
    };
    organization.load_seq(image.head);
    organization.load_profile(image.profile, image.profile_changed);
    organization.load_reset(image.profile_changed);
    image.teammates.into_iter().for_each(|(teammate, seq)| organization.put_teammate(teammate, seq));
    image.teams.into_iter().for_each(|(team, seq)| organization.put_team(team, seq));
    image.endpoints.into_iter().for_each(|(endpoint, seq)| organization.put_endpoint(endpoint, seq));
    image.tags.into_iter().for_each(|tag| organization.put_tag(tag));
    image.conversations.into_iter().for_each(|(open, seq)| organization.load_conversation(open, seq));
    image.marks.into_iter().for_each(|(at, teammate, mark)| organization.load_mark(&at, &teammate, mark));
    let cursors = Some(Arc::new(Cursors::new(image.epoch, image.cursor_key)));
    let unheld = Unheld::loaded(organization.seq());
    View { organization, presence: Presence::default(), cursors, unheld }
}
