//! Who is where in a room: what sessions say of themselves, and what the others are told of it.

use std::sync::Arc;
use std::time::Duration;

use rotunda_protocol::frame::Signal;
use rotunda_protocol::id::{ConversationId, SessionId, TeammateId};
use rotunda_protocol::push::{ConversationPresence, Push};
use tokio::time::Instant;

use super::fanout::{self, Shared, Told};
use super::keeper::Keeper;
use super::registry::Key;
use crate::clock;
use crate::domain::access::Staff;
use crate::domain::audience::Audience;
use crate::domain::conversation::{Conversation, State};
use crate::domain::event::{Change, Event};
use crate::domain::organization::Organization;
use crate::domain::presence::Presence;

/// Comings and goings are told together, this long after the first: a thousand who come back at once must not
/// each be told of a thousand.
pub(super) const HERE_EVERY: Duration = Duration::from_millis(250);

impl Keeper {
    /// A session no longer has a conversation open.
    pub(super) fn shut(&mut self, key: Key, conversation: &ConversationId) {
        self.registry.close(key, conversation);
        let Some(member) = self.registry.get(key) else { return };
        if self.presence.close(conversation, &member.session) {
            self.publish();
            self.moved_at(conversation);
            self.tell_presence(conversation, None);
        }
    }

    pub(super) fn signal(&mut self, key: Key, signal: Signal) {
        match signal {
            Signal::Typing { conversation, mode } => {
                let on = self.organization.profile().is_some_and(|profile| profile.features.typing);
                if on {
                    self.attend(key, &conversation, |presence, (session, teammate)| {
                        presence.typing(&conversation, session, teammate, mode, clock::steady_millis())
                    });
                }
            }
            Signal::Idle { conversation } => self
                .attend(key, &conversation, |presence, (session, _)| presence.idle(&conversation, session)),
            Signal::Close { conversation } => self.shut(key, &conversation),
        }
    }

