//! What SQLite says by its primary result codes: <https://www.sqlite.org/rescode.html>.

use std::sync::Arc;

use rusqlite::ffi::{
    SQLITE_CONSTRAINT, SQLITE_CORRUPT, SQLITE_ERROR, SQLITE_MISMATCH, SQLITE_NOTADB, SQLITE_RANGE,
    SQLITE_SCHEMA, SQLITE_TOOBIG,
};

use crate::store::sql::fault::Fault;

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match primary_code(&error) {
            Some(SQLITE_CORRUPT | SQLITE_NOTADB) => Self::Corrupt(error.to_string()),
            Some(
                SQLITE_ERROR | SQLITE_SCHEMA | SQLITE_TOOBIG | SQLITE_CONSTRAINT | SQLITE_MISMATCH
                | SQLITE_RANGE,
            ) => Self::Contradiction(error.to_string()),
            Some(_) | None => Self::Unavailable(Arc::new(error)),
        }
    }
}

/// The file is damaged or was never a database.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(primary_code(error), Some(SQLITE_CORRUPT | SQLITE_NOTADB))
}

/// The file was never a database.
pub(super) fn is_no_database(error: &rusqlite::Error) -> bool {
    primary_code(error) == Some(SQLITE_NOTADB)
}

/// SQLite's result code without its extension; none if it was not SQLite that has failed.
fn primary_code(error: &rusqlite::Error) -> Option<i32> {
    let failure = if let rusqlite::Error::SqlInputError { error, .. } = error {
        error
    } else {
        error.sqlite_error()?
    };
    Some(failure.extended_code & 0xff)
}
