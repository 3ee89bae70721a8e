//! The contract on Postgres, and what goes wrong with servers.

use std::time::{Duration, Instant};

use futures::future::join_all;
use rotunda_servers::postgres::{Flush, Postgres};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::append::prune_refs;
use super::open::READERS;
use super::{ANSWER_MAX, OpenError, PostgresStore};
use crate::domain::event::{Change, Seq};
use crate::domain::node::NodeId;
use crate::store::contract::sample::{
    NOON, batch, begun, event, id, item, message, patient, record, small_event,
};
use crate::store::contract::{self, append_as_a_room};
use crate::store::nodes::{Beat, Nodes};
use crate::store::{Appended, Batch, Needs, Store, StoreError};

contract::checks!(fresh);

/// Some seconds more, for a machine that has other things to do.
const SLACK: Duration = Duration::from_secs(4);

async fn fresh() -> (PostgresStore, Postgres) {
    let server = Postgres::start_with(Flush::Never).unwrap();
    (open(&server).await, server)
}

async fn open(server: &Postgres) -> PostgresStore {
    PostgresStore::open(&server.url("rotunda")).await.unwrap()
}

/// Somebody else's connection.
async fn somebody(server: &Postgres) -> PgConnection {
    PgConnection::connect(&server.url("rotunda")).await.unwrap()
}

fn small(expected: u64) -> Batch {
    batch("o", expected, vec![small_event(&expected.to_string())])
}

fn is_unavailable<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Unavailable(_)))
}

async fn refused(url: &str) -> OpenError {
    let error = PostgresStore::open(url).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    error
}

#[tokio::test]
async fn what_cannot_be_opened_is_refused_with_what_to_do_and_without_the_password() {
    let server = Postgres::start_with(Flush::Never).unwrap();
    server.execute("rotunda", "CREATE ROLE ada LOGIN PASSWORD 'hunter3'").unwrap();
    server.ask_for_passwords().unwrap();
    let port = server.port();
    let at = |port: u16, database: &str| format!("postgres://ada:hunter2@127.0.0.1:{port}/{database}");
    let denied = refused(&at(port, "rotunda")).await;
    assert!(matches!(denied, OpenError::Denied { .. }), "{denied:?}");
    assert!(denied.to_string().contains(&format!("postgres://ada@127.0.0.1:{port}/rotunda")), "{denied}");
    let missing = refused(&format!("postgres://ada:hunter3@127.0.0.1:{port}/elsewhere")).await;
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing:?}");
    let free = rotunda_servers::free_port().unwrap();
    let unreachable = refused(&at(free, "rotunda")).await;
    assert!(matches!(unreachable, OpenError::Unreachable { .. }), "{unreachable:?}");
    let encrypted = refused(&(at(port, "rotunda") + "?sslmode=require")).await;
    assert!(matches!(encrypted, OpenError::Encryption { .. }), "{encrypted:?}");
    for none in ["hunter2", "postgres://ada:hunter2@host:port/", "mysql://ada:hunter2@host/rotunda"] {
        let none = refused(none).await;
        assert!(matches!(none, OpenError::Url { .. }), "{none:?}");
    }
}

#[tokio::test]
async fn nodes_that_start_together_make_the_schema_once() {
    let server = Postgres::start_with(Flush::Never).unwrap();
    let stores = join_all((0..4).map(|_| open(&server))).await;
    let outcomes = join_all(stores.iter().map(|store| store.append(small(0)))).await;
    let won = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Appended::Committed(Seq(1)))));
    assert_eq!(won.count(), 1, "{outcomes:?}");
    let lost = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Appended::Conflict)));
    assert_eq!(lost.count(), 3, "{outcomes:?}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let (store, server) = fresh().await;
    store.close().await.unwrap();
    server
        .execute(
            "rotunda",
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
             VALUES (999, 'tomorrow', true, '', 0)",
        )
        .unwrap();
    let error = PostgresStore::open(&server.url("rotunda")).await.unwrap_err();
    assert!(matches!(error, OpenError::Newer { version: 999, .. }), "{error}");
}

