//! Whom an event is for, and what each of them is told: the prefix rule, as a function.
//!
//! [`effects`] compares the organization before and after an event. Everything that leaves the hub because of
//! an event is one of these effects; nothing else decides who hears what.

use std::collections::BTreeSet;
use std::sync::Arc;

use rotunda_protocol::conversation::Was;
use rotunda_protocol::directory::Role;
use rotunda_protocol::id::{ConversationId, EndpointId, TeammateId};
use rotunda_protocol::item::Item;
use rotunda_protocol::push::{Marked, Push};

use super::access::{self, Staff};
use super::conversation::Conversation;
use super::directory::{Endpoint, Teammate};
use super::event::{Change, ConversationChange, Event};
use super::organization::Organization;

/// Whom something is told. There is no default, and no empty set that means everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Every session of every active teammate.
    Everyone,
    /// Every session of these teammates.
    These(BTreeSet<TeammateId>),
    /// Those sessions of these teammates that have the conversation open.
    Opened(ConversationId, Staff),
}

/// What something tells about: what has to be asked again if access narrows before it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The roster, the teams, the organization: open to every active teammate.
    Roster,
    /// What only admins are told.
    Administration,
    /// These endpoints, all of them.
    Endpoints(Arc<[EndpointId]>),
    /// A conversation, as it was then.
    Conversation(Arc<Conversation>),
    /// An archived conversation, of which only the id is at hand.
    Archived,
    /// Nothing that could be lost: the loss itself.
    Loss,
}

/// One consequence of an event, in the order in which they are to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// What this teammate may see has shrunk: whatever is not yet written and now hidden is dropped.
    Narrow(TeammateId),
    /// This teammate may no longer be here.
    End(TeammateId),
    /// Every row changed without a change of its own: everybody starts over.
    Reset,
    /// Somebody is told something.
    Tell {
        /// Whom.
        to: Audience,
        /// What.
        push: Box<Push>,
        /// What it is about.
        about: Subject,
    },
}

/// What follows from an event, for the teammates of whom `is_here` says that they have a session.
pub fn effects(
    before: &Organization,
    after: &Organization,
    event: &Event,
    is_here: &dyn Fn(&TeammateId) -> bool,
) -> Vec<Effect> {
    let mut effects = Vec::new();
    let access_changed = scopes(before, after, event, is_here, &mut effects);
    if before.reset() != after.reset() {
        effects.push(Effect::Reset);
    }
    let mut names_changed = before.to_wire() != after.to_wire();
    for change in &event.changes {
        match change {
            Change::Teammate(teammate) => tell_teammate(before, after, teammate, &mut effects),
            Change::Team(team) => {
                let push = Push::Team { team: team.to_wire() };
                effects.push(tell(Audience::Everyone, push, Subject::Roster));
            }
            Change::Endpoint(endpoint) => tell_endpoint(before, after, endpoint, &mut effects),
            Change::Conversation(change) => {
                tell_conversation(before, after, event, change, access_changed, &mut effects);
            }
            Change::Item(item) => tell_item(after, event, item, &mut effects),
            Change::Mark { teammate, conversation, mark } => {
                let marked = Marked { conversation: conversation.clone(), mark: *mark };
                let open = after.conversation(conversation).cloned();
                let about = open.map_or(Subject::Archived, Subject::Conversation);
                effects.push(tell(one(teammate), Push::Mark(marked), about));
            }
            // The organization is told below; a contact as part of the conversations they are in, a tag likewise.
            Change::Organization(_) | Change::Contact(_) | Change::Tag { .. } => {}
        }
        if std::mem::take(&mut names_changed)
            && let Some(organization) = after.to_wire()
        {
            effects.push(tell(Audience::Everyone, Push::Organization { organization }, Subject::Roster));
        }
    }
    effects
}

fn tell(to: Audience, push: Push, about: Subject) -> Effect {
    Effect::Tell { to, push: Box::new(push), about }
}

fn one(teammate: &TeammateId) -> Audience {
    Audience::These(BTreeSet::from([teammate.clone()]))
}

