//! A room: one organization on this node, as others see it. They send it inputs and read its snapshots; the
//! state itself belongs to the room's own task (`keeper`).

use std::sync::Arc;

use arc_swap::ArcSwap;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::frame::{Ref, Signal};
use rotunda_protocol::id::{ConversationId, OrganizationId, SessionId, TeammateId};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::cursor::Cursors;
use super::keeper::Keeper;
use super::registry::Key;
use super::send_queue::SendQueue;
use super::{Joined, NotJoined, Rooms, Services};
use crate::domain::organization::Organization;
use crate::domain::presence::Presence;
use crate::store::Image;

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
    /// A session has a conversation before it, which it may see.
    View(Key, ConversationId),
    /// A session says something fleeting.
    Signal(Key, Signal),
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
    pub reply: oneshot::Sender<Result<Done, Refusal>>,
}

/// A snapshot: an organization and who is here.
pub(super) struct View {
    /// The organization, as of a position.
    pub organization: Organization,
    /// Who is here.
    pub presence: Presence,
    /// Its cursors; none until the organization was provisioned.
    pub cursors: Option<Arc<Cursors>>,
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
}

impl Room {
    /// Opens a room on what the store holds.
    pub(super) fn open(
        organization: OrganizationId,
        image: Option<Image>,
        services: &Arc<Services>,
        rooms: Rooms,
    ) -> Arc<Self> {
        let (inputs, waiting) = mpsc::channel(INPUTS_MAX);
        let view = load(organization.clone(), image);
        let room = Arc::new(Self {
            organization,
            inputs,
            view: ArcSwap::from_pointee(view),
            services: Arc::clone(services),
        });
        let task = Keeper::new(room.clone(), rooms);
        services.metrics.room_opened();
        tokio::spawn(task.run(waiting));
        room
    }

    /// The newest snapshot.
    pub(super) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }
}

/// A session goes. Leaving must not get lost in a busy room; only a closed one has no use for it.
pub(super) fn leave(room: &mpsc::Sender<Input>, key: Key) {
    if let Err(TrySendError::Full(leave)) = room.try_send(Input::Leave(key)) {
        let room = room.clone();
        tokio::spawn(async move { drop(room.send(leave).await) });
    }
}

/// An organization as the store has it.
pub(super) fn load(id: OrganizationId, image: Option<Image>) -> View {
    let mut organization = Organization::empty(id);
    let Some(image) = image else {
        return View { organization, presence: Presence::default(), cursors: None };
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
    View { organization, presence: Presence::default(), cursors }
}
