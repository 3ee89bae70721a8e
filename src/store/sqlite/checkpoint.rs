//! Bringing what was committed from the write-ahead log into the file, beside the writer.
//!
//! Left to itself, SQLite makes the commit that finds the log long do all of it, and everybody in that
//! commit waits for a thousand pages. Here a connection of its own does nearly all of it while the writer
//! goes on, and leaves it only the last few pages, after which the log begins anew.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::writer::Request;

/// How long the log grows before it is brought in.
const GROWS: Duration = Duration::from_millis(500);
/// Each pass meets only what was committed during the one before: a few leave next to nothing …
const PASSES_MAX: usize = 4;
/// … which are this many pages.
const PAGES_LEFT: i64 = 64;

/// The writer's end of the checkpointer, which ends with it.
#[derive(Debug)]
pub(super) struct Checkpoints {
    committed: Arc<Notify>,
    stop: DropGuard,
    task: JoinHandle<Option<Connection>>,
}

impl Checkpoints {
    /// Starts it, with a connection of its own.
    pub(super) fn start(connection: Connection, writer: mpsc::WeakSender<Request>) -> Self {
        let (committed, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let checkpointer = Checkpointer { committed: Arc::clone(&committed), writer, stop: stop.clone() };
        Self { committed, stop: stop.drop_guard(), task: tokio::spawn(checkpointer.run(connection)) }
    }

    /// Something was committed.
    pub(super) fn committed(&self) {
        self.committed.notify_one();
    }

    /// Ends it, and closes its connection here.
    pub(super) async fn end(self) {
        drop(self.stop);
        match self.task.await {
            Ok(connection) => drop(connection),
            Err(error) if error.is_cancelled() => {}
            Err(error) => tracing::error!(%error, "the checkpointer has failed"),
        }
    }
}

/// Brings the log in from time to time.
struct Checkpointer {
    committed: Arc<Notify>,
    /// The writer, while there is one.
    writer: mpsc::WeakSender<Request>,
    /// The writer is about to close the file.
    stop: CancellationToken,
}

impl Checkpointer {
    /// Runs until it is stopped. Gives its connection back, for closing one may wait for the disk.
    async fn run(self, mut connection: Connection) -> Option<Connection> {
        while self.stop.run_until_cancelled(self.grown()).await.is_some() {
            let passed = spawn_blocking(move || (bring_in(&connection), connection));
            let outcome;
            (outcome, connection) = match passed.await {
                Ok(passed) => passed,
                Err(error) => {
                    tracing::error!(%error, "checkpointing has failed");
                    return None;
                }
            };
            if let Err(error) = outcome {
                tracing::warn!(
                    %error,
                    "could not bring the write-ahead log into the file; trying again later"
                );
                continue;
            }
            let Some(writer) = self.writer.upgrade() else { break };
            if self.stop.run_until_cancelled(writer.send(Request::Checkpoint)).await.is_none() {
                break;
            }
        }
        Some(connection)
    }

    async fn grown(&self) {
        self.committed.notified().await;
        tokio::time::sleep(GROWS).await;
    }
}

fn bring_in(connection: &Connection) -> rusqlite::Result<()> {
    for _ in 0..PASSES_MAX {
        if checkpoint(connection)? <= PAGES_LEFT {
            break;
        }
    }
    Ok(())
}

/// Brings in what can be brought in without waiting for anybody, and says how many pages are left.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let (pages, brought_in): (i64, i64) = (row.get(1)?, row.get(2)?);
        Ok(pages - brought_in)
    })
}
