//! Connections to the file: how each kind of them is set.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, Row, ffi};

use super::fault::is_busy;
use crate::store::sql::statements::STATEMENTS_PREPARED;

/// Pages that a writing connection keeps, in KiB: it rewrites the rows of what is busy, again and again.
const WRITER_CACHE_KIB: i64 = 64 << 10;
/// The write-ahead log is cut back to this size, in bytes, when it has grown beyond.
const LOG_BYTES_MAX: u32 = 64 << 20;
/// A log of this many pages, as many as those bytes, is brought in by the writer itself: the checkpointer
/// does not keep up.
const LOG_PAGES_MAX: u32 = LOG_BYTES_MAX / 4096;

/// How soon whoever met a lock looks again, where SQLite does not do so itself.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What tests set otherwise than the rest of the world.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// How long a question waits for a connection that reads, before it is given up.
    pub(super) reader_wait: Duration,
    /// How long a statement waits for somebody else's lock.
    pub(super) busy_timeout: Duration,
    /// The most pages that the file may have; none if the disk is the limit.
    pub(super) pages_max: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { reader_wait: Duration::from_secs(5), busy_timeout: Duration::from_secs(5), pages_max: None }
    }
}

/// A file, and how it is opened.
#[derive(Debug, Clone)]
pub(super) struct Database {
    /// Its path.
    pub(super) path: PathBuf,
    /// The rest.
    pub(super) settings: Settings,
}

impl Database {
    /// A connection that writes. It changes nothing yet.
    pub(super) fn writing(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // An answered command survives a loss of power. Committing in groups makes this cost next to nothing.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES_MAX)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
        if let Some(pages) = self.settings.pages_max {
            connection.pragma_update(None, "max_page_count", pages)?;
        }
        Ok(connection)
    }

    /// A connection that reads.
    pub(super) fn reading(&self) -> rusqlite::Result<Connection> {
        self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    fn connect(&self, access: OpenFlags) -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(self.settings.busy_timeout)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_PREPARED);
        Ok(connection)
    }
}

/// Makes the file one with a write-ahead log, once and for all. SQLite does not wait for the lock that this takes:
/// whoever comes second looks again.
pub(super) fn switch_to_log(connection: &Connection, patience: Duration) -> rusqlite::Result<()> {
    let began = Instant::now();
    loop {
        let is_log = |mode: &Row<'_>| Ok(mode.get::<_, String>(0)? == "wal");
        if connection.pragma_query_value(None, "journal_mode", is_log)? {
            return Ok(());
        }
        match connection.pragma_update_and_check(None, "journal_mode", "wal", is_log) {
            Ok(true) => return Ok(()),
            // Where there is no shared memory, SQLite says nothing and keeps the mode that it had.
            Ok(false) => return Err(no_log()),
            Err(error) if is_busy(&error) && began.elapsed() < patience => thread::sleep(LOOK_AGAIN),
            Err(error) => return Err(error),
        }
    }
}

fn no_log() -> rusqlite::Error {
    let why =
        "no write-ahead log is possible here: put the file on a disk of this machine, not on a network's";
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CANTOPEN), Some(why.into()))
}

/// Ends a transaction without a trace. After some faults SQLite has done so by itself.
pub(super) fn roll_back(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() {
        return Ok(());
    }
    connection.prepare_cached("ROLLBACK")?.raw_execute().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_where_no_log_is_possible_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        // Its locks are files, and it has no shared memory.
        let path = folder.path().join("rotunda.db");
        let connection = Connection::open_with_flags_and_vfs(path, flags, c"unix-dotfile").unwrap();
        let refused = switch_to_log(&connection, Duration::ZERO).unwrap_err();
        assert!(refused.to_string().contains("put the file on a disk of this machine"), "{refused}");
    }
}
