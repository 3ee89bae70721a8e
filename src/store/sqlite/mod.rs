//! The store in one SQLite file: what a single node needs, with nothing to install.
//!
//! On disk: a log (`events`) and the rows that it amounts to, in tables that an operator can read (the
//! migrations describe each column). The file is in WAL mode: readers never wait for the writer. The one
//! writer, on a thread of its own, takes all batches that wait and commits them in one transaction, flushed to
//! the disk before any is answered, while a second connection brings the log of earlier ones into the file;
//! rows go out in statements of many rows, each row once. Logs are rowid tables that append, and indexes are
//! partial where that spares the changes of open conversations from touching any. Members of archived
//! conversations repeat the time of its activity, so that a page of the archive is read from indexes: it costs
//! the page and the number of endpoints, not the organization.

mod connection;
mod driver;
mod fault;

mod open;
mod schema;

mod readers;

mod checkpoint;
mod commit;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::id::{ConversationId, OrganizationId, TeammateId};
use rotunda_protocol::item::Item;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use self::connection::{Database, Settings};
pub use self::open::OpenError;
use self::readers::Readers;
use self::writer::{Request, Waiting};
use super::nodes::{Beat, Nodes};
use super::sql::{archived, nodes, read};
use super::{Appended, ArchivedQuery, Batch, ChangedSince, Found, Image, Needs, Store, StoreError};
use crate::domain::conversation::Conversation;
use crate::domain::event::{Event, Seq};
use crate::domain::node::NodeId;

/// A database in one file.
#[derive(Debug)]
pub struct SqliteStore {
    readers: Readers,
    requests: mpsc::Sender<Request>,
    transactions: Arc<AtomicU64>,
}

/// The store was closed.
#[derive(Debug, thiserror::Error)]
#[error("the database was closed")]
struct Closed;

impl From<Closed> for StoreError {
    fn from(closed: Closed) -> Self {
        Self::Unavailable(Box::new(closed))
    }
}

impl SqliteStore {
    /// Opens a database; makes it, and the folders it is in, if there is none. Has to be called within a
    /// Tokio runtime, which has to outlive the store.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        open::open(Database { path: path.into(), settings: Settings::default() }).await
    }

    /// Finishes what was asked before, brings everything into the one file, and closes it. What is asked
    /// from now on is answered with `Unavailable`. Without it nothing is lost; the next start reads a little
    /// more.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.readers.close().await;
        let (done, closed) = oneshot::channel();
        let Ok(()) = self.requests.send(Request::Close(done)).await else { return Ok(()) };
        closed.await.map_err(|_ended| Closed)?.map_err(StoreError::from)
    }

    async fn note(&self, change: nodes::Change) -> Result<(), StoreError> {
        let (done, noted) = oneshot::channel();
        self.requests.send(Request::Node(change, done)).await.map_err(|_refused| Closed)?;
        Ok(noted.await.map_err(|_ended| Closed)??)
    }

    /// How many transactions were committed. Less than the batches that were appended, when they waited
    /// together.
    pub fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn load(&self, organization: &OrganizationId) -> Result<Option<Image>, StoreError> {
        let organization = organization.clone();
        self.readers.ask(async move |reader| read::image(reader, &organization).await).await
    }

    async fn append(&self, batch: Batch) -> Result<Appended, StoreError> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { batch, answer };
        self.requests.send(Request::Append(waiting)).await.map_err(|_refused| Closed)?;
        answered.await.map_err(|_ended| Closed)?
    }

    async fn events(
        &self,
        organization: &OrganizationId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<(Seq, Event)>, StoreError> {
        let organization = organization.clone();
        self.readers.ask(async move |reader| read::events(reader, &organization, after, limit).await).await
    }

    async fn find(&self, organization: &OrganizationId, needs: Needs) -> Result<Found, StoreError> {
        let organization = organization.clone();
        self.readers.ask(async move |reader| read::find(reader, &organization, needs).await).await
    }

    async fn items(
        &self,
        organization: &OrganizationId,
        conversation: &ConversationId,
        from: u32,
        before: u32,
        limit: u32,
    ) -> Result<Vec<(Item, Seq)>, StoreError> {
        let (organization, conversation) = (organization.clone(), conversation.clone());
        let items = async move |reader: &mut Connection| {
            read::items(reader, &organization, &conversation, from..before, limit).await
        };
        self.readers.ask(items).await
    }

    async fn archived(
        &self,
        organization: &OrganizationId,
        query: ArchivedQuery,
    ) -> Result<Vec<(Conversation, Seq, Mark)>, StoreError> {
        let organization = organization.clone();
        self.readers.ask(async move |reader| archived::page(reader, &organization, &query).await).await
    }

    async fn changed_since(
        &self,
        organization: &OrganizationId,
        teammate: &TeammateId,
        since: Seq,
        limit: u32,
    ) -> Result<Option<ChangedSince>, StoreError> {
        let (organization, teammate) = (organization.clone(), teammate.clone());
        let changed = async move |reader: &mut Connection| {
            archived::changed_since(reader, &organization, &teammate, since, limit).await
        };
        self.readers.ask(changed).await
    }
}

#[async_trait]
impl Nodes for SqliteStore {
    async fn beat(&self, beat: Beat) -> Result<(), StoreError> {
        self.note(nodes::Change::Beat(beat)).await
    }

    async fn heads(
        &self,
        organizations: &[OrganizationId],
    ) -> Result<Vec<(OrganizationId, Seq)>, StoreError> {
        let organizations = organizations.to_vec();
        self.readers.ask(async move |reader| nodes::heads(reader, &organizations).await).await
    }

    async fn nodes(&self) -> Result<Vec<Beat>, StoreError> {
        self.readers.ask(async |reader| nodes::all(reader).await).await
    }

    async fn forget(&self, node: &NodeId, number: u64) -> Result<(), StoreError> {
        self.note(nodes::Change::Forget(node.clone(), number)).await
    }
}
