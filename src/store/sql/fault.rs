//! What can go wrong, by what can be done about it.

use std::fmt::Display;
use std::sync::Arc;

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
