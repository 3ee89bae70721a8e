//! Opening the file: made if there is none, checked if there is one, brought up to this release.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;

use rusqlite::Connection;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::SqliteStore;
use super::checkpoint::Checkpoints;
use super::connection::{Database, switch_to_log};
use super::fault::{is_damage, is_no_database, is_of_the_schema};
use super::readers::Readers;
use super::schema::{self, Problem};
use super::writer::Writer;

/// Batches that may wait for the writer; who comes then waits for a place.
const REQUESTS_MAX: usize = 1024;
/// Files up to this size, in bytes, are checked whole at each start: about a second's reading.
const CHECK_WHOLE_BYTES_MAX: u64 = 256 << 20;
/// What is checked of larger files: the tables that every start reads, and that are always small.
const CHECK_ALWAYS: [&str; 5] = ["organizations", "teammates", "teams", "endpoints", "tags"];

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be reached: permissions, a missing disk, a lock that is held.
    #[error("cannot open the database {path}: {source}")]
    Unavailable {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is something else.
    #[error("{path} is not a SQLite database: give another path, or move the file away to start empty")]
    NotADatabase {
        /// Its path.
        path: PathBuf,
    },
    /// The file is some other program's database.
    #[error("{path} is a database of something else: give another path")]
    Foreign {
        /// Its path.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "the database {path} is damaged ({problem}): restore it from a backup, or move it away and try \
         `sqlite3 DAMAGED .recover | sqlite3 {path}`"
    )]
    Damaged {
        /// Its path.
        path: PathBuf,
        /// What was found first.
        problem: String,
    },
    /// A newer release of Rotunda has written it.
    #[error(
        "the database {path} was written by a newer release (its schema is version {version}): run that \
         release, or restore a backup from before"
    )]
    Newer {
        /// Its path.
        path: PathBuf,
        /// The newest version of its schema.
        version: u32,
    },
    /// Its schema could not be brought up to this release.
    #[error("the schema of the database {path} could not be brought up to date: {source}")]
    Migration {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// Opens a database and starts its writer.
pub(super) async fn open(database: Database) -> Result<SqliteStore, OpenError> {
    let path = database.path.clone();
    let opened = spawn_blocking(move || Opened::open(database)).await;
    let opened =
        opened.map_err(|failed| OpenError::Unavailable { path: path.clone(), source: failed.into() })??;
    opened.start().map_err(|error| OpenError::Unavailable { path, source: error.into() })
}

/// A file that was checked and brought up to this release, and the connections to it.
struct Opened {
    database: Database,
    writing: Connection,
    /// For the checkpointer.
    beside: Connection,
    readers: Readers,
}

impl Opened {
    fn open(database: Database) -> Result<Self, OpenError> {
        let path = &database.path;
        let not_opened = |error| not_opened(path, error);
        create(path).map_err(|error| OpenError::Unavailable { path: path.clone(), source: error.into() })?;
        let mut first = database.writing().map_err(not_opened)?;
        check(path, &first)?;
        schema::bring_up(&mut first).map_err(|problem| not_brought_up(path, problem))?;
        switch_to_log(&first, database.settings.busy_timeout).map_err(not_opened)?;
        // One that has just switched can do nothing with the log before its next transaction.
        let (writing, beside) =
            (database.writing().map_err(not_opened)?, database.writing().map_err(not_opened)?);
        let readers = Readers::open(database.clone()).map_err(not_opened)?;
        Ok(Self { database, writing, beside, readers })
    }

    /// The writer has a thread of its own: it waits for the disk most of the time.
    fn start(self) -> std::io::Result<SqliteStore> {
        let (requests, inbox) = mpsc::channel(REQUESTS_MAX);
        let transactions = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            checkpoints: Checkpoints::start(self.beside, requests.downgrade()),
            database: self.database,
            connection: Some(self.writing),
            requests: inbox,
            transactions: Arc::clone(&transactions),
            refs_since_prune: 0,
        };
        let runtime = Handle::current();
        thread::Builder::new().name("sqlite-writer".into()).spawn(move || runtime.block_on(writer.run()))?;
        Ok(SqliteStore { readers: self.readers, requests, transactions })
    }
}

/// Makes the file, for nobody else's eyes, and its folders, unless they are there. SQLite takes an empty file
/// as an empty database, and gives the files that it puts beside it the same permissions.
fn create(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn not_opened(path: &Path, error: rusqlite::Error) -> OpenError {
    let path = path.into();
    if is_no_database(&error) {
        OpenError::NotADatabase { path }
    } else if is_damage(&error) {
        OpenError::Damaged { path, problem: error.to_string() }
    } else {
        OpenError::Unavailable { path, source: error.into() }
    }
}

fn not_brought_up(path: &Path, problem: Problem) -> OpenError {
    match problem {
        Problem::Foreign => OpenError::Foreign { path: path.into() },
        Problem::Newer(version) => OpenError::Newer { path: path.into(), version },
        Problem::Failed(source) if is_of_the_schema(&source) => {
            OpenError::Migration { path: path.into(), source }
        }
        Problem::Failed(error) => not_opened(path, error),
    }
}

/// Looks for damage before anything is built upon it. A small file is read whole; of a large one, whose
/// reading would hold up a restart for minutes, the tables that every start needs. The rest of a large file
/// is checked by SQLite page by page as it is read, and by backups.
fn check(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    if bytes <= CHECK_WHOLE_BYTES_MAX {
        return check_by(path, connection, "PRAGMA quick_check(1)");
    }
    for table in CHECK_ALWAYS {
        check_by(path, connection, &format!("PRAGMA quick_check({table})"))?;
    }
    Ok(())
}

fn check_by(path: &Path, connection: &Connection, check: &str) -> Result<(), OpenError> {
    let finding = connection
        .query_row(check, [], |row| row.get::<_, String>(0))
        .map_err(|error| not_opened(path, error))?;
    if finding == "ok" { Ok(()) } else { Err(OpenError::Damaged { path: path.into(), problem: finding }) }
}
