//! What is durably true. The log of each organization, its rows, and the results of commands by their `ref`
//! are written in one transaction; everything else in Rotunda can be lost and found again here.

pub mod nodes;

mod refs;
mod rows;
mod words;

mod sql;

pub mod postgres;
pub mod sqlite;

#[cfg(test)]
mod contract;

use std::sync::Arc;

use async_trait::async_trait;
use rotunda_protocol::ask::RowKey;
use rotunda_protocol::command::Done;
use rotunda_protocol::conversation::{Contact, Mark};
use rotunda_protocol::frame::Ref;
use rotunda_protocol::id::{ConversationId, EndpointId, OrganizationId, TeammateId};
use rotunda_protocol::item::Item;
use rotunda_protocol::principal::{Actor, Principal};

use self::nodes::Nodes;
use crate::domain::conversation::Conversation;
use crate::domain::directory::{Endpoint, Profile, Team, Teammate};
use crate::domain::event::{Event, Seq};

/// An organization as its room opens: everything but what is archived. Each list is sorted by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Tells this log from any other that ever had the same organization's name; made when the log began.
    pub epoch: u64,
    /// Encrypts the organization's cursors; made when the log began.
    pub cursor_key: [u8; 16],
    /// The number of the newest event. All that follows holds as of it.
    pub head: Seq,
    /// The organization's own settings.
    pub profile: Profile,
    /// When the settings last changed.
    pub profile_changed: Seq,
    /// Its teammates, each with the number of the event that last changed them.
    pub teammates: Vec<(Teammate, Seq)>,
    /// Its teams, likewise.
    pub teams: Vec<(Team, Seq)>,
    /// Its endpoints, likewise.
    pub endpoints: Vec<(Endpoint, Seq)>,
    /// Every word that was ever used as a tag, as it was first written, sorted.
    pub tags: Vec<String>,
    /// Its open conversations, likewise.
    pub conversations: Vec<(Conversation, Seq)>,
    /// The marks on its open conversations.
    pub marks: Vec<(ConversationId, TeammateId, Mark)>,
}

/// Who used a `ref`, for which command, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefRecord {
    /// Who used it. Different actors may use the same text.
    pub actor: Actor,
    /// The text.
    pub r#ref: Ref,
    /// Tells the command from others with the same `ref`.
    pub fingerprint: [u8; 32],
    /// What it did.
    pub done: Done,
}

/// Events to be appended to one organization's log, in order, with the `ref`s of their commands.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Whose log.
    pub organization: OrganizationId,
    /// The number of the newest event that the deciding node knew. 0 begins a new log.
    pub expected: Seq,
    /// What happened. Applying them also writes the rows that they change.
    pub events: Vec<Event>,
    /// The results of the commands, to be found by their `ref` for a day.
    pub refs: Vec<RefRecord>,
}

impl Batch {
    /// The number of the newest event once it is appended.
    fn head(&self) -> Seq {
        Seq(self.expected.0 + self.events.len() as u64)
    }
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable. The newest event has this number now.
    Committed(Seq),
    /// Somebody else appended at the same place first, or has a [`Turn`] there. Nothing was written.
    Conflict,
}

/// What deciding a batch of commands needs besides what is in memory.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Commands that may have been done before.
    pub refs: Vec<(Actor, Ref)>,
    /// Conversations that are not in memory, if they exist.
    pub conversations: Vec<ConversationId>,
    /// Conversations with this contact address through this endpoint, if there are any.
    pub threads: Vec<(EndpointId, String)>,
    /// Contacts with this address, if there are any.
    pub contacts: Vec<String>,
}

/// A conversation that is not held in memory, with its marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The conversation.
    pub conversation: Conversation,
    /// The number of the event that last changed it.
    pub changed: Seq,
    /// The marks on it.
    pub marks: Vec<(TeammateId, Mark)>,
}

/// What was found of what was needed, all as of one moment.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The number of the newest event at that moment.
    pub head: Seq,
    /// Results of commands that were done before.
    pub refs: Vec<RefRecord>,
    /// Conversations asked for by id or by thread, each once.
    pub conversations: Vec<Stored>,
    /// Contacts.
    pub contacts: Vec<Contact>,
}