#[tokio::test]
async fn closing_answers_what_comes_later() {
    let (store, _server) = fresh().await;
    store.append(small(0)).await.unwrap();
    store.close().await.unwrap();
    assert!(is_unavailable(&store.append(small(1)).await));
    assert!(is_unavailable(&store.load(&id("o")).await));
    assert!(is_unavailable(&store.turn(&id("o")).await));
    store.close().await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_restarted_is_used_again() {
    let (store, mut server) = fresh().await;
    store.append(small(0)).await.unwrap();
    store.beat(beat()).await.unwrap();
    let turn = store.turn(&id("o")).await.unwrap().unwrap();
    server.kill().unwrap();
    let outcome = turn.append(small(1)).await;
    assert!(matches!(outcome, Ok(Appended::Conflict)), "the turn went with its connection: {outcome:?}");
    let organization = id("o");
    let (appended, loaded) = tokio::join!(store.append(small(1)), store.load(&organization));
    assert!(is_unavailable(&appended) && is_unavailable(&loaded), "{appended:?} {loaded:?}");
    server.start_again().unwrap();
    assert_eq!(store.append(small(1)).await.unwrap(), Appended::Committed(Seq(2)));
    assert_eq!(store.load(&id("o")).await.unwrap().unwrap().head, Seq(2));
    store.beat(beat()).await.unwrap();
    assert_eq!(store.heads(&[id("o")]).await.unwrap(), [(id("o"), Seq(2))]);
}

fn beat() -> Beat {
    Beat { node: NodeId::new("n"), number: 1, applied: 0 }
}

#[tokio::test]
async fn a_server_that_stands_still_is_unavailable_in_time_and_used_again() {
    let (store, server) = fresh().await;
    store.append(small(0)).await.unwrap();
    let turn = store.turn(&id("o")).await.unwrap().unwrap();
    server.freeze().unwrap();
    let organization = id("o");
    let began = Instant::now();
    let (turned, loaded, beaten, appended) = tokio::join!(
        turn.append(small(1)),
        store.load(&organization),
        store.beat(beat()),
        store.append(batch("p", 0, vec![small_event("p")])),
    );
    assert!(is_unavailable(&turned) && is_unavailable(&appended), "{turned:?} {appended:?}");
    assert!(is_unavailable(&loaded) && is_unavailable(&beaten), "{loaded:?} {beaten:?}");
    assert!(began.elapsed() < ANSWER_MAX + SLACK, "{:?}", began.elapsed());
    server.thaw().unwrap();
    let head = append_as_a_room(&store, Seq(1), "on it goes").await;
    assert!(head >= Seq(2));
    assert_eq!(store.load(&id("o")).await.unwrap().unwrap().head, head);
    store.beat(beat()).await.unwrap();
    assert_eq!(store.heads(&[id("o")]).await.unwrap(), [(id("o"), head)]);
}

#[tokio::test]
async fn a_turn_of_a_node_that_stands_still_is_ended() {
    let (store, server) = fresh().await;
    let other = open(&server).await;
    store.append(small(0)).await.unwrap();
    let still = store.turn(&id("o")).await.unwrap().unwrap();
    assert_eq!(other.append(small(1)).await.unwrap(), Appended::Conflict, "at once, and not after the turn");
    let began = Instant::now();
    let next = other.turn(&id("o")).await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(5) + SLACK, "{:?}", began.elapsed());
    assert_eq!(next.append(small(1)).await.unwrap(), Appended::Committed(Seq(2)));
    assert_eq!(still.append(small(1)).await.unwrap(), Appended::Conflict);
    assert_eq!(store.append(small(2)).await.unwrap(), Appended::Committed(Seq(3)));
}

