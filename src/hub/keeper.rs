//! The keeper of a room: the one task that owns an organization's state and its sessions. It takes what waits,
//! does at once what can be done at once, commits the rest, and never waits for a session.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rotunda_protocol::close::CloseCode;
use rotunda_protocol::id::{ConversationId, TeammateId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::cursor::Cursors;
use super::fanout::{self, Committed, Outcome};
use super::follow::Following;
use super::joining::{Joined, NotJoined};
use super::registry::{Key, OPEN_MAX, Registry};
use super::report::Reporting;
use super::room::{Input, Join, Pending, Room, View};
use super::rooms::Rooms;
use super::wire;
use crate::bus::Subscription;
use crate::domain::audience;
use crate::domain::event::Event;
use crate::domain::narrowing;
use crate::domain::organization::Organization;
use crate::domain::presence::Presence;
use crate::domain::unheld::Unheld;

/// Inputs that are taken together: their commands are decided and committed together.
const BATCH_MAX: usize = 256;

/// What only the room's own task touches: the organization, its sessions, who is where.
pub(super) struct Keeper {
    /// The room as others see it.
    pub room: Arc<Room>,
    /// The organization, as of the newest durable event.
    pub organization: Organization,
    /// Its cursors.
    pub cursors: Option<Arc<Cursors>>,
    /// What has changed that memory does not hold.
    unheld: Unheld,
    /// Who is where.
    pub presence: Presence,
    /// When everybody is told who has come and gone.
    pub tell_at: Option<Instant>,
    /// Why to look into the log.
    pub following: Following,
    /// What other nodes are yet to be told.
    pub reporting: Reporting,
    /// Its sessions.
    pub registry: Registry,
    rooms: Rooms,
    inputs: mpsc::Receiver<Input>,
    empty_since: Instant,
    /// By what it hears of other nodes.
    _hears: Vec<Subscription>,
}

impl Keeper {
    pub(super) fn new(
        room: Arc<Room>,
        rooms: Rooms,
        inputs: mpsc::Receiver<Input>,
        hears: Vec<Subscription>,
    ) -> Self {
        let view = room.view();
        Self {
            organization: view.organization.clone(),
            cursors: view.cursors.clone(),
            unheld: view.unheld.clone(),
            presence: Presence::default(),
            tell_at: None,
            following: Following::default(),
            reporting: Reporting::default(),
            registry: Registry::default(),
            rooms,
            inputs,
            empty_since: Instant::now(),
            _hears: hears,
            room,
        }
    }

    pub(super) async fn run(mut self) {
        let mut inputs = Vec::new();
        loop {
            let idle = self.room.services.limits.room_idle;
            let (due, end) = (self.next_due(), self.registry.is_empty().then_some(self.empty_since + idle));
            tokio::select! {
                biased;
                _ = self.inputs.recv_many(&mut inputs, BATCH_MAX) => {
                    let commands = self.take(inputs.drain(..));
                    self.keep_up().await;
                    self.commit(commands).await;
                }
                () = sleep_until(due) => {}
                () = sleep_until(end) => break,
            }
            self.keep_up().await;
            self.do_what_is_due();
            if let Some(why) = &self.following.lost {
                let organization = &self.room.organization;
                tracing::error!(%organization, why, "the log cannot be followed; its sessions start anew from rows");
                break;
            }
        }
    }

    /// Takes what waits now, and returns the commands.
    pub(super) fn take_more(&mut self) -> Vec<Pending> {
        let waiting = std::iter::from_fn(|| self.inputs.try_recv().ok());
        let inputs: Vec<_> = waiting.take(BATCH_MAX).collect();
        self.take(inputs.into_iter())
    }

    /// Does what can be done at once, and returns the commands.
    fn take(&mut self, inputs: impl Iterator<Item = Input>) -> Vec<Pending> {
        let (mut commands, mut used) = (Vec::new(), false);
        for input in inputs {
            match input {
                Input::Command(pending) => commands.push(pending),
                Input::Join(join, reply) => {
                    used = true;
                    // A session that is gone by now gives its place back.
                    drop(reply.send(self.join(join)));
                }
                Input::Leave(key) => {
                    used = true;
                    self.leave(key);
                }
                Input::Open(key, conversation, done) => {
                    if let Some(closed) = self.registry.open(key, &conversation) {
                        self.shut(key, &closed);
                    }
                    drop(done);
                }
                Input::View(key, shown) => self.opened(key, &shown),
                Input::Signal(key, signal) => self.signal(key, signal),
                Input::News(message) => self.hear(&message),
                Input::Others(message) => self.hear_of_others(&message),
                Input::Reach(reach) => self.reach(reach),
                Input::Lease => self.tell_of_lease(),
                Input::Lost => self.following.lost = Some("it ends before what was read from it".into()),
                #[cfg(test)]
                Input::Break => panic!("as asked"),
            }
        }
        // What other nodes say keeps no organization in memory that nobody here needs.
        if used || !commands.is_empty() {
            self.empty_since = Instant::now();
        }
        commands
    }

    fn join(&mut self, join: Join) -> Result<Joined, NotJoined> {
        if !self.organization.is_active(&join.teammate) {
            return Err(NotJoined::Unknown);
        }
        if self.cursors.is_none() {
            return Err(NotJoined::Unavailable);
        }
        if self.registry.keys_of(&join.teammate).len() >= self.room.services.limits.sessions_per_teammate_max
        {
            return Err(NotJoined::TooManySessions);
        }
        self.presence.arrive(&join.teammate);
        self.moved();
        join.queue.hold_to(Arc::clone(&self.room.lease));
        if !self.room.shows_fresh.load(Ordering::Relaxed) {
            join.queue.notice(wire::freshness(join.codec, false));
        }
        let key = self.registry.join(join.session, join.teammate.clone(), join.codec, join.queue);
        for conversation in join.open.iter().take(OPEN_MAX) {
            self.registry.open(key, conversation);
            self.view(key, conversation);
        }
        self.publish();
        Ok(Joined { key, room: Some(self.room.inputs.clone()) })
    }

    fn leave(&mut self, key: Key) {
        let Some(member) = self.registry.leave(key) else { return };
        self.moved();
        let left = self.presence.depart(&member.teammate, &member.session);
        self.publish();
        for conversation in &left {
            self.moved_at(conversation);
            self.tell_presence(conversation, None);
        }
    }

    /// Sessions are told whether what they are shown is current; if it is, what was held goes on its way.
    pub(super) fn tell_of_lease(&self) {
        // Whatever was extended before the question that this answers is seen from here on.
        self.room.looks_at_lease.swap(false, Ordering::AcqRel);
        let fresh = self.room.lease.is_valid();
        if self.room.shows_fresh.swap(fresh, Ordering::Relaxed) != fresh {
            if !fresh {
                self.room.services.metrics.became_stale();
            }
            for member in self.registry.all() {
                member.queue.notice(wire::freshness(member.codec, fresh));
            }
        }
        if fresh {
            self.registry.all().for_each(|member| member.queue.release());
        }
    }

    /// An event has become durable: it is published as a snapshot before anybody is told of it, so that a catch-up
    /// made meanwhile cannot miss it. Returns how many sessions lost something by it; none if nobody can have.
    pub(super) fn advance(&mut self, event: &Event, after: Organization) -> Option<u32> {
        let before = std::mem::replace(&mut self.organization, after);
        let (seq, narrows) =
            (self.organization.seq(), narrowing::narrows(&before, &self.organization, event));
        self.unheld.apply(event, seq);
        if narrows {
            self.room.narrowed.store(seq.0, Ordering::Release);
        }
        self.publish();
        // Without cursors there is no session yet.
        let outcome = self.cursors.clone().map(|cursors| self.carry_out(&cursors, event, &before));
        let lost = narrows.then(|| self.settle(&outcome.unwrap_or_default()));
        self.attend_to(event, &before);
        self.room.applied.store(seq.0, Ordering::Release);
        lost
    }

    fn carry_out(&self, cursors: &Cursors, event: &Event, before: &Organization) -> Outcome {
        let effects = audience::effects(before, &self.organization, event, &|id| self.registry.is_here(id));
        let committed = Committed { after: &self.organization, event, cursor: cursors.write(before.seq()) };
        let outcome = fanout::carry_out(&self.registry, &committed, effects);
        let metrics = &self.room.services.metrics;
        metrics.events_applied(1);
        metrics.delivered(outcome.told.sessions);
        metrics.queues_overflowed(outcome.told.overflows);
        outcome
    }

    /// Sessions that ended leave; presence that may no longer be seen goes, whichever node it is on (B10). What
    /// sessions have open stays so: items go to those who may see them only, and whoever is let in again may never
    /// have noticed (E16). Returns how many sessions lost something.
    fn settle(&mut self, outcome: &Outcome) -> u32 {
        let narrowed = outcome.narrowed.iter().map(|teammate| self.registry.keys_of(teammate).len());
        let lost = u32::try_from(narrowed.sum::<usize>() + outcome.ended.len()).unwrap_or(u32::MAX);
        self.following.note(self.organization.seq(), lost);
        for key in &outcome.ended {
            self.leave(*key);
        }
        let organization = &self.organization;
        let hidden = |teammate: &TeammateId, id: &ConversationId| {
            !organization.conversation(id).is_some_and(|open| organization.can_see(teammate, open))
        };
        let changed = self.presence.retain(hidden);
        self.publish();
        for conversation in &changed {
            self.tell_presence(conversation, None);
        }
        lost
    }

    /// Lets everybody see the newest state.
    pub(super) fn publish(&self) {
        self.room.view.store(Arc::new(View {
            organization: self.organization.clone(),
            presence: self.presence.clone(),
            unheld: self.unheld.clone(),
            cursors: self.cursors.clone(),
        }));
    }
}

impl Drop for Keeper {
    /// However a room ends, its sessions do not go on without one: they come back and find a new room.
    fn drop(&mut self) {
        for member in self.registry.all() {
            member.queue.close(CloseCode::Behind, false);
        }
        self.say_goodbye();
        // Whoever still reads from the room sees that it has ended, before it can be said not to be here.
        self.inputs.close();
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
