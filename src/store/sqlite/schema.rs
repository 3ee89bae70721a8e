//! The schema's history, and bringing a file up to this release.

use rusqlite::{Connection, TransactionBehavior};

/// By number. What was released of it is never changed. A file's header says which was the last (`user_version`).
const HISTORY: [(u32, &str); 2] = [
    (1, include_str!("../migrations/sqlite/0001_rotunda.sql")),
    (2, include_str!("../migrations/sqlite/0002_nodes.sql")),
];
/// As far as this release goes.
const LATEST: u32 = HISTORY[HISTORY.len() - 1].0;
/// A table that every file of ours has.
const OURS: &str = "organizations";
/// Where early releases wrote what was done.
const EARLY: &str = "_sqlx_migrations";

/// Why a file is not up to this release. It is as it was.
#[derive(Debug)]
pub(super) enum Problem {
    /// It has tables, but not ours.
    Foreign,
    /// It has this version, which a newer release gave it.
    Newer(u32),
    /// It cannot be read or changed.
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// Does what is left to do, all or nothing. Of processes that start together one does it, and the others wait.
pub(super) fn bring_up(connection: &mut Connection) -> Result<(), Problem> {
    if version(connection)? == (LATEST, false) && has(connection, OURS)? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let (done, early) = version(&transaction)?;
    let is_empty = "SELECT count(*) = 0 FROM sqlite_schema";
    let is_new = done == 0 && (early || transaction.query_row(is_empty, [], |row| row.get(0))?);
    if !is_new && !has(&transaction, OURS)? {
        return Err(Problem::Foreign);
    }
    if done > LATEST {
        return Err(Problem::Newer(done));
    }
    for (_, step) in HISTORY.iter().filter(|(number, _)| *number > done) {
        transaction.execute_batch(step)?;
    }
    if early {
        transaction.execute_batch(&format!("DROP TABLE {EARLY}"))?;
    }
    transaction.pragma_update(None, "user_version", LATEST)?;
    Ok(transaction.commit()?)
}

/// How much was done, and whether an early release says so.
fn version(connection: &Connection) -> rusqlite::Result<(u32, bool)> {
    if has(connection, EARLY)? {
        let newest = format!("SELECT coalesce(max(version), 0) FROM {EARLY}");
        return Ok((connection.query_row(&newest, [], |row| row.get(0))?, true));
    }
    Ok((connection.query_row("PRAGMA user_version", [], |row| row.get(0))?, false))
}

fn has(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let listed = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = ?1";
    connection.query_row(listed, [table], |row| row.get(0))
}
