//! What PostgreSQL says by its SQLSTATEs, whose first two characters are their class:
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use std::sync::Arc;

use sqlx::postgres::PgDatabaseError;

use crate::store::sql::fault::Fault;

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

/// Statements have to be prepared anew.
pub(super) fn is_stale_plan(error: &sqlx::Error) -> bool {
    sqlstate(error) == Some(STALE_PLAN)
}

/// PostgreSQL's code; none if the error is not PostgreSQL's.
pub(super) fn sqlstate(error: &sqlx::Error) -> Option<&str> {
    Some(error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.code())
}
