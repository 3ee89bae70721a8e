//! What the batches of one commit write: each row once, as the last of their events left it. Pure, and the
//! same for every database.

use std::collections::{BTreeMap, BTreeSet};

use rotunda_protocol::Millis;
use rotunda_protocol::conversation::{Contact, Mark};
use rotunda_protocol::id::{ContactId, ConversationId, EndpointId, OrganizationId, TeamId, TeammateId};
use rotunda_protocol::item::Item;

use super::{Batch, RefRecord};
use crate::domain::conversation::{Before, Conversation, State};
use crate::domain::directory::{Endpoint, Profile, Team, Teammate};
use crate::domain::event::{Change, ConversationChange, Event, Seq};

/// Rows by their key, so that each is written once and neighbours are written together.
type Keyed<'a, Id, Row> = BTreeMap<(&'a OrganizationId, Id), Row>;

/// What a commit writes besides the heads of its logs.
#[derive(Debug, Default)]
pub(super) struct Rows<'a> {
    pub(super) events: Vec<(&'a OrganizationId, Seq, &'a Event)>,
    /// With the time from which a `ref`'s day counts.
    pub(super) refs: Vec<(&'a OrganizationId, &'a RefRecord, Millis)>,
    pub(super) profiles: BTreeMap<&'a OrganizationId, (&'a Profile, Seq)>,
    pub(super) teammates: Keyed<'a, &'a TeammateId, (&'a Teammate, Seq)>,
    pub(super) teams: Keyed<'a, &'a TeamId, (&'a Team, Seq)>,
    pub(super) endpoints: Keyed<'a, &'a EndpointId, (&'a Endpoint, Seq)>,
    pub(super) contacts: Keyed<'a, &'a ContactId, &'a Contact>,
    pub(super) tags: BTreeSet<(&'a OrganizationId, &'a str)>,
    pub(super) conversations: Keyed<'a, &'a ConversationId, ConversationRow<'a>>,
    pub(super) items: Vec<(&'a OrganizationId, &'a Item, Seq)>,
    pub(super) marks: Keyed<'a, (&'a ConversationId, &'a TeammateId), (Mark, Seq)>,
    pub(super) departures: BTreeSet<(&'a OrganizationId, &'a TeammateId, Seq, &'a ConversationId)>,
}

/// A conversation's row, and what the database holds of it until this commit.
#[derive(Debug)]
pub(super) struct ConversationRow<'a> {
    pub(super) after: &'a Conversation,
    pub(super) before: Option<&'a Before>,
    pub(super) changed: Seq,
}

impl<'a> Rows<'a> {
    /// Takes in a batch. `now` dates the `ref`s of a batch without events.
    pub(super) fn add(&mut self, batch: &'a Batch, now: Millis) {
        let organization = &batch.organization;
        let mut seq = batch.expected;
        for event in &batch.events {
            seq = seq.next();
            self.events.push((organization, seq, event));
            for change in &event.changes {
                self.change(organization, seq, change);
            }
        }
        let at = batch.events.last().map_or(now, |event| event.at);
        self.refs.extend(batch.refs.iter().map(|record| (organization, record, at)));
    }

    fn change(&mut self, organization: &'a OrganizationId, seq: Seq, change: &'a Change) {
        match change {
            Change::Organization(profile) => {
                self.profiles.insert(organization, (profile, seq));
            }
            Change::Teammate(teammate) => {
                self.teammates.insert((organization, &teammate.id), (teammate, seq));
            }
            Change::Team(team) => {
                self.teams.insert((organization, &team.id), (team, seq));
            }
            Change::Endpoint(endpoint) => {
                self.endpoints.insert((organization, &endpoint.id), (endpoint, seq));
            }
            Change::Contact(contact) => {
                self.contacts.insert((organization, &contact.id), contact);
            }
            Change::Tag { name } => {
                self.tags.insert((organization, name));
            }
            Change::Conversation(change) => self.conversation(organization, seq, change),
            Change::Item(item) => self.items.push((organization, item, seq)),
            Change::Mark { teammate, conversation, mark } => {
                self.marks.insert((organization, (conversation, teammate)), (*mark, seq));
            }
        }
    }

    fn conversation(&mut self, organization: &'a OrganizationId, seq: Seq, change: &'a ConversationChange) {
        let ConversationChange { after, before, departed, happened: _, marks: _ } = change;
        self.departures.extend(departed.iter().map(|teammate| (organization, teammate, seq, &after.id)));
        self.conversations
            .entry((organization, &after.id))
            // What the database holds is what the first change of this commit found.
            .and_modify(|row| (row.after, row.changed) = (after, seq))
            .or_insert(ConversationRow { after, before: before.as_ref(), changed: seq });
    }
}

impl ConversationRow<'_> {
    /// It was open and is. Whom it is with and through which endpoint never changes.
    pub(super) fn stays_open(&self) -> bool {
        self.before.is_some_and(|before| before.state != State::Archived) && !self.after.is_archived()
    }

    /// Its members' rows have to be written: the list differs, or what they repeat of the conversation does.
    pub(super) fn members_differ(&self) -> bool {
        self.before.is_none_or(|before| {
            before.members != self.after.members
                || archived_activity(&before.state, before.activity_at) != self.archived_activity()
        })
    }

    /// Its tags have to be written.
    pub(super) fn tags_differ(&self) -> bool {
        self.before.is_none_or(|before| before.tags != self.after.tags)
    }

    /// When something was last written in it, if it is archived.
    pub(super) fn archived_activity(&self) -> Option<Millis> {
        archived_activity(&self.after.state, self.after.activity_at)
    }
}

fn archived_activity(state: &State, activity_at: Millis) -> Option<Millis> {
    match state {
        State::Open { .. } => None,
        State::Archived => Some(activity_at),
    }
}