/// What changed for whom as a whole: one push for each affected teammate, however many conversations (E15).
/// True if any change of the event could have changed it.
fn scopes(
    before: &Organization,
    after: &Organization,
    event: &Event,
    is_here: &dyn Fn(&TeammateId) -> bool,
    effects: &mut Vec<Effect>,
) -> bool {
    let mut concerned = BTreeSet::new();
    let mut any = false;
    for change in &event.changes {
        any |= concern(before, after, change, &mut concerned);
    }
    for teammate in concerned.into_iter().filter(is_here) {
        if !after.is_active(&teammate) {
            effects.push(Effect::End(teammate));
            continue;
        }
        let (old, new) = (before.access(&teammate), after.access(&teammate));
        let viewed = |of: &Organization| -> BTreeSet<_> {
            of.endpoints().filter(|endpoint| of.can_view(&teammate, endpoint)).map(|e| e.id.clone()).collect()
        };
        let (viewed_before, viewed_now) = (viewed(before), viewed(after));
        let revoked = access::difference(&old, &new);
        let narrowed = revoked != access::Access::default()
            || !viewed_before.is_subset(&viewed_now)
            || before.is_admin(&teammate) && !after.is_admin(&teammate);
        if narrowed {
            effects.push(Effect::Narrow(teammate.clone()));
        }
        if old == new && viewed_before == viewed_now {
            continue;
        }
        let granted = access::difference(&new, &old);
        let endpoints =
            viewed_now.iter().filter_map(|id| after.endpoint(id)).map(Endpoint::to_wire).collect();
        let push = Push::Scope { access: new, granted, revoked, endpoints };
        // Of these one may be lost before this was heard.
        let about = Subject::Endpoints(viewed_now.into_iter().collect());
        effects.push(tell(one(&teammate), push, about));
    }
    any
}

/// Whose access a change could have changed as a whole. True if it could have been anybody's.
fn concern(
    before: &Organization,
    after: &Organization,
    change: &Change,
    concerned: &mut BTreeSet<TeammateId>,
) -> bool {
    match change {
        Change::Endpoint(endpoint) => {
            let old: BTreeSet<_> =
                before.endpoint(&endpoint.id).into_iter().flat_map(Endpoint::principals).collect();
            let new: BTreeSet<_> = endpoint.principals().collect();
            let differing = old.symmetric_difference(&new).copied();
            concerned.extend(before.members_of(before.expand(differing.clone())));
            concerned.extend(after.members_of(after.expand(differing)));
            if before.endpoint(&endpoint.id).is_none() {
                concerned.extend(after.active_teammates().filter(|t| t.is_admin()).map(|t| t.id.clone()));
            }
            true
        }
        Change::Team(team) => {
            let none = BTreeSet::new();
            let old = before.team(&team.id).map_or(&none, |team| &team.members);
            concerned.extend(old.symmetric_difference(&team.members).cloned());
            true
        }
        Change::Teammate(teammate) => {
            concerned.insert(teammate.id.clone());
            true
        }
        Change::Organization(_)
        | Change::Contact(_)
        | Change::Tag { .. }
        | Change::Conversation(_)
        | Change::Item(_)
        | Change::Mark { .. } => false,
    }
}

/// The roster is for everybody; a role only for admins and the teammate themselves (B14).
fn tell_teammate(
    before: &Organization,
    after: &Organization,
    teammate: &Teammate,
    effects: &mut Vec<Effect>,
) {
    let mut insiders: BTreeSet<TeammateId> = after
        .active_teammates()
        .filter(|other| other.role == Role::Admin)
        .map(|other| other.id.clone())
        .collect();
    insiders.extend(teammate.is_active().then(|| teammate.id.clone()));
    let was = before.teammate(&teammate.id);
    let public = was.map(|was| was.to_wire(false)) != Some(teammate.to_wire(false));
    let outsiders: BTreeSet<TeammateId> = after
        .active_teammates()
        .map(|other| &other.id)
        .filter(|other| public && !insiders.contains(*other))
        .cloned()
        .collect();
    let push = |with_role| Push::Teammate { teammate: teammate.to_wire(with_role) };
    effects.push(tell(Audience::These(insiders), push(true), Subject::Administration));
    if !outsiders.is_empty() {
        effects.push(tell(Audience::These(outsiders), push(false), Subject::Roster));
    }
    // Whoever becomes an admin learns everybody's role.
    if after.is_admin(&teammate.id) && !before.is_admin(&teammate.id) {
        for other in after.teammates().filter(|other| other.value.id != teammate.id) {
            let push = Push::Teammate { teammate: other.value.to_wire(true) };
            effects.push(tell(one(&teammate.id), push, Subject::Administration));
        }
    }
}