#[tokio::test]
async fn rooms_of_several_nodes_each_commit_once() {
    let (store, server) = fresh().await;
    let stores = [open(&server).await, open(&server).await, open(&server).await];
    store.append(small(0)).await.unwrap();
    let room = async |node: usize| {
        let mut head = Seq(1);
        for n in 0..10 {
            head = append_as_a_room(&stores[node], head, &format!("{node} {n}")).await;
        }
    };
    join_all((0..3).map(room)).await;
    assert_eq!(store.load(&id("o")).await.unwrap().unwrap().tags.len(), 31);
    assert_eq!(store.events(&id("o"), Seq(0), 100).await.unwrap().len(), 31);
}

/// Batches of several events with rows and a `ref`: each is there as a whole, or not at all.
#[tokio::test]
async fn a_server_that_is_killed_keeps_whole_batches() {
    let mut server = Postgres::start().unwrap();
    let store = open(&server).await;
    let whole = |n: u64| {
        let row = patient(&format!("c{n}"), "e1", &format!("+{n}"));
        let first = event(vec![begun(row)]);
        let second = event(vec![Change::Item(item(&format!("c{n}"), 1, message("hello")))]);
        let refs = vec![record("contact", &n.to_string(), 1)];
        Batch { refs, ..batch("o", 2 * n, vec![first, second]) }
    };
    let (told, mut tellings) = tokio::sync::mpsc::channel(1000);
    let appending = store.clone();
    let appender = tokio::spawn(async move {
        let mut n = 0;
        while let Ok(Appended::Committed(_)) = appending.append(whole(n)).await {
            n += 1;
            told.try_send(n).unwrap();
        }
    });
    while tellings.recv().await.unwrap() < 20 {}
    server.kill().unwrap();
    appender.await.unwrap();
    let mut answered = 20;
    while let Some(n) = tellings.recv().await {
        answered = n;
    }
    server.start_again().unwrap();
    let image = store.load(&id("o")).await.unwrap().unwrap();
    let batches = image.head.0 / 2;
    assert_eq!(image.head.0 % 2, 0, "no half of a batch");
    assert!((answered..=answered + 1).contains(&batches), "{answered} were answered, {batches} are there");
    let count = usize::try_from(batches).unwrap();
    assert_eq!(image.conversations.len(), count);
    assert_eq!(store.events(&id("o"), Seq(0), 10_000).await.unwrap().len(), 2 * count);
    let refs = (0..=batches).map(|n| (id("contact"), n.to_string())).collect();
    let found = store.find(&id("o"), Needs { refs, ..Needs::default() }).await.unwrap();
    assert_eq!(found.refs.len(), count);
    assert_eq!(store.items(&id("o"), &id(&format!("c{}", batches - 1)), 0, 9, 9).await.unwrap().len(), 1);
}

/// A newer release has added a column while this one runs.
#[tokio::test]
async fn tables_that_grow_are_read_again() {
    let (store, server) = fresh().await;
    store.append(small(0)).await.unwrap();
    store.load(&id("o")).await.unwrap();
    let mut newer = somebody(&server).await;
    sqlx::raw_sql("ALTER TABLE organizations ADD COLUMN later TEXT").execute(&mut newer).await.unwrap();
    // Each connection may notice once.
    let mut loaded = store.load(&id("o")).await;
    for _ in 0..READERS {
        if loaded.is_ok() {
            break;
        }
        assert!(is_unavailable(&loaded), "{loaded:?}");
        loaded = store.load(&id("o")).await;
    }
    assert_eq!(loaded.unwrap().unwrap().head, Seq(1));
}

#[tokio::test]
async fn who_stops_waiting_does_not_stop_a_batch() {
    let (store, _server) = fresh().await;
    {
        let mut append = store.append(small(0));
        // It is handed over when it is first asked for.
        assert!(futures::poll!(append.as_mut()).is_pending());
    }
    assert_eq!(store.append(small(1)).await.unwrap(), Appended::Committed(Seq(2)));
}

