//! The contract on SQLite, and what goes wrong with files.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use rusqlite::Connection;
use tempfile::TempDir;

use super::connection::{Database, Settings};
use super::open;
use super::writer::Request;
use super::{OpenError, SqliteStore};
use crate::domain::event::{Event, Seq};
use crate::store::contract::sample::{NOON, batch, event, id, record, small_event};
use crate::store::contract::{self};
use crate::store::nodes::Nodes;
use crate::store::{Appended, Batch, Needs, Store, StoreError};

contract::checks!(fresh);

async fn fresh() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (SqliteStore::open(&database(&folder)).await.unwrap(), folder)
}

fn database(folder: &TempDir) -> PathBuf {
    folder.path().join("data/rotunda.db")
}

/// Somebody else's connection to the same file.
fn somebody(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

fn number(connection: &Connection, question: &str) -> i64 {
    connection.query_row(question, [], |row| row.get(0)).unwrap()
}

/// The store with other settings.
async fn opened_with(folder: &TempDir, settings: Settings) -> SqliteStore {
    open::open(Database { path: database(folder), settings }).await.unwrap()
}

/// Appends `count` batches, each to a new organization's log, all at once.
async fn append_many(store: &SqliteStore, count: usize) -> Vec<Result<Appended, StoreError>> {
    join_all((0..count).map(|n| store.append(batch(&format!("o{n}"), 0, vec![small_event("t")])))).await
}

fn is_unavailable<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Unavailable(_)))
}

/// An event of about 4,000 bytes.
fn large_event(name: &str) -> Event {
    small_event(&format!("{name} {}", "x".repeat(4000)))
}

