//! Appending: one transaction, that moves the head first and writes everything else then.

use std::sync::atomic::Ordering;

use rotunda_protocol::Millis;
use sqlx::{PgConnection, PgPool, PgTransaction};

use super::{PostgresStore, in_time};
use crate::clock;
use crate::store::refs::{PRUNE_EVERY, PRUNE_MAX, remembered_since};
use crate::store::rows::Rows;
use crate::store::sql::birth::Birth;
use crate::store::sql::fault::Fault;
use crate::store::sql::statements::Statements;
use crate::store::{Appended, Batch};

impl PostgresStore {
    /// Appends, unless somebody else has come first or has a turn.
    pub(super) async fn append_first(&self, batch: Batch) -> Result<Appended, Fault> {
        let mut transaction = self.writers.begin().await?;
        let moved = move_head(&mut transaction, &batch).await;
        self.append_if(moved, transaction, batch).await
    }

    /// Writes the rest, if the head was moved, and commits; if not, whatever was locked is free when this returns.
    pub(super) async fn append_if(
        &self,
        moved: Result<bool, Fault>,
        mut transaction: PgTransaction<'static>,
        batch: Batch,
    ) -> Result<Appended, Fault> {
        let mut rows = Rows::default();
        rows.add(&batch, clock::now_millis());
        let written = match moved {
            Ok(true) => write(&mut transaction, &rows).await.map(|()| true),
            unmoved => unmoved,
        };
        if !matches!(written, Ok(true)) {
            if let Err(error) = transaction.rollback().await {
                tracing::debug!(%error, "the database has ended the transaction by itself");
            }
            return written.map(|_unmoved| Appended::Conflict);
        }
        transaction.commit().await?;
        self.prune_if_due(&rows);
        Ok(Appended::Committed(batch.head()))
    }

    /// Forgets old `ref`s from time to time, while nobody waits for it.
    fn prune_if_due(&self, rows: &Rows) {
        let written = self.refs_since_prune.fetch_add(rows.refs.len(), Ordering::Relaxed) + rows.refs.len();
        if written < PRUNE_EVERY {
            return;
        }
        self.refs_since_prune.store(0, Ordering::Relaxed);
        let Some(before) = remembered_since(rows) else { return };
        let writers = self.writers.clone();
        tokio::spawn(async move {
            if let Err(error) = in_time(prune_refs(&writers, before)).await {
                tracing::warn!(%error, "could not forget old refs; trying again later");
            }
        });
    }
}

/// Moves a log's head from where the batch expects it to where the batch leaves it, or says that it is not there.
/// From now on nobody else can move it before this transaction has ended.
pub(super) async fn move_head(transaction: &mut PgConnection, batch: &Batch) -> Result<bool, Fault> {
    let organization = batch.organization.as_str();
    let moved = match (batch.expected.0, batch.events.is_empty()) {
        (0, true) => {
            let begun = sqlx::query("SELECT id FROM organizations WHERE id = $1")
                .bind(organization)
                .fetch_optional(transaction)
                .await?;
            return Ok(begun.is_none());
        }
        (0, false) => {
            let birth = Birth::random()?;
            sqlx::query(
                "INSERT INTO organizations (id, head, epoch, cursor_key) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (id) DO NOTHING",
            )
            .bind(organization)
            .bind(batch.head().0.cast_signed())
            .bind(birth.epoch.cast_signed())
            .bind(&birth.cursor_key[..])
            .execute(transaction)
            .await?
        }
        // Whoever has locked the row is about to move the head, or has a turn: waiting would end the same.
        (expected, _) => {
            sqlx::query(
                "UPDATE organizations SET head = $3 WHERE id = (SELECT id FROM organizations \
                 WHERE id = $1 AND head = $2 FOR NO KEY UPDATE SKIP LOCKED)",
            )
            .bind(organization)
            .bind(expected.cast_signed())
            .bind(batch.head().0.cast_signed())
            .execute(transaction)
            .await?
        }
    };
    Ok(moved.rows_affected() == 1)
}

async fn write(transaction: &mut PgConnection, rows: &Rows<'_>) -> Result<(), Fault> {
    let mut statements = Statements::default();
    statements.rows(rows)?;
    statements.execute(transaction).await
}

/// Forgets the oldest `ref`s, but for those that another node is forgetting.
pub(super) async fn prune_refs(writers: &PgPool, before: Millis) -> Result<(), Fault> {
    sqlx::query(
        "DELETE FROM refs WHERE ctid = ANY (ARRAY(\
         SELECT ctid FROM refs WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))",
    )
    .bind(before)
    .bind(PRUNE_MAX)
    .execute(writers)
    .await?;
    Ok(())
}