#[tokio::test]
async fn who_stops_waiting_for_a_turn_holds_up_nobody() {
    let (store, server) = fresh().await;
    let other = open(&server).await;
    store.append(small(0)).await.unwrap();
    let turn = store.turn(&id("o")).await.unwrap().unwrap();
    let waiting = tokio::time::timeout(Duration::from_millis(200), other.turn(&id("o"))).await;
    assert!(waiting.is_err(), "it waited in the database");
    assert_eq!(turn.append(small(1)).await.unwrap(), Appended::Committed(Seq(2)));
    let began = Instant::now();
    let next = store.turn(&id("o")).await.unwrap().unwrap();
    assert_eq!(next.append(small(2)).await.unwrap(), Appended::Committed(Seq(3)));
    assert_eq!(append_as_a_room(&other, Seq(1), "and the other").await, Seq(4));
    assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
}

#[tokio::test]
async fn old_refs_are_forgotten_a_few_at_a_time() {
    let (store, server) = fresh().await;
    let refs = (0..600).map(|n| record("contact", &n.to_string(), n)).collect();
    store.append(Batch { refs, ..small(0) }).await.unwrap();
    let mut somebody = somebody(&server).await;
    for left in [88_i64, 0] {
        prune_refs(&store.writers, NOON + 1).await.unwrap();
        let kept: i64 =
            sqlx::query_scalar("SELECT count(*) FROM refs").fetch_one(&mut somebody).await.unwrap();
        assert_eq!(kept, left);
    }
    store.append(Batch { refs: vec![record("contact", "r", 1)], ..small(1) }).await.unwrap();
    prune_refs(&store.writers, NOON).await.unwrap();
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM refs").fetch_one(&mut somebody).await.unwrap();
    assert_eq!(kept, 1, "it is not older than that");
}

/// Reads that have to cost what they return are answered from an index, in its order.
#[tokio::test]
async fn pages_are_read_from_indexes() {
    let (_store, server) = fresh().await;
    let mut somebody = somebody(&server).await;
    sqlx::raw_sql("SET enable_seqscan = off; SET enable_bitmapscan = off")
        .execute(&mut somebody)
        .await
        .unwrap();
    for statement in [
        "SELECT archived_activity, id FROM conversations WHERE state = 'archived' AND endpoint = 'e' \
         AND organization = 'o' AND (archived_activity, id) < (1, 'c') \
         ORDER BY archived_activity DESC, id DESC LIMIT 5",
        "SELECT archived_activity, conversation FROM conversation_members m \
         WHERE archived_activity IS NOT NULL AND principal = 'p' AND organization = 'o' \
         AND (archived_activity, conversation) < (1, 'c') \
         ORDER BY archived_activity DESC, conversation DESC LIMIT 5",
        "SELECT * FROM conversations c WHERE c.organization = 'o' AND c.state = 'archived' \
         AND c.archived_changed > 3 ORDER BY c.archived_changed, c.id LIMIT 5",
        "SELECT seq, at, by, body FROM events WHERE organization = 'o' AND seq > 3 ORDER BY seq LIMIT 5",
    ] {
        let explained = AssertSqlSafe(format!("EXPLAIN {statement}"));
        let plan: Vec<String> = sqlx::query_scalar(explained).fetch_all(&mut somebody).await.unwrap();
        assert!(plan.iter().any(|step| step.contains("Index")), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("Sort")), "{plan:#?}");
    }
}

/// What is rewritten most stays in its page and touches no index.
#[tokio::test]
async fn changes_of_open_conversations_touch_no_index() {
    let (_store, server) = fresh().await;
    let mut somebody = somebody(&server).await;
    let mut transaction = somebody.begin().await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO conversations (organization, id, state, items, inbound, created_at, activity_at, rev, changed) \
         VALUES ('o', 'c', 'open', 0, 0, 0, 0, 1, 1); \
         UPDATE conversations SET items = 1, activity_at = 1, rev = 2, changed = 2; \
         INSERT INTO organizations (id, head, epoch, cursor_key) VALUES ('o', 1, 1, ''); \
         UPDATE organizations SET head = 2",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    for table in ["conversations", "organizations"] {
        let in_page: i64 = sqlx::query_scalar("SELECT pg_stat_get_xact_tuples_hot_updated($1::regclass)")
            .bind(table)
            .fetch_one(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(in_page, 1, "{table}");
    }
}
