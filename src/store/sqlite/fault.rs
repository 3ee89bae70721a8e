//! What SQLite says by its primary result codes: <https://www.sqlite.org/rescode.html>.

use std::sync::Arc;

use rusqlite::ffi::{
    SQLITE_BUSY, SQLITE_CONSTRAINT, SQLITE_CORRUPT, SQLITE_ERROR, SQLITE_MISMATCH, SQLITE_NOTADB,
    SQLITE_RANGE, SQLITE_SCHEMA, SQLITE_TOOBIG,
};

use crate::store::sql::fault::Fault;

/// What SQLite says, with its extended result code: the text alone tells a broken disk from a busy one, and no more.
#[derive(Debug, thiserror::Error)]
#[error("{text} (SQLite's code {code})")]
struct Failure {
    text: String,
    code: i32,
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let Some(failure) = failure(&error) else {
            // It has not come to SQLite: a statement is wrong, or a value.
            return Self::Contradiction(error.to_string());
        };
        match failure.code & 0xff {
            SQLITE_CORRUPT | SQLITE_NOTADB => Self::Corrupt(failure.to_string()),
            SQLITE_ERROR | SQLITE_SCHEMA | SQLITE_TOOBIG | SQLITE_CONSTRAINT | SQLITE_MISMATCH
            | SQLITE_RANGE => Self::Contradiction(failure.to_string()),
            _ => Self::Unavailable(Arc::new(failure)),
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

/// Somebody else holds a lock.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    primary_code(error) == Some(SQLITE_BUSY)
}

/// The schema is not what it should be: nothing about the file or the disk.
pub(super) fn is_of_the_schema(error: &rusqlite::Error) -> bool {
    matches!(primary_code(error), None | Some(SQLITE_ERROR | SQLITE_CONSTRAINT | SQLITE_MISMATCH))
}

fn primary_code(error: &rusqlite::Error) -> Option<i32> {
    failure(error).map(|failure| failure.code & 0xff)
}

/// What SQLite said; none if it was not SQLite that has failed.
fn failure(error: &rusqlite::Error) -> Option<Failure> {
    // Not with the statement, which may be long.
    let (failure, text) = if let rusqlite::Error::SqlInputError { error, msg, .. } = error {
        (error, msg.clone())
    } else {
        (error.sqlite_error()?, error.to_string())
    };
    Some(Failure { text, code: failure.extended_code })
}
