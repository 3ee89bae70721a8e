//! Opening the database: reached, checked, brought up to this release. What goes wrong is said with what to do, and
//! never with the password.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, PgConnection, PgPool, SqlSafeStr};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::PostgresStore;
use super::fault::sqlstate;
use crate::store::sql::statements::STATEMENTS_PREPARED;

/// Connections that read.
pub(super) const READERS: u32 = 6;
/// Connections that append: as many organizations are written at once, and commits that meet share a flush.
const WRITERS: u32 = 10;
/// Connections of these that turns may hold: logs that several nodes write to must not keep the others waiting.
const TURNS: usize = 5;
/// Connections for beats, and for the list of nodes: neither waits for the other, nor for anybody else.
const BEATS: u32 = 2;
/// How long anybody waits for a connection.
const CONNECTION_WAIT_MAX: Duration = Duration::from_secs(3);
/// How long a connection that comes back may take to finish what it was left with; then it is given up. Without it
/// the connections to a host that is gone would be waited for until the kernel gives up, a quarter of an hour later.
const RETURN_MAX: Duration = Duration::from_secs(2);
/// How long opening may take, but for the migrations.
const OPEN_MAX: Duration = Duration::from_secs(10);
/// How long migrations may take, those of another node that has come first included.
const MIGRATE_MAX: Duration = Duration::from_mins(10);

/// What each session is told. Milliseconds, but for the seconds of keepalives.
const SESSION: [(&str, &str); 8] = [
    // An answered command survives a loss of power, whatever the server's default is.
    ("synchronous_commit", "on"),
    ("statement_timeout", "6000"),
    ("lock_timeout", "6000"),
    // Ends the turn of a node that was stopped.
    ("idle_in_transaction_session_timeout", "5000"),
    ("tcp_keepalives_idle", "10"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "3"),
    // Statements are short: compiling them takes longer than they do.
    ("jit", "off"),
];
/// What a session that migrates is told otherwise: it waits for other nodes that do, and rewrites tables.
const MIGRATING: [(&str, &str); 2] = [("statement_timeout", "0"), ("lock_timeout", "300000")];

/// How the URL of a PostgreSQL database begins.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// SQLSTATEs that say what to do.
const INVALID_PASSWORD: &str = "28P01";
const INVALID_AUTHORIZATION: &str = "28000";
const INVALID_CATALOG_NAME: &str = "3D000";

/// Why a database could not be opened. `at` is its URL without the password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none.
    #[error(
        "not the URL of a PostgreSQL database ({problem}): give postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )]
    Url {
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody answers there.
    #[error("cannot reach the database {at} ({problem}): check that PostgreSQL runs, and listens there")]
    Unreachable {
        /// Where.
        at: String,
        /// What happened instead.
        problem: String,
    },
    /// No encrypted connection can be made.
    #[error("cannot connect to the database {at} encrypted ({problem}): check its certificate, or `sslmode`")]
    Encryption {
        /// Where.
        at: String,
        /// Why.
        problem: String,
    },
    /// The server does not let the user in.
    #[error("the database {at} does not let {user} in ({problem}): check the password, and `pg_hba.conf`")]
    Denied {
        /// Where.
        at: String,
        /// Whom.
        user: String,
        /// Why.
        problem: String,
    },
    /// The server has no such database.
    #[error("there is no database {at}: make it with `CREATE DATABASE {database}`")]
    Missing {
        /// Where.
        at: String,
        /// Its name.
        database: String,
    },
    /// A newer release of Rotunda has written it.
    #[error(
        "the database {at} was written by a newer release (its schema is version {version}): run that release, or \
         restore a backup from before"
    )]
    Newer {
        /// Where.
        at: String,
        /// The newest version of its schema.
        version: i64,
    },
    /// Its schema could not be brought up to this release.
    #[error("the schema of the database {at} could not be brought up to date: {source}")]
    Migration {
        /// Where.
        at: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Something else.
    #[error("cannot open the database {at}: {source}")]
    Unavailable {
        /// Where.
        at: String,
        /// Why.
        source: sqlx::Error,
    },
}

