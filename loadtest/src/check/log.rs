//! An organization's log as the back office reads it, as far as it decides who may see what.

use rotunda_protocol::Millis;
use rotunda_protocol::conversation::{
    Contact, Conversation, ConversationKind, ConversationState, LastItem, Mark,
};
use rotunda_protocol::directory::{Role, TeammateStatus};
use rotunda_protocol::id::{ConversationId, EndpointId, TeamId, TeammateId};
use rotunda_protocol::item::Item;
use rotunda_protocol::principal::{Assignee, Mailbox, Principal};
use serde::Deserialize;

/// A page of the log.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub(crate) events: Vec<Logged>,
}

/// An entry.
#[derive(Debug, Deserialize)]
pub(crate) struct Logged {
    pub(crate) seq: u64,
    pub(crate) event: Event,
}

/// What one command did.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) changes: Vec<Change>,
}

/// One thing as it is from then on.
#[derive(Debug, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub(crate) enum Change {
    Teammate {
        id: TeammateId,
        role: Role,
        status: TeammateStatus,
    },
    Team {
        id: TeamId,
        members: Vec<TeammateId>,
        #[serde(default)]
        deleted: bool,
    },
    Endpoint {
        id: EndpointId,
        owner: Principal,
        members: Vec<Principal>,
    },
    Conversation {
        after: Box<Row>,
    },
    Item(Item),
    Mark {
        teammate: TeammateId,
        conversation: ConversationId,
        mark: Mark,
    },
    /// What changes nothing that anybody may see.
    #[serde(other)]
    Other,
}

/// A conversation as the log has it.
#[derive(Debug, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: ConversationId,
    #[serde(default)]
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) members: Vec<Principal>,
    state: State,
    #[serde(default)]
    assignment: Option<Assignment>,
    pub(crate) tags: Vec<String>,
    items: u32,
    inbound: u32,
    #[serde(default)]
    contact: Option<Contact>,
    #[serde(default)]
    title: Option<String>,
    last: Option<LastItem>,
    created_at: Millis,
    activity_at: Millis,
    pub(crate) rev: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Open,
    Archived,
}

#[derive(Debug, Deserialize)]
struct Assignment {
    to: Assignee,
}

impl Row {
    /// Who holds it.
    pub(crate) fn assignee(&self) -> Option<&Assignee> {
        self.assignment.as_ref().map(|assignment| &assignment.to)
    }

    /// The row as whoever may see it is shown it.
    pub(crate) fn as_shown(&self) -> Conversation {
        let patient = self.endpoint.is_some();
        let open = self.state == State::Open;
        Conversation {
            id: self.id.clone(),
            kind: if patient { ConversationKind::Patient } else { ConversationKind::Team },
            endpoint: self.endpoint.clone(),
            contact: self.contact.clone(),
            title: self.title.clone(),
            members: self.members.clone(),
            state: if open { ConversationState::Open } else { ConversationState::Archived },
            mailbox: self.mailbox(),
            assignee: self.assignee().cloned(),
            tags: self.tags.clone(),
            items: self.items,
            inbound: self.inbound,
            last: self.last.clone(),
            created_at: self.created_at,
            activity_at: self.activity_at,
            rev: self.rev,
        }
    }

    /// The one mailbox that it is in (R5, R9, R10), while the organization assigns.
    pub(crate) fn mailbox(&self) -> Mailbox {
        match (self.state, self.assignee()) {
            (State::Archived, _) => Mailbox::None,
            (State::Open, _) if self.endpoint.is_none() => Mailbox::Internal,
            (State::Open, None) => Mailbox::Shared,
            (State::Open, Some(Assignee::Team(team))) => Mailbox::Team(team.clone()),
            (State::Open, Some(Assignee::Teammate(teammate))) => Mailbox::Teammate(teammate.clone()),
        }
    }
}
