//! The store in a PostgreSQL database, which any number of nodes share.
//!
//! An append is one transaction that first moves the organization's head: of nodes that append at the same place one
//! moves it, and the others hear at once that they are too late. A node that was too late asks for a turn: it locks
//! the organization's row, behind those who asked before, and appends in the same transaction.
//!
//! Nothing waits for ever. The database ends statements, waits for locks and turns after some seconds, and here
//! everything has a time too, for a database that says nothing at all. Readers, appends and beats have connections of
//! their own: a turn needs no second connection of those that others may hold while they wait for it, and a node's
//! sign of life waits for neither.

mod driver;
mod fault;
mod nul;

mod lanes;
mod open;

mod append;
mod turn;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use async_trait::async_trait;
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::id::{ConversationId, OrganizationId, TeammateId};
use rotunda_protocol::item::Item;
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, PgTransaction, Postgres};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::lanes::Lanes;
pub use self::open::OpenError;
use super::nodes::{Beat, Nodes};
use super::sql::fault::Fault;
use super::sql::{archived, nodes, read};
use super::{Appended, ArchivedQuery, Batch, ChangedSince, Found, Image, Needs, Store, StoreError, Turn};
use crate::domain::conversation::Conversation;
use crate::domain::event::{Event, Seq};
use crate::domain::node::NodeId;

/// How long anything may take, a wait for a connection included. Longer than what the database itself ends.
const ANSWER_MAX: Duration = Duration::from_secs(8);
/// The same for a whole organization, which may be large.
const LOAD_MAX: Duration = Duration::from_mins(1);

/// A database that nodes share.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    readers: PgPool,
    writers: PgPool,
    /// For beats and what goes with them.
    beats: PgPool,
    lanes: Arc<Lanes>,
    /// For who waits for a turn, or has one. There are more writers: those who are alone at a log never wait here.
    turns: Arc<Semaphore>,
    refs_since_prune: Arc<AtomicUsize>,
}

/// The database says nothing.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} s", .0.as_secs())]
struct Silent(Duration);

impl PostgresStore {
    /// Opens the database at a URL, `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`, and brings its schema
    /// up to this release. Has to be called within a Tokio runtime.
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        open::open(url).await
    }

    /// Lets what has begun finish, and closes the connections. What is asked from now on is answered with
    /// `Unavailable`. Without it nothing is lost.
    pub async fn close(&self) -> Result<(), StoreError> {
        in_time(async {
            futures::join!(self.writers.close(), self.beats.close(), self.readers.close());
            Ok(())
        })
        .await
    }

    /// A connection that reads.
    async fn reader(&self) -> Result<PoolConnection<Postgres>, Fault> {
        Ok(self.readers.acquire().await?)
    }

    /// The same, for several questions that are answered as of one moment.
    async fn snapshot(&self) -> Result<PgTransaction<'static>, Fault> {
        Ok(self.readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
    }
}

/// What comes of something, if it comes in time.
async fn in_time<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, StoreError> {
    within(ANSWER_MAX, work).await
}

async fn within<T>(time: Duration, work: impl Future<Output = Result<T, Fault>>) -> Result<T, StoreError> {
    match timeout(time, work).await {
        Ok(outcome) => Ok(outcome?),
        Err(_elapsed) => Err(StoreError::Unavailable(Box::new(Silent(time)))),
    }
}

/// The same in a task of its own, which goes on if nobody waits for it any more.
async fn in_task<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(in_time(work)).await.map_err(|error| StoreError::Unavailable(Box::new(error)))?
}

#[async_trait]
impl Store for PostgresStore {
    async fn load(&self, organization: &OrganizationId) -> Result<Option<Image>, StoreError> {
        within(LOAD_MAX, async { read::image(&mut *self.snapshot().await?, organization).await }).await
    }

    async fn append(&self, batch: Batch) -> Result<Appended, StoreError> {
        let place = self.lanes.join(&batch.organization).await;
        let store = self.clone();
        in_task(async move {
            let _place = place.await;
            store.append_first(batch).await
        })
        .await
    }

    async fn turn(&self, organization: &OrganizationId) -> Result<Option<Box<dyn Turn>>, StoreError> {
        let place = self.lanes.join(organization).await;
        let turn = in_time(async { self.take_turn(place.await, organization).await }).await?;
        Ok(Some(Box::new(turn)))
    }

    async fn events(
        &self,
        organization: &OrganizationId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<(Seq, Event)>, StoreError> {
        in_time(async { read::events(&mut *self.reader().await?, organization, after, limit).await }).await
    }

    async fn find(&self, organization: &OrganizationId, needs: Needs) -> Result<Found, StoreError> {
        in_time(async { read::find(&mut *self.snapshot().await?, organization, needs).await }).await
    }

    async fn items(
        &self,
        organization: &OrganizationId,
        conversation: &ConversationId,
        from: u32,
        before: u32,
        limit: u32,
    ) -> Result<Vec<(Item, Seq)>, StoreError> {
        in_time(async {
            let mut reader = self.reader().await?;
            read::items(&mut *reader, organization, conversation, from..before, limit).await
        })
        .await
    }

    async fn archived(
        &self,
        organization: &OrganizationId,
        query: ArchivedQuery,
    ) -> Result<Vec<(Conversation, Seq, Mark)>, StoreError> {
        in_time(async { archived::page(&mut *self.snapshot().await?, organization, &query).await }).await
    }

    async fn changed_since(
        &self,
        organization: &OrganizationId,
        teammate: &TeammateId,
        since: Seq,
        limit: u32,
    ) -> Result<Option<ChangedSince>, StoreError> {
        in_time(async {
            archived::changed_since(&mut *self.snapshot().await?, organization, teammate, since, limit).await
        })
        .await
    }
}

#[async_trait]
impl Nodes for PostgresStore {
    async fn beat(&self, beat: Beat) -> Result<(), StoreError> {
        let change = nodes::Change::Beat(beat);
        in_time(async { change.write(&mut *self.beats.acquire().await?).await }).await
    }

    async fn heads(
        &self,
        organizations: &[OrganizationId],
    ) -> Result<Vec<(OrganizationId, Seq)>, StoreError> {
        in_time(async { nodes::heads(&mut *self.beats.acquire().await?, &organizations).await }).await
    }

    async fn nodes(&self) -> Result<Vec<Beat>, StoreError> {
        in_time(async { nodes::all(&mut *self.beats.acquire().await?).await }).await
    }

    async fn forget(&self, node: &NodeId, number: u64) -> Result<(), StoreError> {
        let change = nodes::Change::Forget(node.clone(), number);
        in_time(async { change.write(&mut *self.beats.acquire().await?).await }).await
    }
}
