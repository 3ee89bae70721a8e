//! A room: one organization on this node. One task owns the organization's state and its sessions; everybody
//! else reads snapshots. It takes one closed enum of inputs, and never waits for a session.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::frame::{Ref, Signal};
use rotunda_protocol::id::{ConversationId, OrganizationId, SessionId, TeammateId};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::push::Push;
use rotunda_protocol::refusal::Refusal;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::Joined;
use super::cursor::Cursors;
use super::fanout::{self, Committed, Outcome, Shared};
use super::registry::{Key, Registry};
use super::send_queue::SendQueue;
use super::{NotJoined, Rooms, Services};
use crate::clock;
use crate::domain::audience;
use crate::domain::event::Event;
use crate::domain::organization::Organization;
use crate::domain::presence::Presence;
use crate::store::Image;

/// Inputs that wait for a room. A room that is this far behind asks its callers to try again.
pub(super) const INPUTS_MAX: usize = 4_096;
/// Inputs that are taken together: their commands are decided and committed together.
const BATCH_MAX: usize = 256;

/// Comings and goings are told together, this long after the first: a thousand who come back at once must not
/// each be told of a thousand.
const HERE_EVERY: Duration = Duration::from_millis(250);

/// What a room can be asked to do.
pub(super) enum Input {
    /// A session comes.
    Join(Join, oneshot::Sender<Result<Joined, NotJoined>>),
    /// A session goes.
    Leave(Key),
    /// A command.
    Command(Pending),
    /// A session wants the items of a conversation, or no longer. Answered when it is so.
    Interest(Key, ConversationId, bool, oneshot::Sender<()>),
    /// A session has a conversation before it, which it may see.
    View(Key, ConversationId),
    /// A session says something fleeting.
    Signal(Key, Signal),
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
        let task = RoomTask::new(room.clone(), rooms);
        services.metrics.room_opened();
        tokio::spawn(task.run(waiting));
        room
    }

    /// The newest snapshot.
    pub(super) fn view(&self) -> Arc<View> {
        self.view.load_full()
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

/// What only the room's own task touches.
pub(super) struct RoomTask {
    /// The room as others see it.
    pub room: Arc<Room>,
    /// The organization, as of the newest durable event.
    pub organization: Organization,
    /// Its cursors.
    pub cursors: Option<Arc<Cursors>>,
    presence: Presence,
    /// Who everybody was last told to be here, and when they are told anew.
    told: Presence,
    tell_at: Option<Instant>,
    registry: Registry,
    rooms: Rooms,
    empty_since: Instant,
}

impl RoomTask {
    fn new(room: Arc<Room>, rooms: Rooms) -> Self {
        let view = room.view();
        Self {
            organization: view.organization.clone(),
            cursors: view.cursors.clone(),
            presence: Presence::default(),
            told: Presence::default(),
            tell_at: None,
            registry: Registry::default(),
            rooms,
            empty_since: Instant::now(),
            room,
        }
    }

    async fn run(mut self, mut waiting: mpsc::Receiver<Input>) {
        let mut inputs = Vec::new();
        loop {
            tokio::select! {
                biased;
                _ = waiting.recv_many(&mut inputs, BATCH_MAX) => {
                    let commands = self.take(inputs.drain(..));
                    self.commit(commands).await;
                }
                () = sleep_until(self.next_due()) => {}
                () = tokio::time::sleep_until(self.empty_since + self.room.services.limits.room_idle),
                    if self.registry.is_empty() => break,
            }
            self.do_what_is_due();
        }
        // Whoever still sends to this room finds it closed, and opens it anew.
        self.rooms.forget(&self.room);
        waiting.close();
    }

    /// Does what can be done at once, and returns the commands.
    fn take(&mut self, inputs: impl Iterator<Item = Input>) -> Vec<Pending> {
        let mut commands = Vec::new();
        for input in inputs {
            match input {
                Input::Command(pending) => commands.push(pending),
                Input::Join(join, reply) => {
                    let joined = self.join(join);
                    if let Err(Ok(abandoned)) = reply.send(joined) {
                        self.leave(abandoned.key);
                    }
                }
                Input::Leave(key) => self.leave(key),
                Input::Interest(key, conversation, true, done) => {
                    if let Some(closed) = self.registry.open(key, &conversation) {
                        self.shut(key, &closed);
                    }
                    drop(done);
                }
                Input::Interest(key, conversation, false, done) => {
                    self.shut(key, &conversation);
                    drop(done);
                }
                Input::View(key, conversation) => {
                    self.attend(key, &conversation, |presence, at| presence.view(&conversation, at.0, at.1));
                }
                Input::Signal(key, signal) => self.signal(key, signal),
            }
        }
        if self.registry.is_empty() {
            self.empty_since = Instant::now();
        }
        commands
    }

    fn join(&mut self, join: Join) -> Result<Joined, NotJoined> {
        if !self.organization.is_active(&join.teammate) {
            return Err(NotJoined::Unknown);
        }
        if self.registry.keys_of(&join.teammate).len() >= self.room.services.limits.sessions_per_teammate_max
        {
            return Err(NotJoined::TooManySessions);
        }
        self.presence.arrive(&join.teammate);
        self.tell_at.get_or_insert_with(|| Instant::now() + HERE_EVERY);
        let key = self.registry.join(join.session, join.teammate.clone(), join.codec, join.queue);
        for conversation in join.open.iter().take(super::registry::OPEN_MAX) {
            self.registry.open(key, conversation);
        }
        self.publish();
        Ok(Joined { key })
    }

    fn leave(&mut self, key: Key) {
        let Some(member) = self.registry.leave(key) else { return };
        self.tell_at.get_or_insert_with(|| Instant::now() + HERE_EVERY);
        for conversation in self.presence.depart(&member.teammate, &member.session) {
            self.tell_presence(&conversation, None);
        }
        self.publish();
    }

    /// A session no longer has a conversation open.
    fn shut(&mut self, key: Key, conversation: &ConversationId) {
        self.registry.close(key, conversation);
        let Some(member) = self.registry.get(key) else { return };
        if self.presence.close(conversation, &member.session) {
            self.tell_presence(conversation, None);
            self.publish();
        }
    }

    fn signal(&mut self, key: Key, signal: Signal) {
        match signal {
            Signal::Typing { conversation, mode } => {
                let on = self.organization.profile().is_some_and(|profile| profile.features.typing);
                if on {
                    self.attend(key, &conversation, |presence, (session, teammate)| {
                        presence.typing(&conversation, session, teammate, mode, clock::now_millis())
                    });
                }
            }
            Signal::Idle { conversation } => self
                .attend(key, &conversation, |presence, (session, _)| presence.idle(&conversation, session)),
            Signal::Close { conversation } => self.shut(key, &conversation),
        }
    }

    /// Changes a session's presence at an open conversation that it may see, and tells the others.
    fn attend(
        &mut self,
        key: Key,
        conversation: &ConversationId,
        change: impl FnOnce(&mut Presence, (&SessionId, &TeammateId)) -> bool,
    ) {
        let Some(member) = self.registry.get(key) else { return };
        let open = self.organization.conversation(conversation);
        if !open.is_some_and(|open| self.organization.can_see(&member.teammate, open)) {
            return;
        }
        let changed = change(&mut self.presence, (&member.session, &member.teammate));
        if changed {
            let session = member.session.clone();
            self.tell_presence(conversation, Some(&session));
            self.publish();
        }
    }

    /// Everything that became durable together, one event after the other: each is published as a snapshot
    /// before anybody is told of it, so that a catch-up made meanwhile cannot miss it.
    pub(super) fn advance(&mut self, event: &Event, after: Organization) {
        let before = std::mem::replace(&mut self.organization, after);
        self.publish();
        let Some(cursors) = &self.cursors else { return };
        let effects = audience::effects(&before, &self.organization, event, &|id| self.registry.is_here(id));
        let committed = Committed { after: &self.organization, event, cursor: cursors.write(before.seq()) };
        let outcome = fanout::carry_out(&self.registry, &committed, effects);
        let metrics = &self.room.services.metrics;
        metrics.events_applied(1);
        metrics.delivered(outcome.deliveries);
        self.settle(&outcome);
    }

    /// Sessions that ended leave; presence that may no longer be seen goes (B10). What sessions have open stays
    /// so: items go to those who may see them only, and whoever is let in again may never have noticed (E16).
    fn settle(&mut self, outcome: &Outcome) {
        for key in &outcome.ended {
            self.leave(*key);
        }
        if outcome.narrowed.is_empty() {
            return;
        }
        let organization = &self.organization;
        let hidden = |teammate: &TeammateId, id: &ConversationId| {
            outcome.narrowed.contains(teammate)
                && !organization.conversation(id).is_some_and(|open| organization.can_see(teammate, open))
        };
        let changed = self.presence.retain(hidden);
        for conversation in changed {
            self.tell_presence(&conversation, None);
        }
        self.publish();
    }

    /// What time brings about. Looked at after every batch, so that a busy room does not forget it.
    fn do_what_is_due(&mut self) {
        if self.tell_at.is_some_and(|at| at <= Instant::now()) {
            self.tell_at = None;
            self.tell_here();
        }
        let now = clock::now_millis();
        if self.presence.next_expiry().is_some_and(|at| at <= now) {
            for conversation in self.presence.expire(now) {
                self.tell_presence(&conversation, None);
            }
            self.publish();
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let expiry = self.presence.next_expiry().map(|at| {
            let wait = at.saturating_sub(clock::now_millis());
            Instant::now() + Duration::from_millis(u64::try_from(wait).unwrap_or_default())
        });
        self.tell_at.into_iter().chain(expiry).min()
    }

    /// Who came and who went since everybody was last told, in one push however many they are.
    fn tell_here(&mut self) {
        let (came, went) = self.presence.moves_since(&self.told);
        self.told = self.presence.clone();
        if came.is_empty() && went.is_empty() {
            return;
        }
        let frame = Shared::fleeting(Push::Here { came, went }, None);
        let told = fanout::tell(&self.registry, &audience::Audience::Everyone, &frame);
        self.told_presence(told);
    }

    /// Who is at a conversation, to everybody who may see it, but not to the session that caused it.
    fn tell_presence(&self, conversation: &ConversationId, but: Option<&SessionId>) {
        let Some(open) = self.organization.conversation(conversation) else { return };
        let Some(profile) = self.organization.profile() else { return };
        let push = Push::Presence(self.presence.of(conversation, profile.features));
        let frame = Shared::fleeting(push, Some(open.clone()));
        let told = fanout::tell_others(&self.registry, &self.organization.staff(open), &frame, but);
        self.told_presence(told);
    }

    fn told_presence(&self, sessions: usize) {
        self.room.services.metrics.presence_updated();
        self.room.services.metrics.delivered(sessions);
    }

    /// Lets everybody see the newest state.
    pub(super) fn publish(&self) {
        self.room.view.store(Arc::new(View {
            organization: self.organization.clone(),
            presence: self.presence.clone(),
            cursors: self.cursors.clone(),
        }));
    }
}

impl Drop for RoomTask {
    /// However a room ends, its sessions do not go on without one: they come back and find a new room.
    fn drop(&mut self) {
        for member in self.registry.all() {
            member.queue.close(CloseCode::Behind, false);
        }
        self.rooms.forget(&self.room);
        self.room.services.metrics.room_closed();
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
