//! Events: the entries of an organization's log. What an event changes is in it whole, so that applying it
//! needs nothing but the state before, on any node, at any time.

use rotunda_protocol::Millis;
use rotunda_protocol::conversation::{Contact, Happening, Mark};
use rotunda_protocol::id::{ConversationId, TeammateId};
use rotunda_protocol::item::Item;
use rotunda_protocol::principal::Actor;
use serde::{Deserialize, Serialize};

use super::conversation::{Before, Conversation};
use super::directory::{Endpoint, Profile, Team, Teammate};

/// An entry's number in its organization's log, from 1. 0 is the empty log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The number of the entry after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What one command did: all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, by the clock of the node that decided.
    pub at: Millis,
    /// Who.
    pub by: Actor,
    /// What, in the order in which it is to be applied.
    pub changes: Vec<Change>,
}

impl Event {
    /// The conversations that it changed.
    pub fn conversations(&self) -> impl Iterator<Item = &ConversationChange> {
        self.changes.iter().filter_map(|change| match change {
            Change::Conversation(change) => Some(&**change),
            Change::Organization(_)
            | Change::Teammate(_)
            | Change::Team(_)
            | Change::Endpoint(_)
            | Change::Contact(_)
            | Change::Tag { .. }
            | Change::Item(_)
            | Change::Mark { .. } => None,
        })
    }
}

/// One thing as it is from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// The organization's own settings.
    Organization(Profile),
    /// A teammate.
    Teammate(Teammate),
    /// A team.
    Team(Team),
    /// An endpoint.
    Endpoint(Endpoint),
    /// A contact who was met for the first time (R65).
    Contact(Contact),
    /// A word that was used as a tag for the first time (R46).
    Tag {
        /// The word as it was written then.
        name: String,
    },
    /// A conversation.
    Conversation(Box<ConversationChange>),
    /// A new item. The conversation's own change comes with it in the same event.
    Item(Item),
    /// What a teammate keeps about a conversation.
    Mark {
        /// Whose mark.
        teammate: TeammateId,
        /// On which conversation.
        conversation: ConversationId,
        /// The mark from now on.
        mark: Mark,
    },
}

/// A conversation as it is from now on, and what has to be known of what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationChange {
    /// The conversation from now on.
    pub after: Conversation,
    /// What it was; none if it is new.
    pub before: Option<Before>,
    /// What happened, in order.
    pub happened: Vec<Happening>,
    /// Everybody for whom a principal stood that is no member of it any more, sorted. Some may see it all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub departed: Vec<TeammateId>,
    /// The marks on it, when it comes back into memory by being reopened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<(TeammateId, Mark)>,
}
