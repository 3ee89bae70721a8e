//! A decision in the making: a copy of the organization that the decision changes as it goes, and the list of
//! those changes. A refusal drops both; nothing is ever undone.

use std::collections::BTreeSet;

use imbl::HashMap;
use rotunda_protocol::Millis;
use rotunda_protocol::command::Done;
use rotunda_protocol::conversation::{Cause, Contact, Mark};
use rotunda_protocol::directory::Role;
use rotunda_protocol::id::{ConversationId, EndpointId, TeammateId};
use rotunda_protocol::principal::{Actor, Assignee, Principal};
use rotunda_protocol::refusal::Refusal;

use super::conversation::{Conversation, State};
use super::directory::Endpoint;
use super::edit::Edit;
use super::event::{Change, ConversationChange, Event};
use super::organization::Organization;

/// Makes ids: each call a new one, hard to guess.
pub type Mint<'a> = &'a mut dyn FnMut() -> String;

/// An archived conversation, brought in for a decision, with the marks on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The conversation.
    pub conversation: Conversation,
    /// The marks on it.
    pub marks: Vec<(TeammateId, Mark)>,
}

/// What decisions work on: the organization, and what was brought in from the store for them.
#[derive(Debug, Clone)]
pub struct Working {
    /// The organization, including everything decided so far.
    pub organization: Organization,
    /// Archived conversations that were needed, as decided so far.
    pub archived: HashMap<ConversationId, Archived>,
    /// Contacts that were needed, by address, as decided so far.
    pub contacts: HashMap<String, Contact>,
}

impl Working {
    /// To work on an organization.
    pub fn new(organization: Organization) -> Self {
        Self { organization, archived: HashMap::new(), contacts: HashMap::new() }
    }
}

/// A decision in the making.
pub struct Draft<'a> {
    /// What it works on.
    pub working: Working,
    /// Who asked.
    pub actor: Actor,
    /// When.
    pub at: Millis,
    mint: Mint<'a>,
    changes: Vec<Change>,
}

impl<'a> Draft<'a> {
    /// Nothing decided yet.
    pub fn new(working: &Working, actor: Actor, at: Millis, mint: Mint<'a>) -> Self {
        let mut working = working.clone();
        working.organization.advance();
        Self { working, actor, at, mint, changes: Vec::new() }
    }

    /// What was decided, if anything, and what to go on working with.
    pub fn finish(self) -> Option<(Event, Working)> {
        let event = Event { at: self.at, by: self.actor, changes: self.changes };
        (!event.changes.is_empty()).then_some((event, self.working))
    }

    /// The organization as decided so far.
    pub fn organization(&self) -> &Organization {
        &self.working.organization
    }

    /// A new id.
    pub fn mint<T: std::str::FromStr>(&mut self) -> T {
        match (self.mint)().parse() {
            Ok(id) => id,
            Err(_) => unreachable!("the mint makes ids"),
        }
    }

    /// Decides one change.
    pub fn change(&mut self, change: Change) {
        self.working.organization.apply_change(&change);
        self.changes.push(change);
    }

    /// The teammate who asked, if it was one. Sessions of anybody but active teammates do not get here.
    pub fn caller(&self) -> Option<&TeammateId> {
        match &self.actor {
            Actor::Teammate(id) => Some(id),
            Actor::Service(_) | Actor::Contact => None,
        }
    }

    /// The teammate who asked; for commands that only make sense for a person.
    pub fn person(&self) -> Result<TeammateId, Refusal> {
        self.caller().cloned().ok_or(Refusal::Forbidden)
    }

    /// Only admins and the back office may go on.
    pub fn administrator(&self) -> Result<(), Refusal> {
        match self.caller() {
            Some(id) if !self.organization().is_admin(id) => Err(Refusal::Forbidden),
            Some(_) | None => Ok(()),
        }
    }

    /// Only the back office may go on.
    pub fn back_office(&self) -> Result<(), Refusal> {
        if self.caller().is_some() { Err(Refusal::Forbidden) } else { Ok(()) }
    }

    /// A principal that can be given access now: the organization, an existing team, a teammate who has not left.
    pub fn existing(&self, principal: &Principal) -> Result<(), Refusal> {
        let organization = self.organization();
        let exists = match principal {
            Principal::Organization => true,
            Principal::Team(id) => organization.team(id).is_some_and(|team| !team.deleted),
            Principal::Teammate(id) => organization.covers(&Principal::Organization, id),
        };
        if exists { Ok(()) } else { Err(Refusal::invalid("members", &format!("there is no {principal}"))) }
    }

    /// A conversation that the caller may see; everything else does not exist (R52).
    pub fn conversation(&self, id: &ConversationId) -> Result<&Conversation, Refusal> {
        let organization = self.organization();
        let open = organization.conversation(id).map(|open| &**open);
        let found = open.or_else(|| self.working.archived.get(id).map(|archived| &archived.conversation));
        let visible = found.filter(|conversation| {
            self.caller().is_none_or(|caller| organization.can_see(caller, conversation))
        });
        visible.ok_or(Refusal::NotFound)
    }