#[tokio::test]
async fn what_was_appended_survives_the_store() {
    let (store, folder) = fresh().await;
    store.append(batch("o", 0, vec![small_event("first")])).await.unwrap();
    let image = store.load(&id("o")).await.unwrap();
    drop(store);
    let store = SqliteStore::open(&database(&folder)).await.unwrap();
    assert_eq!(store.load(&id("o")).await.unwrap(), image);
    store.append(batch("o", 1, vec![small_event("second")])).await.unwrap();
    store.close().await.unwrap();
    let store = SqliteStore::open(&database(&folder)).await.unwrap();
    assert_eq!(store.events(&id("o"), Seq(0), 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn closing_leaves_one_file_and_answers_what_comes_later() {
    let (store, folder) = fresh().await;
    let mut appends = append_many(&store, 20).await;
    assert!(appends.drain(..).all(|outcome| outcome.is_ok()));
    store.close().await.unwrap();
    let files: Vec<_> = std::fs::read_dir(folder.path().join("data"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, ["rotunda.db"]);
    assert!(is_unavailable(&store.append(batch("late", 0, vec![small_event("t")])).await));
    assert!(is_unavailable(&store.load(&id("o1")).await));
    store.close().await.unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn the_files_are_for_nobody_elses_eyes() {
    use std::os::unix::fs::PermissionsExt;
    let (store, folder) = fresh().await;
    store.append(batch("o", 0, vec![small_event("t")])).await.unwrap();
    let files = std::fs::read_dir(folder.path().join("data")).unwrap().map(Result::unwrap);
    let modes: Vec<_> = files.map(|file| file.metadata().unwrap().permissions().mode() & 0o777).collect();
    assert_eq!(modes, [0o600; 3], "the file, its log and its shared memory");
}

#[tokio::test]
async fn a_checkpoint_brings_the_log_into_the_file() {
    let (store, folder) = fresh().await;
    store.append(batch("o", 0, vec![small_event("first")])).await.unwrap();
    store.requests.send(Request::Checkpoint).await.unwrap();
    store.append(batch("o", 1, vec![small_event("second")])).await.unwrap();
    let without_log = folder.path().join("copy.db");
    std::fs::copy(database(&folder), &without_log).unwrap();
    assert_eq!(number(&somebody(&without_log), "SELECT head FROM organizations"), 1);
}

#[tokio::test]
async fn batches_that_wait_together_are_committed_together() {
    let (store, _folder) = fresh().await;
    let outcomes = append_many(&store, 500).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(Appended::Committed(Seq(1))))));
    // The writer may begin with the first that comes; what comes meanwhile is taken together.
    assert!(store.transactions() <= 10, "{} transactions", store.transactions());
}

#[tokio::test]
async fn a_conflict_commits_nothing() {
    let (store, _folder) = fresh().await;
    assert_eq!(store.append(batch("o", 3, vec![small_event("t")])).await.unwrap(), Appended::Conflict);
    assert_eq!(store.transactions(), 0);
}

#[tokio::test]
async fn old_refs_are_forgotten_a_few_at_a_time() {
    let (store, folder) = fresh().await;
    let refs = |from: u32| (from..from + 300).map(|n| record("contact", &n.to_string(), n)).collect();
    let day = 24 * 60 * 60 * 1000;
    for (expected, at) in [(0, NOON), (1, NOON + day), (2, NOON + day + 1), (3, NOON + day + 2)] {
        let events = vec![Event { at, ..event(Vec::new()) }];
        let from = 300 * u32::try_from(expected).unwrap();
        store.append(Batch { refs: refs(from), ..batch("o", expected, events) }).await.unwrap();
    }
    let kept = number(&somebody(&database(&folder)), "SELECT count(*) FROM refs");
    assert_eq!(kept, 900, "the first day's are gone, all others are there");
    let needs = |name: &str| Needs { refs: vec![(id("contact"), name.into())], ..Needs::default() };
    assert!(store.find(&id("o"), needs("299")).await.unwrap().refs.is_empty());
    assert_eq!(store.find(&id("o"), needs("300")).await.unwrap().refs.len(), 1);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "Dear diary, ".repeat(1000)).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::NotADatabase { .. }), "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}

#[tokio::test]
async fn a_damaged_database_is_refused_with_what_to_do() {
    let (store, folder) = fresh().await;
    for n in 0..50 {
        store.append(batch("o", n, vec![large_event(&n.to_string())])).await.unwrap();
    }
    store.close().await.unwrap();
    let path = database(&folder);
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end / 2..end * 3 / 4].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    let message = error.to_string();
    for hint in [path.to_str().unwrap(), "backup", ".recover"] {
        assert!(message.contains(hint), "{message}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (store, folder) = fresh().await;
    store.close().await.unwrap();
    somebody(&database(&folder)).pragma_update(None, "user_version", 999).unwrap();
    let error = SqliteStore::open(&database(&folder)).await.unwrap_err();
    assert!(matches!(error, OpenError::Newer { version: 999, .. }), "{error}");
}

#[tokio::test]
async fn a_file_of_an_early_release_is_brought_up_to_this_one() {
    for done in [1, 2, 999] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let early = somebody(&database(&folder));
        early.execute_batch(include_str!("../migrations/sqlite/0001_rotunda.sql")).unwrap();
        if done > 1 {
            early.execute_batch(include_str!("../migrations/sqlite/0002_nodes.sql")).unwrap();
        }
        early
            .execute_batch(
                "INSERT INTO organizations (id, head, epoch, cursor_key) VALUES ('o', 0, 7, randomblob(16)); \
                 CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY); \
                 INSERT INTO _sqlx_migrations VALUES (1)",
            )
            .unwrap();
        early.execute("INSERT OR IGNORE INTO _sqlx_migrations VALUES (?1)", [done]).unwrap();
        drop(early);
        let opened = SqliteStore::open(&database(&folder)).await;
        if done == 999 {
            assert!(matches!(opened, Err(OpenError::Newer { version: 999, .. })), "{opened:?}");
            let newest = "SELECT max(version) FROM _sqlx_migrations";
            assert_eq!(number(&somebody(&database(&folder)), newest), 999, "it is as it was");
            continue;
        }
        let store = opened.unwrap();
        assert_eq!(store.load(&id("o")).await.unwrap().unwrap().epoch, 7);
        assert!(store.nodes().await.unwrap().is_empty());
        let somebody = somebody(&database(&folder));
        assert_eq!(number(&somebody, "PRAGMA user_version"), 2);
        assert_eq!(number(&somebody, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%sqlx%'"), 0);
    }
}

#[tokio::test]
async fn some_other_programs_database_is_refused_and_left_as_it_was() {
    for version in [0, 2, 7] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("photos.db");
        let other = somebody(&path);
        other.execute_batch("CREATE TABLE photos (taken INTEGER)").unwrap();
        other.pragma_update(None, "user_version", version).unwrap();
        drop(other);
        let before = std::fs::read(&path).unwrap();
        let error = SqliteStore::open(&path).await.unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "version {version}");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = SqliteStore::open(&folder.path().join("file/rotunda.db")).await.unwrap_err();
    assert!(matches!(error, OpenError::Unavailable { .. }), "{error}");
}

#[tokio::test]
async fn a_locked_database_is_unavailable_until_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { busy_timeout: Duration::from_millis(10), ..Settings::default() };
    let store = opened_with(&folder, settings).await;
    store.append(batch("o", 0, vec![small_event("t")])).await.unwrap();
    let somebody = somebody(&database(&folder));
    somebody.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let outcomes = append_many(&store, 3).await;
    assert!(outcomes.iter().all(is_unavailable), "{outcomes:?}");
    assert_eq!(store.load(&id("o")).await.unwrap().unwrap().head, Seq(1), "reading goes on");
    somebody.execute_batch("ROLLBACK").unwrap();
    let outcomes = append_many(&store, 3).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
}

#[tokio::test]
async fn a_locked_file_is_not_opened_and_says_so() {
    let (store, folder) = fresh().await;
    store.close().await.unwrap();
    let somebody = somebody(&database(&folder));
    somebody.pragma_update(None, "locking_mode", "exclusive").unwrap();
    somebody.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let settings = Settings { busy_timeout: Duration::from_millis(10), ..Settings::default() };
    let error = open::open(Database { path: database(&folder), settings }).await.unwrap_err();
    assert!(matches!(error, OpenError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains("locked"), "{error}");
}

#[tokio::test]
async fn of_many_who_open_a_new_file_at_once_all_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = database(&folder);
    let stores = join_all((0..8).map(|_| SqliteStore::open(&path))).await;
    for store in stores {
        store.unwrap().append(batch("o", 0, vec![small_event("t")])).await.unwrap();
    }
}

/// Takes a reader, until what it gives is dropped.
fn busy_reader(
    store: &SqliteStore,
) -> (impl Future<Output = Result<(), StoreError>> + use<>, mpsc::Sender<()>) {
    let (over, wait) = mpsc::channel::<()>();
    let readers = store.readers.clone();
    let asked = async move {
        let wait = async move |_: &mut Connection| {
            wait.recv().unwrap_err();
            Ok(())
        };
        readers.ask(wait).await
    };
    (asked, over)
}

#[tokio::test]
async fn while_all_readers_are_busy_a_question_is_given_up_and_commits_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { reader_wait: Duration::from_millis(20), ..Settings::default() };
    let store = opened_with(&folder, settings).await;
    let (asked, over): (Vec<_>, Vec<_>) = (0..4).map(|_| busy_reader(&store)).unzip();
    let asked: Vec<_> = asked.into_iter().map(|asked| tokio::spawn(asked)).collect();
    tokio::task::yield_now().await;
    let refused = store.load(&id("o")).await;
    assert!(is_unavailable(&refused), "{refused:?}");
    assert!(refused.unwrap_err().to_string().contains("busy"));
    store.append(batch("o", 0, vec![small_event("t")])).await.unwrap();
    drop(over);
    for asked in asked {
        asked.await.unwrap().unwrap();
    }
    assert!(store.load(&id("o")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_reader_comes_back_from_whoever_fails_panics_or_stops_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { reader_wait: Duration::from_secs(1), ..Settings::default() };
    let store = opened_with(&folder, settings).await;
    store.append(batch("o", 0, vec![small_event("t")])).await.unwrap();
    for _ in 0..6 {
        let failed =
            store.readers.ask(async |reader| Ok(reader.execute_batch("SELECT * FROM nowhere")?)).await;
        assert!(matches!(failed, Err(StoreError::Contradiction(_))), "{failed:?}");
        let panicked = store.readers.ask(async |_| -> Result<(), _> { panic!("on purpose") }).await;
        assert!(is_unavailable(&panicked), "{panicked:?}");
        let (asked, over) = busy_reader(&store);
        assert!(asked.now_or_never().is_none());
        drop(over);
        // Nobody writes with a connection that reads.
        let written = store.readers.ask(async |reader| Ok(reader.execute_batch("DELETE FROM events")?)).await;
        assert!(written.is_err());
    }
    assert_eq!(store.events(&id("o"), Seq(0), 10).await.unwrap().len(), 1);
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_unavailable_until_there_is_room() {
    let (store, folder) = fresh().await;
    store.close().await.unwrap();
    let somebody = somebody(&database(&folder));
    somebody.execute_batch("CREATE TABLE ballast AS SELECT randomblob(1000000) AS stone").unwrap();
    // SQLite takes a limit below the file's size as the file's size.
    let settings = Settings { pages_max: Some(1), ..Settings::default() };
    let store = opened_with(&folder, settings).await;
    let fits = |n: u64| batch("o", n, vec![small_event(&n.to_string())]);
    let too_large = |n: u64| batch("o", n, (0..50).map(|part| large_event(&part.to_string())).collect());
    assert!(matches!(store.append(fits(0)).await, Ok(Appended::Committed(Seq(1)))));
    let full = store.append(too_large(1)).await;
    assert!(is_unavailable(&full), "{full:?}");
    assert_eq!(store.load(&id("o")).await.unwrap().unwrap().head, Seq(1), "nothing was written");
    assert_eq!(store.events(&id("o"), Seq(0), 100).await.unwrap().len(), 1);
    assert!(matches!(store.append(fits(1)).await, Ok(Appended::Committed(Seq(2)))), "small ones still fit");
    somebody.execute_batch("DROP TABLE ballast").unwrap();
    assert!(matches!(store.append(too_large(2)).await, Ok(Appended::Committed(Seq(52)))));
}

#[tokio::test]
async fn two_stores_on_one_file_do_not_overwrite_each_other() {
    let (store, folder) = fresh().await;
    let other = SqliteStore::open(&database(&folder)).await.unwrap();
    let appends = (0..20_usize).map(|n| {
        let store = if n % 2 == 0 { &store } else { &other };
        store.append(batch("o", 0, vec![small_event(&n.to_string())]))
    });
    let outcomes: Vec<_> = join_all(appends).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Appended::Committed(Seq(1))).count(), 1);
    assert_eq!(store.events(&id("o"), Seq(0), 10).await.unwrap().len(), 1);
    assert_eq!(other.load(&id("o")).await.unwrap(), store.load(&id("o")).await.unwrap());
}

/// Reads that have to cost what they return are answered from an index, for each of their tables.
#[tokio::test]
async fn pages_are_read_from_indexes() {
    let (_store, folder) = fresh().await;
    let somebody = somebody(&database(&folder));
    for statement in [
        "SELECT activity_at, id FROM conversations WHERE state = 'archived' AND endpoint = ? \
         AND organization = ? AND (activity_at, id) < (?, ?) ORDER BY activity_at DESC, id DESC LIMIT ?",
        "SELECT archived_activity, conversation FROM conversation_members m \
         WHERE archived_activity IS NOT NULL AND principal = ? AND organization = ? \
         AND (archived_activity, conversation) < (?, ?) \
         ORDER BY archived_activity DESC, conversation DESC LIMIT ?",
    ] {
        let mut explained = somebody.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).unwrap();
        let steps = explained.raw_query().mapped(|row| row.get::<_, String>("detail"));
        let plan: Vec<_> = steps.map(Result::unwrap).collect();
        assert_eq!(plan.len(), 1, "{plan:?}");
        assert!(plan[0].starts_with("SEARCH") && plan[0].contains("USING COVERING INDEX"), "{plan:?}");
        assert!(!plan[0].contains("B-TREE"), "{plan:?}");
    }
}