    /// Changes a session's presence at an open conversation that it may see, and tells the others.
    pub(super) fn attend(
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
            self.publish();
            self.moved_at(conversation);
            self.tell_presence(conversation, Some(&session));
        }
    }

    /// What time brings about. Looked at after every batch, so that a busy room does not forget it.
    pub(super) fn do_what_is_due(&mut self) {
        if self.tell_at.is_some_and(|at| at <= Instant::now()) {
            self.tell_at = None;
            self.tell_here();
        }
        let now = clock::steady_millis();
        if self.presence.next_expiry().is_some_and(|at| at <= now) {
            let heard = self.presence.expire(now);
            self.tell_heard(&heard);
        }
        self.report();
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        let expiry = self.presence.next_expiry().map(|at| {
            let wait = at.saturating_sub(clock::steady_millis());
            Instant::now() + Duration::from_millis(u64::try_from(wait).unwrap_or_default())
        });
        self.tell_at
            .into_iter()
            .chain(self.following.look_at)
            .chain(self.reporting.whole_at)
            .chain(expiry)
            .min()
    }

    /// Who came and who went since everybody was last told, in one push however many they are.
    fn tell_here(&mut self) {
        let (came, went) = self.presence.tell();
        if came.is_empty() && went.is_empty() {
            return;
        }
        self.publish();
        let frame = Shared::fleeting(Push::Here { came, went }, None);
        let told = fanout::tell(&self.registry, &Audience::Everyone, &frame);
        self.told_presence(told);
    }

    /// A session was answered what is at a conversation that it has opened, and is at it from here on. Somebody may
    /// have come or gone between the snapshot and the answer, and what told it that stands before the answer, which it
    /// takes for newer: it is told anew.
    pub(super) fn opened(&mut self, key: Key, shown: &ConversationPresence) {
        let conversation = &shown.conversation;
        if let (Some(member), Some(profile)) = (self.registry.get(key), self.organization.profile())
            && let now = self.presence.of(conversation, profile.features)
            && now != *shown
        {
            let open = self.organization.conversation(conversation);
            if let Some(open) = open.filter(|open| self.organization.can_see(&member.teammate, open)) {
                let frame = Shared::fleeting(Push::Presence(now), Some(open.clone()));
                self.told_presence(fanout::tell_one(member, &frame));
            } else {
                // Archived meanwhile, or lost: which of the two, a catch-up finds out.
                member.queue.overtaken();
            }
        }
        self.view(key, conversation);
    }

    /// A session that has a conversation open is at it.
    pub(super) fn view(&mut self, key: Key, conversation: &ConversationId) {
        if self.registry.has_open(key, conversation) {
            self.attend(key, conversation, |presence, at| presence.view(conversation, at.0, at.1));
        }
    }

    /// What an event means for who is shown where. Nobody is at what is archived; whoever has it open is at it
    /// again once it is reopened. And the organization's switches hide and show (C5).
    pub(super) fn attend_to(&mut self, event: &Event, before: &Organization) {
        for change in event.conversations() {
            let (id, archived) = (&change.after.id, change.after.is_archived());
            let was_archived = change.before.as_ref().is_some_and(|before| before.state == State::Archived);
            if archived && self.presence.clear(id) {
                self.publish();
                self.tell_presence_at(&Arc::new(change.after.clone()), None);
            } else if was_archived && !archived {
                let at: Vec<Key> = self.registry.keys_at(id).to_vec();
                for key in at {
                    self.view(key, id);
                }
            }
        }
        self.tell_newcomers(event, before);
        let shown = |of: &Organization| of.profile().map(|of| (of.features.viewing, of.features.typing));
        if shown(before) != shown(&self.organization) {
            for conversation in self.presence.attended() {
                self.tell_presence(&conversation, None);
            }
        }
    }

    /// Into whose view a conversation came hears who is at it; a row alone does not say.
    fn tell_newcomers(&self, event: &Event, before: &Organization) {
        let for_all = event.changes.iter().any(|change| match change {
            Change::Teammate(_) | Change::Team(_) | Change::Endpoint(_) => true,
            Change::Organization(_)
            | Change::Contact(_)
            | Change::Tag { .. }
            | Change::Conversation(_)
            | Change::Item(_)
            | Change::Mark { .. } => false,
        });
        let regrouped = event.conversations().filter(|change| {
            change.before.as_ref().is_some_and(|before| before.members != change.after.members)
        });
        let regrouped = regrouped.map(|change| change.after.id.clone()).filter(|id| self.presence.is_at(id));
        let concerned = if for_all { self.presence.attended() } else { regrouped.collect() };
        for id in concerned {
            let (Some(was), Some(is)) = (before.conversation(&id), self.organization.conversation(&id))
            else {
                continue;
            };
            let (saw, sees) = (before.staff(was), self.organization.staff(is));
            let new = match (saw, sees) {
                (Staff::Everyone, _) => continue,
                (Staff::These(saw), sees) => &self.organization.members_of(sees) - &saw,
            };
            if new.is_empty() {
                continue;
            }
            let Some(profile) = self.organization.profile() else { return };
            let push = Push::Presence(self.presence.of(&id, profile.features));
            let frame = Shared::fleeting(push, Some(is.clone()));
            self.told_presence(fanout::tell(&self.registry, &Audience::These(new), &frame));
        }
    }

    /// Who is at a conversation, to everybody who may see it, but not to the session that caused it. The state that
    /// it is told of has been published: a catch-up that begins later must not lack it.
    pub(super) fn tell_presence(&self, conversation: &ConversationId, but: Option<&SessionId>) {
        if let Some(open) = self.organization.conversation(conversation) {
            self.tell_presence_at(open, but);
        }
    }

    fn tell_presence_at(&self, conversation: &Arc<Conversation>, but: Option<&SessionId>) {
        let Some(profile) = self.organization.profile() else { return };
        let push = Push::Presence(self.presence.of(&conversation.id, profile.features));
        let frame = Shared::fleeting(push, Some(conversation.clone()));
        let staff = self.organization.staff(conversation);
        let told = fanout::tell_others(&self.registry, &staff, &frame, but);
        self.told_presence(told);
    }

    fn told_presence(&self, told: Told) {
        let metrics = &self.room.services.metrics;
        metrics.presence_updated();
        metrics.delivered(told.sessions);
        metrics.queues_overflowed(told.overflows);
    }
}