    /// An endpoint that the caller may know of; everything else does not exist.
    pub fn endpoint(&self, id: &EndpointId) -> Result<&Endpoint, Refusal> {
        let organization = self.organization();
        let visible = organization
            .endpoint(id)
            .filter(|endpoint| self.caller().is_none_or(|caller| organization.can_view(caller, endpoint)));
        visible.ok_or(Refusal::NotFound)
    }

    /// The caller may write through an endpoint.
    pub fn may_use(&self, endpoint: &Endpoint) -> bool {
        self.caller().is_none_or(|caller| self.organization().can_use(caller, endpoint))
    }

    /// A teammate's mark on a conversation that the caller may see.
    pub fn mark(&self, id: &ConversationId, teammate: &TeammateId) -> Mark {
        match self.working.archived.get(id) {
            Some(archived) => {
                let found = archived.marks.iter().find(|(of, _)| of == teammate);
                found.map(|(_, mark)| *mark).unwrap_or_default()
            }
            None => self.organization().shelf().mark(id, teammate),
        }
    }

    /// Begins changing a conversation that the caller may see, if it still has the expected `rev`.
    pub fn edit(&self, id: &ConversationId, expect_rev: Option<u64>) -> Result<Edit, Refusal> {
        let conversation = self.conversation(id)?.clone();
        match expect_rev {
            Some(expected) if expected != conversation.rev => Err(Refusal::Stale { rev: conversation.rev }),
            Some(_) | None => Ok(Edit::of(conversation)),
        }
    }

    /// Decides a changed conversation. Whoever holds it and may no longer see it loses it here (E2).
    pub fn put(&mut self, mut edit: Edit) -> u64 {
        edit.release_if_lost(self.organization(), &self.actor, self.at);
        edit.conversation.rev += 1;
        let rev = edit.conversation.rev;
        let departed = edit.departed(self.organization());
        let id = edit.conversation.id.clone();
        let was_archived = edit.before.as_ref().is_some_and(|before| before.state == State::Archived);
        let brought_in = self.working.archived.remove(&id).filter(|_| was_archived);
        let mut marks = brought_in.map(|archived| archived.marks).unwrap_or_default();
        if edit.conversation.is_archived() {
            let kept = if was_archived { std::mem::take(&mut marks) } else { self.open_marks(&id) };
            self.working
                .archived
                .insert(id, Archived { conversation: edit.conversation.clone(), marks: kept });
        }
        self.change(Change::Conversation(Box::new(ConversationChange {
            after: edit.conversation,
            before: edit.before,
            happened: edit.happened,
            departed,
            marks,
        })));
        for item in edit.items {
            self.change(Change::Item(item));
        }
        rev
    }

    fn open_marks(&self, id: &ConversationId) -> Vec<(TeammateId, Mark)> {
        self.organization().shelf().marks(id).map(|(teammate, mark)| (teammate.clone(), *mark)).collect()
    }

    /// Decides a changed conversation, and says so.
    pub fn conclude(&mut self, edit: Edit, item: Option<u32>) -> Done {
        let conversation = edit.conversation.id.clone();
        let rev = self.put(edit);
        Done::Conversation { conversation, rev, item }
    }

    /// Decides a mark.
    pub fn put_mark(&mut self, conversation: ConversationId, teammate: TeammateId, mark: Mark) {
        if let Some(archived) = self.working.archived.get_mut(&conversation) {
            archived.marks.retain(|(of, _)| *of != teammate);
            archived.marks.push((teammate.clone(), mark));
        }
        self.change(Change::Mark { teammate, conversation, mark });
    }

    /// There is still somebody who administers (E5).
    pub fn still_administered(&self) -> Result<(), Refusal> {
        let organization = self.organization();
        if organization.active_teammates().any(|teammate| teammate.role == Role::Admin) {
            Ok(())
        } else {
            Err(Refusal::LastAdmin)
        }
    }

    /// Access of some teammates may have shrunk: what they hold and may no longer see goes back (E2).
    /// Costs what they, and the teams they are or were in, hold.
    pub fn release_lost(&mut self, shrunk: &BTreeSet<TeammateId>, teams: BTreeSet<Assignee>, cause: Cause) {
        let organization = self.organization();
        let theirs = shrunk.iter().cloned().map(Assignee::Teammate);
        let of_teams = shrunk.iter().flat_map(|id| organization.teams_of(id)).cloned().map(Assignee::Team);
        let assignees: BTreeSet<Assignee> = theirs.chain(of_teams).chain(teams).collect();
        let mut lost = Vec::new();
        for assignee in &assignees {
            let held = organization.shelf().held_by(assignee);
            let held = held.filter_map(|id| organization.conversation(id));
            lost.extend(held.filter(|held| !organization.can_keep(assignee, held)).cloned());
        }
        for conversation in lost {
            let mut edit = Edit::of((*conversation).clone());
            edit.assign(None, self.actor.clone(), self.at, cause);
            self.put(edit);
        }
    }
}
