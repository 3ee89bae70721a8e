//! A conversation as a list shows it: the row. Rows travel whole, never as patches (B39).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Millis;
use crate::id::{ContactId, ConversationId, EndpointId};
use crate::item::ItemKind;
use crate::principal::{Actor, Assignee, Mailbox, Principal};

/// Whom a conversation is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// With a contact, through an endpoint.
    Patient,
    /// Between teammates (R69).
    Team,
}

/// Open, or put away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConversationState {
    /// In a mailbox.
    Open,
    /// In no mailbox, held by nobody (R9, R10).
    Archived,
}

/// Who is outside, as a row needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// Their id.
    pub id: ContactId,
    /// Their name, or their address while no name is known.
    pub name: String,
    /// Their address at this endpoint, normalised.
    pub address: String,
}

/// What the newest item is, without its content: bodies go only to sessions that have the conversation open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LastItem {
    /// What it is.
    pub kind: ItemKind,
    /// Who made it.
    pub by: Actor,
    /// When.
    pub at: Millis,
}

/// A conversation, whole, as everybody who may see it sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Whom it is with.
    pub kind: ConversationKind,
    /// The endpoint it came in through; none for team conversations.
    pub endpoint: Option<EndpointId>,
    /// Who is outside; none for team conversations.
    pub contact: Option<Contact>,
    /// A team conversation's title.
    pub title: Option<String>,
    /// Members besides those of the endpoint.
    pub members: Vec<Principal>,
    /// Open or archived.
    pub state: ConversationState,
    /// The one mailbox it is in (R5).
    pub mailbox: Mailbox,
    /// Who holds it.
    pub assignee: Option<Assignee>,
    /// Conversation tags, sorted (R42).
    pub tags: Vec<String>,
    /// The number of the newest item; items are numbered from 1.
    pub items: u32,
    /// The number of the newest item from outside, 0 when there is none.
    pub inbound: u32,
    /// What the newest item is.
    pub last: Option<LastItem>,
    /// When it began.
    pub created_at: Millis,
    /// When something was last written in it; lists are sorted by this, newest first.
    pub activity_at: Millis,
    /// Rises by one with every change. Of two rows, the one with the higher `rev` is true.
    pub rev: u64,
}

/// What the row was before a change, sent only to those who could see it then (R73).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Was {
    /// The mailbox it was in.
    pub mailbox: Mailbox,
    /// Who held it.
    pub assignee: Option<Assignee>,
    /// The tags it had.
    pub tags: Vec<String>,
    /// The endpoint it came in through.
    pub endpoint: Option<EndpointId>,
}

/// Why something was assigned or reopened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A teammate took it (R2).
    Claim,
    /// Somebody said so.
    Manual,
    /// The endpoint's rule (R20).
    Auto,
    /// The endpoint's rule, but nobody was there to assign to (E10).
    AutoAssignUnavailable,
    /// It came back because something was received (R11).
    Inbound,
    /// It came back because a teammate wrote (E13).
    StaffPost,
    /// The organization's `reply_claims` policy (E13).
    ReplyClaims,
    /// The assignee may no longer see it (E2).
    LostAccess,
    /// The assignee has left (B31).
    TeammateRemoved,
    /// The team was deleted (E4).
    TeamDeleted,
}

/// One thing that happened to a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Happening {
    /// It began.
    Created,
    /// It got an item. The item itself goes to sessions that have the conversation open.
    Item {
        /// Its number.
        number: u32,
    },
    /// Its assignee changed.
    Assigned {
        /// Who held it.
        from: Option<Assignee>,
        /// Who holds it now.
        to: Option<Assignee>,
        /// Why.
        cause: Cause,
    },
    /// It was archived.
    Archived,
    /// It was reopened.
    Reopened {
        /// Why.
        cause: Cause,
    },
    /// Its tags changed.
    Tagged,
    /// Its members changed.
    Members,
}

/// What one teammate keeps about a conversation; only their own sessions are told (R71).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mark {
    /// The number of the newest item read; never falls. Unread is `items` less this.
    pub read: u32,
    /// Starred (C20).
    pub starred: bool,
    /// Rises by one with every change, from 0 for none. Of two marks, the one with the higher `rev` is true.
    pub rev: u32,
}

/// A row with what one keeps about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listed {
    /// The row.
    pub conversation: Conversation,
    /// One's own mark on it.
    pub mark: Mark,
}
