//! Opening the file: made if there is none, checked if there is one, brought up to this release.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::SqliteStore;
use super::checkpoint::Checkpointer;
use super::fault::{is_damage, is_no_database};
use super::writer::{Checkpoints, Request, Writer};
use crate::store::sql::schema::migrator;
use crate::store::sql::statements::STATEMENTS_PREPARED;

/// Connections that read: reads are short, and more than this many at once only compete for the processors.
const READERS: u32 = 4;
/// How long a read waits for a connection before it gives up.
const READER_WAIT_MAX: Duration = Duration::from_secs(5);
/// Pages that the writer keeps, in KiB: it rewrites the rows of what is busy, again and again.
const WRITER_CACHE_KIB: u32 = 64 << 10;
/// Rows that a reader may be ahead of who takes them in: spares a change of threads for most of them.
const ROWS_AHEAD: usize = 256;
/// Batches that may wait for the writer; who comes then waits for a place.
const REQUESTS_MAX: usize = 1024;
/// The write-ahead log is cut back to this size, in bytes, when it has grown beyond.
const LOG_BYTES_MAX: u32 = 64 << 20;
/// A log of this many pages, as many as those bytes, is brought in by the writer itself: the checkpointer
/// does not keep up.
const LOG_PAGES_MAX: u32 = LOG_BYTES_MAX / 4096;
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
        version: i64,
    },
    /// Its schema could not be brought up to this release.
    #[error("the schema of the database {path} could not be brought up to date: {source}")]
    Migration {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: MigrateError,
    },
}

/// What tests set otherwise than the rest of the world.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// How long a statement waits for somebody else's lock.
    pub(super) busy_timeout: Duration,
    /// The most pages that the file may have; none if the disk is the limit.
    pub(super) pages_max: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), pages_max: None }
    }
}

/// Opens a database and starts its writer.
pub(super) async fn open(path: &Path, settings: Settings) -> Result<SqliteStore, OpenError> {
    let unavailable = |source| OpenError::Unavailable { path: path.into(), source };
    create(path).map_err(|error| unavailable(error.into()))?;
    let writing = writing(path, &settings);
    let mut connection = writing.connect().await.map_err(|error| not_opened(path, error))?;
    check(path, &mut connection).await?;
    migrate(path, &mut connection).await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .acquire_timeout(READER_WAIT_MAX)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(reading(path, &settings))
        .await
        .map_err(|error| not_opened(path, error))?;
    let beside = writing.connect().await.map_err(|error| not_opened(path, error))?;
    let (requests, inbox) = mpsc::channel(REQUESTS_MAX);
    let transactions = Arc::new(AtomicU64::new(0));
    let writer = Writer {
        checkpoints: start_checkpointer(beside, requests.downgrade()),
        options: writing,
        connection: Some(connection),
        requests: inbox,
        transactions: Arc::clone(&transactions),
        refs_since_prune: 0,
    };
    tokio::spawn(writer.run());
    Ok(SqliteStore { readers, requests, transactions })
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

fn start_checkpointer(connection: SqliteConnection, writer: mpsc::WeakSender<Request>) -> Checkpoints {
    let (committed, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let checkpointer =
        Checkpointer { connection, committed: Arc::clone(&committed), writer, stop: stop.clone() };
    Checkpoints { committed, stop, task: tokio::spawn(checkpointer.run()) }
}

fn writing(path: &Path, settings: &Settings) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // An answered command survives a loss of power. Committing in groups makes this cost next to nothing.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(settings.busy_timeout)
        .statement_cache_capacity(STATEMENTS_PREPARED)
        .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))
        .pragma("wal_autocheckpoint", LOG_PAGES_MAX.to_string())
        .pragma("journal_size_limit", LOG_BYTES_MAX.to_string())
        .disable_statement_logging();
    match settings.pages_max {
        Some(pages) => options.pragma("max_page_count", pages.to_string()),
        None => options,
    }
}

fn reading(path: &Path, settings: &Settings) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(settings.busy_timeout)
        .row_buffer_size(ROWS_AHEAD)
        .disable_statement_logging()
}

fn not_opened(path: &Path, error: sqlx::Error) -> OpenError {
    let path = path.into();
    if is_no_database(&error) {
        OpenError::NotADatabase { path }
    } else if is_damage(&error) {
        OpenError::Damaged { path, problem: error.to_string() }
    } else {
        OpenError::Unavailable { path, source: error.into() }
    }
}

/// Looks for damage before anything is built upon it. A small file is read whole; of a large one, whose
/// reading would hold up a restart for minutes, the tables that every start needs. The rest of a large file
/// is checked by SQLite page by page as it is read, and by backups.
async fn check(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    if bytes <= CHECK_WHOLE_BYTES_MAX {
        return check_by(path, connection, "PRAGMA quick_check(1)".into()).await;
    }
    for table in CHECK_ALWAYS {
        check_by(path, connection, format!("PRAGMA quick_check({table})")).await?;
    }
    Ok(())
}

async fn check_by(path: &Path, connection: &mut SqliteConnection, check: String) -> Result<(), OpenError> {
    let findings: Vec<String> = sqlx::query_scalar(AssertSqlSafe(check))
        .fetch_all(connection)
        .await
        .map_err(|error| not_opened(path, error))?;
    match findings.into_iter().find(|finding| finding != "ok") {
        Some(problem) => Err(OpenError::Damaged { path: path.into(), problem }),
        None => Ok(()),
    }
}

async fn migrate(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let history = [
        (1, "rotunda", include_str!("../migrations/sqlite/0001_rotunda.sql")),
        (2, "nodes", include_str!("../migrations/sqlite/0002_nodes.sql")),
    ];
    let Err(error) = migrator(history).run(connection).await else { return Ok(()) };
    let path = path.into();
    Err(if let MigrateError::VersionMissing(version) = error {
        OpenError::Newer { path, version }
    } else {
        OpenError::Migration { path, source: error }
    })
}
