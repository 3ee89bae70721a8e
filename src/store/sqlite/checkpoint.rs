//! Bringing what was committed from the write-ahead log into the file, beside the writer.
//!
//! Left to itself, SQLite makes the commit that finds the log long do all of it, and everybody in that
//! commit waits for a thousand pages. Here a connection of its own does nearly all of it while the writer
//! goes on, and leaves it only the last few pages, after which the log begins anew.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{Notify, mpsc};
use tokio::task::spawn_blocking;
use tokio_util::sync::CancellationToken;

use super::writer::Request;

/// How long the log grows before it is brought in.
const GROWS: Duration = Duration::from_millis(500);
/// Each pass meets only what was committed during the one before: a few leave next to nothing …
const PASSES_MAX: usize = 4;
/// … which are this many pages.
const PAGES_LEFT: i64 = 64;

/// Brings the log in from time to time.
#[derive(Debug)]
pub(super) struct Checkpointer {
    /// Something was committed.
    pub(super) committed: Arc<Notify>,
    /// The writer, while there is one.
    pub(super) writer: mpsc::WeakSender<Request>,
    /// The writer is about to close the file.
    pub(super) stop: CancellationToken,
}

impl Checkpointer {
    /// Runs until it is stopped, with a connection of its own.
    pub(super) async fn run(self, mut connection: Connection) {
        while self.stop.run_until_cancelled(self.grown()).await.is_some() {
            let passed = spawn_blocking(move || (bring_in(&connection), connection));
            let outcome;
            (outcome, connection) = match passed.await {
                Ok(passed) => passed,
                Err(error) => return tracing::error!(%error, "checkpointing has failed"),
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
