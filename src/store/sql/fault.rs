//! What can go wrong, by what can be done about it.

use std::fmt::Display;
use std::sync::Arc;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use crate::store::StoreError;

/// Why the database did not do what it was asked. Cloned to everybody whose batch was in the commit.
#[derive(Debug, Clone)]
pub(in crate::store) enum Fault {
    /// Full, locked, failing, gone: later may be better.
    Unavailable(Arc<dyn std::error::Error + Send + Sync>),
    /// The database is damaged, or holds what this release cannot read.
    Corrupt(String),
    /// A row contradicts another one: a batch's own fault.
    Contradiction(String),
}

/// Primary result codes: <https://www.sqlite.org/rescode.html>.
pub(in crate::store) const SQLITE_CORRUPT: i32 = 11;
const SQLITE_SCHEMA: i32 = 17;
const SQLITE_TOOBIG: i32 = 18;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_MISMATCH: i32 = 20;
const SQLITE_RANGE: i32 = 25;
pub(in crate::store) const SQLITE_NOTADB: i32 = 26;
pub(in crate::store) const SQLITE_ERROR: i32 = 1;

/// Classes of SQLSTATEs, which are their first two characters:
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
const DATA_EXCEPTION: &str = "22";
const INTEGRITY_VIOLATION: &str = "23";
const SYNTAX_OR_ACCESS: &str = "42";
const INTERNAL: &str = "XX";
/// One of `SYNTAX_OR_ACCESS` that is nobody's bug: a right was taken away, and may be given again.
const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// The one of `INTERNAL` that does not say that data is damaged.
const INTERNAL_ERROR: &str = "XX000";
/// What was prepared does not fit any more, for a newer release has changed the table.
const STALE_PLAN: &str = "0A000";

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
        if let Some(state) = sqlstate(&error) {
            return match (state, state.get(..2).unwrap_or_default()) {
                (INSUFFICIENT_PRIVILEGE | INTERNAL_ERROR, _) => Self::Unavailable(Arc::new(error)),
                (_, INTERNAL) => Self::Corrupt(error.to_string()),
                (_, DATA_EXCEPTION | INTEGRITY_VIOLATION | SYNTAX_OR_ACCESS) => {
                    Self::Contradiction(error.to_string())
                }
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
    pub(in crate::store) fn unreadable(column: &str, problem: impl Display) -> Self {
        Self::Corrupt(format!("{column}: {problem}"))
    }
}

/// SQLite's result code without its extension; none if the error is not SQLite's.
pub(in crate::store) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let error = error.as_database_error()?.try_downcast_ref::<SqliteError>()?;
    let code: i32 = error.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// Statements have to be prepared anew.
pub(super) fn is_stale_plan(error: &sqlx::Error) -> bool {
    sqlstate(error) == Some(STALE_PLAN)
}

/// Postgres's code; none if the error is not Postgres's.
pub(in crate::store) fn sqlstate(error: &sqlx::Error) -> Option<&str> {
    Some(error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.code())
}
