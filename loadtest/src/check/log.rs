//! An organization's log as the back office reads it, as far as it decides who may see what.

use rotunda_protocol::conversation::Mark;
use rotunda_protocol::directory::{Role, TeammateStatus};
use rotunda_protocol::id::{ConversationId, EndpointId, TeamId, TeammateId};
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
    Item {
        conversation: ConversationId,
        number: u32,
    },
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
    pub(crate) items: u32,
    pub(crate) inbound: u32,
    pub(crate) activity_at: rotunda_protocol::Millis,
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
