//! Bringing what was committed from the write-ahead log into the file, beside the writer.
//!
//! Left to itself, SQLite makes the commit that finds the log long do all of it, and everybody in that
//! commit waits for a thousand pages. Here a connection of its own does nearly all of it while the writer
//! goes on, and leaves it only the last few pages, after which the log begins anew.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::writer::Request;
use crate::store::sql::fault::Fault;

/// How long the log grows before it is brought in.
const GROWS: Duration = Duration::from_millis(500);
/// Each pass meets only what was committed during the one before: a few leave next to nothing …
const PASSES_MAX: usize = 4;
/// … which are this many pages.
const PAGES_LEFT: i64 = 64;

/// Brings the log in from time to time.
#[derive(Debug)]
pub(super) struct Checkpointer {
    /// Its own.
    pub(super) connection: SqliteConnection,
    /// Something was committed.
    pub(super) committed: Arc<Notify>,
    /// The writer, while there is one.
    pub(super) writer: mpsc::WeakSender<Request>,
    /// The writer is about to close the file.
    pub(super) stop: CancellationToken,
}

impl Checkpointer {
    /// Runs until it is stopped.
    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        while stop.run_until_cancelled(self.grown()).await.is_some() {
            if let Err(fault) = self.bring_in().await {
                tracing::warn!(
                    ?fault,
                    "could not bring the write-ahead log into the file; trying again later"
                );
                continue;
            }
            let Some(writer) = self.writer.upgrade() else { break };
            if stop.run_until_cancelled(writer.send(Request::Checkpoint)).await.is_none() {
                break;
            }
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "the checkpointing connection was not closed cleanly");
        }
    }

    async fn grown(&self) {
        self.committed.notified().await;
        tokio::time::sleep(GROWS).await;
    }

    async fn bring_in(&mut self) -> Result<(), Fault> {
        for _ in 0..PASSES_MAX {
            if checkpoint(&mut self.connection).await? <= PAGES_LEFT {
                break;
            }
        }
        Ok(())
    }
}

/// Brings in what can be brought in without waiting for anybody, and says how many pages are left.
pub(super) async fn checkpoint(connection: &mut SqliteConnection) -> Result<i64, Fault> {
    let (_busy, pages, brought_in): (i64, i64, i64) =
        sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await?;
    Ok(pages - brought_in)
}
