//! A conversation as the log has it, and what it looks like as a row.

use std::collections::BTreeSet;

use rotunda_protocol::Millis;
use rotunda_protocol::conversation::{
    self as wire, Contact, ConversationKind, ConversationState, LastItem, Was,
};
use rotunda_protocol::id::{ConversationId, EndpointId};
use rotunda_protocol::principal::{Actor, Assignee, Mailbox, Principal};
use serde::{Deserialize, Serialize};

/// Whom a conversation is with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "with", rename_all = "snake_case")]
pub enum Counterpart {
    /// A contact, through an endpoint. Another endpoint is another conversation (C16).
    Contact {
        /// The endpoint.
        endpoint: EndpointId,
        /// The contact, at the address they have there.
        contact: Contact,
    },
    /// Teammates (R69).
    Team {
        /// What it is about.
        title: String,
    },
}

/// Who holds a conversation, and how that came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Who holds it.
    pub to: Assignee,
    /// Who said so.
    pub by: Actor,
    /// When.
    pub at: Millis,
}

/// Open with or without an assignee, or archived without one: no other combination exists (R9).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// In a mailbox.
    Open {
        /// Who holds it.
        assignment: Option<Assignment>,
    },
    /// Put away.
    Archived,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Whom it is with.
    #[serde(flatten)]
    pub counterpart: Counterpart,
    /// Members besides those of the endpoint.
    pub members: BTreeSet<Principal>,
    /// Open or archived, and who holds it.
    #[serde(flatten)]
    pub state: State,
    /// Its tags, each as it was first written.
    pub tags: BTreeSet<String>,
    /// The number of the newest item.
    pub items: u32,
    /// The number of the newest item from outside.
    pub inbound: u32,
    /// What the newest item is.
    pub last: Option<LastItem>,
    /// When it began.
    pub created_at: Millis,
    /// When something was last written in it.
    pub activity_at: Millis,
    /// Rises by one with every change.
    pub rev: u64,
}

/// What has to be known of a conversation before a change: what it was in, and who could see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Its member list.
    pub members: BTreeSet<Principal>,
    /// Open or archived, and who held it.
    #[serde(flatten)]
    pub state: State,
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// When something had last been written in it.
    pub activity_at: Millis,
}

impl Conversation {
    /// The endpoint it came in through.
    pub fn endpoint(&self) -> Option<&EndpointId> {
        match &self.counterpart {
            Counterpart::Contact { endpoint, .. } => Some(endpoint),
            Counterpart::Team { .. } => None,
        }
    }

    /// Who holds it.
    pub fn assignee(&self) -> Option<&Assignee> {
        self.state.assignee()
    }

    /// It was put away.
    pub fn is_archived(&self) -> bool {
        self.state == State::Archived
    }

    /// What a change has to remember of it.
    pub fn before(&self) -> Before {
        Before {
            members: self.members.clone(),
            state: self.state.clone(),
            tags: self.tags.clone(),
            activity_at: self.activity_at,
        }
    }

    /// What it was before a change that has made it what it is, as far as a change remembers it.
    #[must_use]
    pub fn as_it_was(&self, was: &Before) -> Self {
        Self {
            members: was.members.clone(),
            state: was.state.clone(),
            tags: was.tags.clone(),
            activity_at: was.activity_at,
            ..self.clone()
        }
    }

    /// The one mailbox it is in (R5). `assignment` is the organization's switch: while it is off, everything
    /// open shows in the shared mailbox (E20).
    pub fn mailbox(&self, assignment: bool) -> Mailbox {
        mailbox(&self.counterpart, &self.state, assignment)
    }

    /// Its row, the same for everybody who may see it.
    pub fn to_wire(&self, assignment: bool) -> wire::Conversation {
        let (kind, endpoint, contact, title) = match &self.counterpart {
            Counterpart::Contact { endpoint, contact } => {
                (ConversationKind::Patient, Some(endpoint.clone()), Some(contact.clone()), None)
            }
            Counterpart::Team { title } => (ConversationKind::Team, None, None, Some(title.clone())),
        };
        wire::Conversation {
            id: self.id.clone(),
            kind,
            endpoint,
            contact,
            title,
            members: self.members.iter().cloned().collect(),
            state: match self.state {
                State::Open { .. } => ConversationState::Open,
                State::Archived => ConversationState::Archived,
            },
            mailbox: self.mailbox(assignment),
            assignee: self.assignee().filter(|_| assignment).cloned(),
            tags: self.tags.iter().cloned().collect(),
            items: self.items,
            inbound: self.inbound,
            last: self.last.clone(),
            created_at: self.created_at,
            activity_at: self.activity_at,
            rev: self.rev,
        }
    }

    /// What a change of this conversation tells those who could see it before.
    pub fn was(&self, before: &Before, assignment: bool) -> Was {
        Was {
            mailbox: self.mailbox_before(before, assignment),
            assignee: before.state.assignee().filter(|_| assignment).cloned(),
            tags: before.tags.iter().cloned().collect(),
            endpoint: self.endpoint().cloned(),
        }
    }

    /// The mailbox it was in before a change.
    pub fn mailbox_before(&self, before: &Before, assignment: bool) -> Mailbox {
        mailbox(&self.counterpart, &before.state, assignment)
    }
}

impl State {
    /// Open, held by nobody.
    pub const SHARED: Self = Self::Open { assignment: None };

    /// Who holds it.
    pub fn assignee(&self) -> Option<&Assignee> {
        match self {
            Self::Open { assignment } => assignment.as_ref().map(|assignment| &assignment.to),
            Self::Archived => None,
        }
    }
}

/// The one function that says which mailbox a conversation is in: lists, counts and pushes all ask it (B34).
fn mailbox(counterpart: &Counterpart, state: &State, assignment: bool) -> Mailbox {
    match (counterpart, state) {
        (_, State::Archived) => Mailbox::None,
        (Counterpart::Team { .. }, State::Open { .. }) => Mailbox::Internal,
        (Counterpart::Contact { .. }, State::Open { assignment: held }) => match held {
            Some(held) if assignment => held.to.clone().into(),
            Some(_) | None => Mailbox::Shared,
        },
    }
}
