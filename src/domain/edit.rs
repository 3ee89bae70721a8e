//! A conversation being changed: what it becomes, and what happens to it on the way. Nothing of it is decided until
//! [`super::draft::Draft::put`].

use std::collections::BTreeSet;

use rotunda_protocol::Millis;
use rotunda_protocol::conversation::{Cause, Happening, LastItem};
use rotunda_protocol::id::TeammateId;
use rotunda_protocol::item::{Content, Item};
use rotunda_protocol::principal::{Actor, Assignee, Principal};

use super::conversation::{Assignment, Before, Conversation, State};
use super::organization::Organization;

/// A conversation being changed.
pub struct Edit {
    /// As it is from now on.
    pub conversation: Conversation,
    /// As it was; none if it is new.
    pub(super) before: Option<Before>,
    /// What happened to it so far.
    pub(super) happened: Vec<Happening>,
    /// What was added to it.
    pub(super) items: Vec<Item>,
}

impl Edit {
    /// Of one that exists.
    pub fn of(conversation: Conversation) -> Self {
        let before = Some(conversation.before());
        Self { conversation, before, happened: Vec::new(), items: Vec::new() }
    }

    /// Of a new one.
    pub fn new(conversation: Conversation) -> Self {
        Self { conversation, before: None, happened: vec![Happening::Created], items: Vec::new() }
    }

    /// Nothing was changed.
    pub fn is_unchanged(&self) -> bool {
        self.happened.is_empty()
    }

    /// Assigns an open conversation, or takes it from its assignee.
    pub fn assign(&mut self, to: Option<Assignee>, by: Actor, at: Millis, cause: Cause) {
        let from = self.conversation.assignee().cloned();
        if from == to {
            return;
        }
        let assignment = to.clone().map(|to| Assignment { to, by, at });
        self.conversation.state = State::Open { assignment };
        self.happened.push(Happening::Assigned { from, to, cause });
    }

    /// Puts it away, and takes it from its assignee in the same step (R9).
    pub fn archive(&mut self) {
        self.conversation.state = State::Archived;
        self.happened.push(Happening::Archived);
    }

    /// Brings it back into the shared mailbox. Whoever held it before is not restored (R12).
    pub fn reopen(&mut self, cause: Cause) {
        self.conversation.state = State::SHARED;
        self.happened.push(Happening::Reopened { cause });
    }

    /// It should have gone to its endpoint's owner, but nobody is there (E10).
    pub fn auto_assign_unavailable(&mut self) {
        let cause = Cause::AutoAssignUnavailable;
        self.happened.push(Happening::Assigned { from: None, to: None, cause });
    }

    /// Replaces its tags.
    pub fn set_tags(&mut self, tags: BTreeSet<String>) {
        if self.conversation.tags != tags {
            self.conversation.tags = tags;
            self.happened.push(Happening::Tagged);
        }
    }

    /// Replaces its own members.
    pub fn set_members(&mut self, members: BTreeSet<Principal>) {
        if self.conversation.members != members {
            self.conversation.members = members;
            self.happened.push(Happening::Members);
        }
    }

    /// Adds an item.
    pub fn add(&mut self, by: Actor, at: Millis, content: Content) -> u32 {
        let number = self.conversation.items + 1;
        self.conversation.items = number;
        if by == Actor::Contact {
            self.conversation.inbound = number;
        }
        self.conversation.last = Some(LastItem { kind: content.kind(), by: by.clone(), at });
        self.conversation.activity_at = at;
        self.happened.push(Happening::Item { number });
        self.items.push(Item { conversation: self.conversation.id.clone(), number, by, at, content });
        number
    }

    /// Takes it from whoever may no longer see it (E2).
    pub(super) fn release_if_lost(&mut self, organization: &Organization, by: &Actor, at: Millis) {
        let lost =
            self.conversation.assignee().is_some_and(|to| !organization.can_keep(to, &self.conversation));
        if lost {
            self.assign(None, by.clone(), at, Cause::LostAccess);
        }
    }

    /// For whom a principal stood that is no member any more. Those whom another lets in see the conversation still,
    /// and yet depart: a client of theirs that was away may hold it as that principal's. When they lose the rest they
    /// have to be told, for by what it holds it would keep it. The suspended too: they come back with what they knew
    /// (E7).
    pub(super) fn departed(&self, organization: &Organization) -> Vec<TeammateId> {
        let Some(before) = &self.before else { return Vec::new() };
        let removed = before.members.difference(&self.conversation.members);
        organization.listed(removed).into_iter().collect()
    }
}
