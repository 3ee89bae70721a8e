//! The rules of visibility a second time, written from the page and not from the code: plain maps of text, and
//! loops over all of them.

use std::collections::{BTreeMap, BTreeSet};

use rotunda_protocol::Millis;
use rotunda_protocol::directory::TeammateStatus;
use rotunda_protocol::principal::Principal;

use crate::domain::conversation::{Conversation, Counterpart, State};
use crate::domain::event::{Change, Event};

/// An organization as an outsider would keep it who reads its log.
#[derive(Default)]
pub(super) struct Model {
    pub(super) teammates: BTreeMap<String, TeammateStatus>,
    pub(super) rows: BTreeMap<String, Row>,
    teams: BTreeMap<String, BTreeSet<String>>,
    endpoints: BTreeMap<String, BTreeSet<String>>,
    assignment: bool,
}

/// A conversation.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) endpoint: Option<String>,
    pub(super) members: BTreeSet<String>,
    assignee: Option<String>,
    archived: bool,
    activity_at: Millis,
}

fn texts<'a>(principals: impl IntoIterator<Item = &'a Principal>) -> BTreeSet<String> {
    principals.into_iter().map(ToString::to_string).collect()
}

impl Model {
    /// Reads the next event.
    pub(super) fn read(&mut self, event: &Event) {
        for change in &event.changes {
            match change {
                Change::Organization(profile) => self.assignment = profile.features.assignment,
                Change::Teammate(teammate) => {
                    self.teammates.insert(teammate.id.to_string(), teammate.status);
                }
                Change::Team(team) => {
                    let members = team.members.iter().map(ToString::to_string).collect();
                    self.teams.insert(team.id.to_string(), members);
                }
                Change::Endpoint(endpoint) => {
                    let mut entries = texts(&endpoint.members);
                    entries.insert(endpoint.owner.to_string());
                    self.endpoints.insert(endpoint.id.to_string(), entries);
                }
                Change::Conversation(change) => {
                    self.rows.insert(change.after.id.to_string(), row(&change.after));
                }
                Change::Contact(_) | Change::Tag { .. } | Change::Item(_) | Change::Mark { .. } => {}
            }
        }
    }

    /// May sign in.
    pub(super) fn is_active(&self, teammate: &str) -> bool {
        self.teammates.get(teammate) == Some(&TeammateStatus::Active)
    }

    /// Every entry of an access list that stands for a teammate.
    pub(super) fn entries_for(&self, teammate: &str) -> BTreeSet<String> {
        let status = self.teammates.get(teammate);
        if status.is_none_or(|status| *status == TeammateStatus::Removed) {
            return BTreeSet::new();
        }
        let teams = self.teams.iter().filter(|(_, members)| members.contains(teammate));
        let teams = teams.map(|(team, _)| format!("team:{team}"));
        teams.chain(["organization".to_owned(), format!("teammate:{teammate}")]).collect()
    }

    /// Stands on the access list of a conversation.
    pub(super) fn is_listed(&self, teammate: &str, row: &Row) -> bool {
        let mine = self.entries_for(teammate);
        let given = row.endpoint.as_ref().and_then(|endpoint| self.endpoints.get(endpoint));
        given.is_some_and(|given| !given.is_disjoint(&mine)) || !row.members.is_disjoint(&mine)
    }

    /// May see a conversation.
    pub(super) fn can_see(&self, teammate: &str, row: &Row) -> bool {
        self.is_active(teammate) && self.is_listed(teammate, row)
    }

    /// Everything a teammate may see.
    pub(super) fn visible(&self, teammate: &str) -> BTreeSet<String> {
        let rows = self.rows.iter().filter(|(_, row)| self.can_see(teammate, row));
        rows.map(|(id, _)| id.clone()).collect()
    }

    /// The mailbox a conversation is in.
    pub(super) fn mailbox(&self, row: &Row) -> String {
        match (&row.endpoint, &row.assignee) {
            _ if row.archived => "none".into(),
            (None, _) => "internal".into(),
            (Some(_), Some(assignee)) if self.assignment => assignee.clone(),
            (Some(_), _) => "shared".into(),
        }
    }

    /// A mailbox as a teammate should see it.
    pub(super) fn list(&self, teammate: &str, mailbox: &str) -> Vec<String> {
        let here = |row: &Row| self.mailbox(row) == mailbox && self.can_see(teammate, row);
        let mut found: Vec<_> = self.rows.iter().filter(|(_, row)| here(row)).collect();
        found.sort_by(|(a, x), (b, y)| y.activity_at.cmp(&x.activity_at).then(b.cmp(a)));
        found.into_iter().map(|(id, _)| id.clone()).collect()
    }

    /// Invariants 1 and 2: whoever holds a conversation is on its access list, and nobody holds what is archived.
    pub(super) fn check_assignees(&self) {
        for (id, row) in &self.rows {
            let Some(assignee) = &row.assignee else { continue };
            assert!(!row.archived, "2: {id}");
            let kept = match assignee.split_once(':') {
                Some(("team", team)) => self.teams[team].iter().any(|member| self.is_listed(member, row)),
                Some((_, teammate)) => self.is_listed(teammate, row),
                None => false,
            };
            assert!(kept, "1: {assignee} holds {id}");
        }
    }
}

fn row(conversation: &Conversation) -> Row {
    let endpoint = match &conversation.counterpart {
        Counterpart::Contact { endpoint, .. } => Some(endpoint.to_string()),
        Counterpart::Team { .. } => None,
    };
    let assignee = match &conversation.state {
        State::Open { assignment } => assignment.as_ref().map(|held| held.to.to_string()),
        State::Archived => None,
    };
    Row {
        endpoint,
        members: texts(&conversation.members),
        assignee,
        archived: conversation.state == State::Archived,
        activity_at: conversation.activity_at,
    }
}
