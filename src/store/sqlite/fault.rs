//! What can go wrong, by what can be done about it.

use std::fmt::Display;
use std::sync::Arc;

use crate::store::StoreError;

/// Why the database did not do what it was asked. Cloned to everybody whose batch was in the commit.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// Full, locked, failing, gone: later may be better.
    Unavailable(Arc<dyn std::error::Error + Send + Sync>),
    /// The file is damaged, or holds what this release cannot read.
    Corrupt(String),
    /// A row contradicts another one: a batch's own fault.
    Contradiction(String),
}

/// Primary result codes: <https://www.sqlite.org/rescode.html>.
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_SCHEMA: i32 = 17;
const SQLITE_TOOBIG: i32 = 18;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_MISMATCH: i32 = 20;
const SQLITE_RANGE: i32 = 25;
const SQLITE_NOTADB: i32 = 26;
const SQLITE_ERROR: i32 = 1;

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        if let Some(code) = primary_code(&error) {
            return match code {
                SQLITE_CORRUPT | SQLITE_NOTADB => Self::Corrupt(error.to_string()),
                SQLITE_ERROR | SQLITE_SCHEMA | SQLITE_TOOBIG | SQLITE_CONSTRAINT | SQLITE_MISMATCH
                | SQLITE_RANGE => Self::Contradiction(error.to_string()),
                _ => Self::Unavailable(Arc::new(error)),
            };
        }
        let unreadable = matches!(
            error,
            sqlx::Error::ColumnDecode { .. }
                | sqlx::Error::ColumnNotFound(_)
                | sqlx::Error::ColumnIndexOutOfBounds { .. }
                | sqlx::Error::TypeNotFound { .. }
                | sqlx::Error::Decode(_)
        );
        if unreadable { Self::Corrupt(error.to_string()) } else { Self::Unavailable(Arc::new(error)) }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unavailable(source) => Self::Unavailable(Box::new(source)),
            Fault::Corrupt(what) => Self::Corrupt(what),
            Fault::Contradiction(what) => Self::Contradiction(what),
        }
    }
}

impl Fault {
    /// A column says what it cannot say.
    pub(super) fn unreadable(column: &str, problem: impl Display) -> Self {
        Self::Corrupt(format!("{column}: {problem}"))
    }
}

/// The result code without its extension; none if the error is not SQLite's.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

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
