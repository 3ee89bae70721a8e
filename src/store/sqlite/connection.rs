//! Connections to the file: how each kind of them is set.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::store::sql::statements::STATEMENTS_PREPARED;

/// Pages that a writing connection keeps, in KiB: it rewrites the rows of what is busy, again and again.
const WRITER_CACHE_KIB: i64 = 64 << 10;
/// The write-ahead log is cut back to this size, in bytes, when it has grown beyond.
const LOG_BYTES_MAX: u32 = 64 << 20;
/// A log of this many pages, as many as those bytes, is brought in by the writer itself: the checkpointer
/// does not keep up.
const LOG_PAGES_MAX: u32 = LOG_BYTES_MAX / 4096;

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
    /// A connection that writes.
    pub(super) fn writing(&self) -> rusqlite::Result<Connection> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
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

/// Ends a transaction without a trace. After some faults SQLite has done so by itself.
pub(super) fn roll_back(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_autocommit() {
        return Ok(());
    }
    connection.prepare_cached("ROLLBACK")?.raw_execute().map(drop)
}
