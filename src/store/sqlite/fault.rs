//! What SQLite says by its result codes.

use crate::store::sql::fault::{SQLITE_CORRUPT, SQLITE_ERROR, SQLITE_NOTADB, primary_code};

/// The file is damaged or was never a database.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(SQLITE_CORRUPT | SQLITE_NOTADB))
}

/// The file was never a database.
pub(super) fn is_no_database(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(SQLITE_NOTADB)
}

/// `ROLLBACK` found nothing to roll back: SQLite had done so by itself.
pub(super) fn is_no_transaction(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(SQLITE_ERROR)
}