/// A page of archived conversations.
#[derive(Debug, Clone)]
pub struct ArchivedQuery {
    /// Whose marks come along.
    pub teammate: TeammateId,
    /// Only conversations through these endpoints …
    pub endpoints: Vec<EndpointId>,
    /// … or with one of these among their own members.
    pub members: Vec<Principal>,
    /// Only conversations through this endpoint.
    pub only_endpoint: Option<EndpointId>,
    /// Where the page before ended.
    pub after: Option<RowKey>,
    /// How many rows at most.
    pub limit: u32,
}

/// What changed for one teammate since a position, besides what is in memory, all as of one moment.
#[derive(Debug, Clone, Default)]
pub struct ChangedSince {
    /// The number of the newest event at that moment.
    pub head: Seq,
    /// Archived conversations that changed, with the teammate's mark, whoever may see them.
    pub archived: Vec<(Conversation, Seq, Mark)>,
    /// Conversations of which a principal ceased to be a member that stood for the teammate.
    pub departed: Vec<ConversationId>,
    /// The teammate's marks that changed, on whatever conversations.
    pub marked: Vec<(ConversationId, Mark)>,
}

/// A node's turn at one log: until it has appended, or has dropped this, nobody else appends there. The database
/// ends a turn that lasts seconds, for its node may have been stopped; then its append is a [`Appended::Conflict`].
#[async_trait]
pub trait Turn: Send {
    /// Appends as [`Store::append`] does, and ends the turn.
    async fn append(self: Box<Self>, batch: Batch) -> Result<Appended, StoreError>;
}

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, is locked, full, or failing. Trying later can help. Nothing was written,
    /// unless the database was lost between its commit and its word of it; then trying again is a `Conflict`,
    /// and what was written is found in the log, and by its `ref`s.
    #[error("the database did not answer: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The database holds what this release cannot read. Trying again cannot help.
    #[error("the database holds what cannot be read: {0}")]
    Corrupt(String),
    /// The batch contradicts what the database holds: a bug. Nothing was written; trying again cannot help.
    #[error("the batch contradicts the database: {0}")]
    Contradiction(String),
}

/// The database.
///
/// * `append` writes events, rows and `ref`s in one transaction, and returns when they are durable.
/// * Reads see every batch whose `append` has returned.
/// * Numbers, once given, are never given again.
#[async_trait]
pub trait Store: Nodes + Send + Sync + 'static {
    /// Everything an organization's room holds in memory; none if there is no such organization.
    async fn load(&self, organization: &OrganizationId) -> Result<Option<Image>, StoreError>;

    /// Appends to a log. Batches of different organizations that wait together may be committed together; those of
    /// one log follow in the order in which this is called. A batch without events only has its `ref`s written, if
    /// it expects the head. Who stops waiting does not stop the batch.
    async fn append(&self, batch: Batch) -> Result<Appended, StoreError>;

    /// Waits until nobody else appends to a log, in the order in which nodes asked, so that of many that append at
    /// once none starves. None if the database knows no turns: then whoever appends first is first.
    async fn turn(&self, _organization: &OrganizationId) -> Result<Option<Box<dyn Turn>>, StoreError> {
        Ok(None)
    }

    /// Events with a number above `after`, in order, at most `limit`.
    async fn events(
        &self,
        organization: &OrganizationId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<(Seq, Event)>, StoreError>;

    /// What deciding needs.
    async fn find(&self, organization: &OrganizationId, needs: Needs) -> Result<Found, StoreError>;

    /// Items of a conversation with numbers in `from..before`, the highest `limit` of them, oldest first,
    /// each with the number of its event.
    async fn items(
        &self,
        organization: &OrganizationId,
        conversation: &ConversationId,
        from: u32,
        before: u32,
        limit: u32,
    ) -> Result<Vec<(Item, Seq)>, StoreError>;

    /// A page of archived conversations, newest activity first, each once, with the teammate's mark.
    async fn archived(
        &self,
        organization: &OrganizationId,
        query: ArchivedQuery,
    ) -> Result<Vec<(Conversation, Seq, Mark)>, StoreError>;

    /// What changed since a position for one teammate, in any order; none if it is more than `limit` of anything.
    async fn changed_since(
        &self,
        organization: &OrganizationId,
        teammate: &TeammateId,
        since: Seq,
        limit: u32,
    ) -> Result<Option<ChangedSince>, StoreError>;
}

/// The database, shared.
pub type SharedStore = Arc<dyn Store>;