/// Opens a database.
pub(super) async fn open(url: &str) -> Result<PostgresStore, OpenError> {
    let options = parse(url)?
        .options(SESSION)
        .statement_cache_capacity(STATEMENTS_PREPARED)
        .disable_statement_logging();
    migrate(&options).await?;
    Ok(PostgresStore {
        readers: pool(READERS, &options),
        writers: pool(WRITERS, &options),
        beats: pool(BEATS, &options),
        lanes: Arc::default(),
        turns: Arc::new(Semaphore::new(TURNS)),
        refs_since_prune: Arc::default(),
    })
}

/// The driver takes any scheme for its own.
fn parse(url: &str) -> Result<PgConnectOptions, OpenError> {
    if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
        return Err(OpenError::Url { problem: "it begins otherwise".into() });
    }
    PgConnectOptions::from_str(url).map_err(|error| OpenError::Url { problem: error.to_string() })
}

/// Connections are made when they are needed, and made anew after the database was gone.
fn pool(connections_max: u32, options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(CONNECTION_WAIT_MAX)
        .after_release(|connection, _| {
            Box::pin(async move {
                let finished = timeout(RETURN_MAX, connection.ping()).await;
                finished.map_err(|elapsed| sqlx::Error::Io(elapsed.into()))?.map(|()| true)
            })
        })
        .connect_lazy_with(options.clone())
}

/// Brings the schema up to this release. Of nodes that start together one does it, and the others wait.
async fn migrate(options: &PgConnectOptions) -> Result<(), OpenError> {
    let at = || address(options);
    let migrating = options.clone().options(MIGRATING);
    let mut connection = match timeout(OPEN_MAX, PgConnection::connect_with(&migrating)).await {
        Ok(connected) => connected.map_err(|error| not_opened(options, error))?,
        Err(elapsed) => return Err(OpenError::Unreachable { at: at(), problem: elapsed.to_string() }),
    };
    let migrated = timeout(MIGRATE_MAX, migrator().run_direct(None, &mut connection, false)).await;
    match migrated {
        Ok(Ok(())) => {}
        Ok(Err(MigrateError::VersionMissing(version))) => return Err(OpenError::Newer { at: at(), version }),
        Ok(Err(error)) => return Err(OpenError::Migration { at: at(), source: error.into() }),
        Err(elapsed) => return Err(OpenError::Migration { at: at(), source: elapsed.into() }),
    }
    connection.close().await.map_err(|error| not_opened(options, error))
}

/// The schema's history. What was released in it is never changed.
fn migrator() -> Migrator {
    let rotunda = include_str!("../migrations/postgres/0001_rotunda.sql").into_sql_str();
    Migrator::with_migrations(vec![Migration::new(
        1,
        "rotunda".into(),
        MigrationType::Simple,
        rotunda,
        false,
    )])
}

fn not_opened(options: &PgConnectOptions, error: sqlx::Error) -> OpenError {
    let at = address(options);
    match (sqlstate(&error), &error) {
        (Some(INVALID_PASSWORD | INVALID_AUTHORIZATION), _) => {
            OpenError::Denied { at, user: options.get_username().into(), problem: error.to_string() }
        }
        (Some(INVALID_CATALOG_NAME), _) => {
            OpenError::Missing { at, database: options.get_database().unwrap_or_default().into() }
        }
        (_, sqlx::Error::Io(problem)) => OpenError::Unreachable { at, problem: problem.to_string() },
        (_, sqlx::Error::Tls(problem)) => OpenError::Encryption { at, problem: problem.to_string() },
        _ => OpenError::Unavailable { at, source: error },
    }
}

/// The URL without the password.
fn address(options: &PgConnectOptions) -> String {
    let (user, host, port) = (options.get_username(), options.get_host(), options.get_port());
    format!("postgres://{user}@{host}:{port}/{}", options.get_database().unwrap_or(user))
}
