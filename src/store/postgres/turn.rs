//! Turns: whoever was too late locks the organization's row before deciding again, behind those who did before.

use std::sync::Arc;

use async_trait::async_trait;
use rotunda_protocol::id::OrganizationId;
use sqlx::PgTransaction;
use tokio::sync::OwnedSemaphorePermit;

use super::append::move_head;
use super::fault::sqlstate;
use super::lanes::Place;
use super::{PostgresStore, in_task};
use crate::store::sql::fault::Fault;
use crate::store::{Appended, Batch, StoreError, Turn};

/// The database has ended a session whose transaction did nothing for too long …
const IDLE_IN_TRANSACTION: &str = "25P03";
/// … or because it was told to.
const ADMIN_SHUTDOWN: &str = "57P01";

/// A transaction that holds the lock. Dropped, it is rolled back.
pub(super) struct PostgresTurn {
    store: PostgresStore,
    // Ends before the place is free for others of this process.
    transaction: PgTransaction<'static>,
    place: (Place, OwnedSemaphorePermit),
}

impl PostgresStore {
    /// Waits for the lock. A log that has yet to begin has none; then whoever begins it first is first.
    pub(super) async fn take_turn(
        &self,
        place: Place,
        organization: &OrganizationId,
    ) -> Result<PostgresTurn, Fault> {
        let turns = Arc::clone(&self.turns).acquire_owned().await;
        let place = (place, turns.map_err(|closed| Fault::Unavailable(Arc::new(closed)))?);
        let mut transaction = self.writers.begin().await?;
        sqlx::query("SELECT id FROM organizations WHERE id = $1 FOR NO KEY UPDATE")
            .bind(organization.as_str())
            .execute(&mut *transaction)
            .await?;
        Ok(PostgresTurn { store: self.clone(), transaction, place })
    }
}

#[async_trait]
impl Turn for PostgresTurn {
    async fn append(self: Box<Self>, batch: Batch) -> Result<Appended, StoreError> {
        in_task(async move {
            let Self { store, mut transaction, place: _place } = *self;
            let moved = match move_head(&mut transaction, &batch).await {
                Err(fault) if has_ended(&fault) => return Ok(Appended::Conflict),
                moved => moved,
            };
            store.append_if(moved, transaction, batch).await
        })
        .await
    }
}

/// The database has ended the turn, and its connection with it: nothing was written, and others have gone on.
fn has_ended(fault: &Fault) -> bool {
    let Fault::Unavailable(source) = fault else { return false };
    match source.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::Io(_)) => true,
        Some(error) => matches!(sqlstate(error), Some(IDLE_IN_TRANSACTION | ADMIN_SHUTDOWN)),
        None => false,
    }
}