/// To its members and the admins, not to others: that it exists may itself be sensitive.
fn tell_endpoint(
    before: &Organization,
    after: &Organization,
    endpoint: &Endpoint,
    effects: &mut Vec<Effect>,
) {
    if before.endpoint(&endpoint.id).is_none() {
        return; // Everybody concerned got it with their new scope.
    }
    let to = match after.expand(endpoint.principals()) {
        Staff::Everyone => Audience::Everyone,
        Staff::These(mut these) => {
            these.extend(after.active_teammates().filter(|t| t.is_admin()).map(|t| t.id.clone()));
            Audience::These(these)
        }
    };
    let about = Subject::Endpoints([endpoint.id.clone()].into());
    effects.push(tell(to, Push::Endpoint { endpoint: endpoint.to_wire() }, about));
}

/// The row to everybody who sees it now, what it was only to those who saw it then, and `gone` to those for whom a
/// member stood that has left it, unless they see it all the same.
fn tell_conversation(
    before: &Organization,
    after: &Organization,
    event: &Event,
    change: &ConversationChange,
    access_changed: bool,
    effects: &mut Vec<Effect>,
) {
    let row = &change.after;
    let now = after.staff(row);
    let departed = change.departed.iter().filter(|loser| after.is_active(loser));
    for loser in departed.filter(|loser| !after.can_see(loser, row)) {
        effects.push(Effect::Narrow(loser.clone()));
        effects.push(tell(one(loser), Push::Gone { conversation: row.id.clone() }, Subject::Loss));
    }
    let push = |was: Option<Was>| Push::Conversation {
        conversation: row.to_wire(after.assignment()),
        happened: change.happened.clone(),
        by: event.by.clone(),
        at: event.at,
        was,
    };
    let about = || Subject::Conversation(Arc::new(row.clone()));
    let audience = |staff: Staff| match staff {
        Staff::Everyone => Audience::Everyone,
        Staff::These(these) => Audience::These(these),
    };
    match &change.before {
        None => effects.push(tell(audience(now), push(None), about())),
        Some(was) => {
            let told = push(Some(row.was(was, before.assignment())));
            if !access_changed && was.members == row.members {
                effects.push(tell(audience(now), told, about()));
            } else {
                let saw = before.members_of(before.staff(&row.as_it_was(was)));
                let sees = after.members_of(now);
                let stayed: BTreeSet<_> = sees.intersection(&saw).cloned().collect();
                let entered: BTreeSet<_> = sees.difference(&saw).cloned().collect();
                effects.push(tell(Audience::These(stayed), told, about()));
                effects.push(tell(Audience::These(entered.clone()), push(None), about()));
                tell_marks(after, row, &entered, effects);
            }
        }
    }
    let sees = |teammate: &TeammateId| after.can_see(teammate, row);
    let back: BTreeSet<_> = change.marks.iter().map(|(of, _)| of).filter(|of| sees(of)).cloned().collect();
    tell_marks(after, row, &back, effects);
}

/// A row that is new in view brings one's own mark along, if there is one.
fn tell_marks(
    after: &Organization,
    row: &Conversation,
    to: &BTreeSet<TeammateId>,
    effects: &mut Vec<Effect>,
) {
    for (teammate, mark) in after.shelf().marks(&row.id).filter(|(teammate, _)| to.contains(*teammate)) {
        let marked = Marked { conversation: row.id.clone(), mark: *mark };
        let about = Subject::Conversation(Arc::new(row.clone()));
        effects.push(tell(one(teammate), Push::Mark(marked), about));
    }
}

/// Bodies go only to sessions that have the conversation open: minimum necessary.
fn tell_item(after: &Organization, event: &Event, item: &Item, effects: &mut Vec<Effect>) {
    let of_item = |change: &&ConversationChange| change.after.id == item.conversation;
    if let Some(change) = event.conversations().find(of_item) {
        let to = Audience::Opened(item.conversation.clone(), after.staff(&change.after));
        let about = Subject::Conversation(Arc::new(change.after.clone()));
        effects.push(tell(to, Push::Item { item: item.clone() }, about));
    }
}
