//! The one thread that writes: it takes all batches that wait, of whatever organizations, and commits them in
//! one transaction, so that a thousand rooms pay for one flush of the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rotunda_protocol::Millis;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::{Checkpoints, checkpoint};
use super::commit::{Commit, read_heads};
use super::connection::{Database, roll_back};
use crate::clock;
use crate::store::refs::{PRUNE_EVERY, PRUNE_MAX, remembered_since};
use crate::store::sql::fault::Fault;
use crate::store::sql::nodes;
use crate::store::{Appended, Batch, StoreError};

/// Batches of one transaction: bounds how long the first of them waits for the last.
const BATCHES_MAX: usize = 256;
/// Events after which no more batches are taken into a transaction, for the same reason.
const EVENTS_MAX: usize = 4096;

/// What the writer is asked.
#[derive(Debug)]
pub(super) enum Request {
    /// Append a batch.
    Append(Waiting),
    /// Change the list of nodes.
    Node(nodes::Change, oneshot::Sender<Result<(), Fault>>),
    /// Bring the little that is left of the log into the file, so that it begins anew.
    Checkpoint,
    /// Finish: everything asked before is done before.
    Close(oneshot::Sender<Result<(), Fault>>),
}

/// A batch, and who waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) batch: Batch,
    pub(super) answer: oneshot::Sender<Result<Appended, StoreError>>,
}

/// The writer. It ends when it is told to close, or when nobody is left who could ask it anything.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) database: Database,
    /// None after a fault that left it in doubt; made anew by the next transaction.
    pub(super) connection: Option<Connection>,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) checkpoints: Checkpoints,
    /// How many were committed.
    pub(super) transactions: Arc<AtomicU64>,
    pub(super) refs_since_prune: usize,
}

impl Writer {
    /// Writes until it is told to close.
    pub(super) async fn run(mut self) {
        while let Some(request) = self.requests.recv().await {
            let (group, last) = self.drain(request);
            self.commit_all(group).await;
            match last {
                None | Some(Request::Append(_)) => {}
                // Whoever beats may have stopped waiting.
                Some(Request::Node(change, done)) => drop(done.send(self.note(&change).await)),
                Some(Request::Checkpoint) => self.checkpoint(),
                Some(Request::Close(done)) => {
                    // Whoever closes may have stopped waiting; the writer ends all the same.
                    drop(done.send(self.close().await));
                    return;
                }
            }
        }
        if let Err(fault) = self.close().await {
            tracing::warn!(?fault, "the database was not closed cleanly; the next start reads its log again");
        }
    }

    /// The batches that wait, and the request after them if it is another one.
    fn drain(&mut self, first: Request) -> (Vec<Waiting>, Option<Request>) {
        let mut group = Vec::new();
        let mut events = 0;
        let mut next = Some(first);
        while let Some(Request::Append(waiting)) = next {
            events += waiting.batch.events.len();
            group.push(waiting);
            if group.len() >= BATCHES_MAX || events >= EVENTS_MAX {
                return (group, None);
            }
            next = self.requests.try_recv().ok();
        }
        (group, next)
    }

    /// Commits a group of batches and answers each.
    async fn commit_all(&mut self, group: Vec<Waiting>) {
        if group.is_empty() {
            return;
        }
        let outcome = self.commit(&group).await;
        match outcome {
            Ok(appended) => {
                for (waiting, appended) in group.into_iter().zip(appended) {
                    waiting.answer(Ok(appended));
                }
            }
            // Somebody's batch contradicts the database: the others shall not suffer for it.
            Err(Fault::Contradiction(_)) if group.len() > 1 => {
                for waiting in group {
                    let alone = std::slice::from_ref(&waiting);
                    let outcome = self.commit(alone).await;
                    waiting.answer(outcome.map(|appended| appended[0]).map_err(StoreError::from));
                }
            }
            Err(fault) => {
                for waiting in group {
                    waiting.answer(Err(fault.clone().into()));
                }
            }
        }
    }

    /// Commits batches in one transaction: what became of each, or nothing was written.
    async fn commit(&mut self, group: &[Waiting]) -> Result<Vec<Appended>, Fault> {
        let mut connection = self.connected()?;
        let outcome = self.transact(&mut connection, group).await;
        if let Ok((appended, written)) = outcome {
            self.connection = Some(connection);
            if written {
                self.transactions.fetch_add(1, Ordering::Relaxed);
                self.checkpoints.committed();
            }
            return Ok(appended);
        }
        match roll_back(&connection) {
            Ok(()) => self.connection = Some(connection),
            Err(error) => tracing::warn!(%error, "could not roll back; the connection is given up"),
        }
        outcome.map(|(appended, _)| appended)
    }

    /// The connection, which whoever takes it puts back while it can be used.
    fn connected(&mut self) -> Result<Connection, Fault> {
        Ok(match self.connection.take() {
            Some(connection) => connection,
            None => self.database.writing()?,
        })
    }

    /// The transaction. Says too whether it wrote anything.
    async fn transact(
        &mut self,
        connection: &mut Connection,
        group: &[Waiting],
    ) -> Result<(Vec<Appended>, bool), Fault> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.raw_execute()?;
        let mut heads = read_heads(connection, group).await?;
        let mut commit = Commit::default();
        let now = clock::now_millis();
        let appended: Vec<_> = group
            .iter()
            .map(|waiting| commit.admit(&waiting.batch, &mut heads, now))
            .collect::<Result<_, _>>()?;
        if commit.is_empty() {
            roll_back(connection)?;
            return Ok((appended, false));
        }
        let refs = commit.rows.refs.len();
        let forget_before = remembered_since(&commit.rows);
        commit.statements()?.execute(connection).await?;
        let prune = forget_before.filter(|_| self.refs_since_prune + refs >= PRUNE_EVERY);
        if let Some(before) = prune {
            prune_refs(connection, before)?;
        }
        connection.prepare_cached("COMMIT")?.raw_execute()?;
        self.refs_since_prune = if prune.is_some() { 0 } else { self.refs_since_prune + refs };
        Ok((appended, true))
    }

    async fn note(&mut self, change: &nodes::Change) -> Result<(), Fault> {
        let mut connection = self.connected()?;
        change.write(&mut connection).await?;
        self.connection = Some(connection);
        Ok(())
    }

    fn checkpoint(&self) {
        let Some(connection) = &self.connection else { return };
        if let Err(error) = checkpoint(connection) {
            tracing::warn!(%error, "could not bring the end of the write-ahead log into the file");
        }
    }

    /// Brings everything from the write-ahead log into the file, and closes it.
    async fn close(self) -> Result<(), Fault> {
        self.checkpoints.end().await;
        let Some(connection) = self.connection else { return Ok(()) };
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(connection.close().map_err(|(_, error)| error)?)
    }
}

impl Waiting {
    fn answer(self, outcome: Result<Appended, StoreError>) {
        // Whoever asked may have stopped waiting; the log is right all the same.
        drop(self.answer.send(outcome));
    }
}

/// Forgets the oldest `ref`s. They stand in the order in which they were written, so looking at the first
/// few is enough, and needs no index on their time.
fn prune_refs(connection: &Connection, before: Millis) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(
        "DELETE FROM refs WHERE rowid IN \
         (SELECT rowid FROM (SELECT rowid, at FROM refs ORDER BY rowid LIMIT ?1) WHERE at < ?2)",
    )?;
    statement.execute((PRUNE_MAX, before))?;
    Ok(())
}
