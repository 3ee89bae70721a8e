//! Measures what it costs when several nodes write to one organization at once: hubs as `rotunda serve` runs them,
//! each with its own connections to one PostgreSQL, and callers at each who wait for every answer.
//!
//! `cargo run --release --example contention -- SECONDS CALLERS`: how long each number of nodes is measured, and how
//! many callers wait at each node. Needs PostgreSQL's programs; starts a server of its own.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;
use rotunda::bus::local::LocalBus;
use rotunda::domain::node::NodeId;
use rotunda::hub::{Cluster, Hub};
use rotunda::limits::Limits;
use rotunda::metrics::Metrics;
use rotunda::store::postgres::PostgresStore;
use rotunda_protocol::command::{Command, Done, NewEndpoint, NewOrganization, NewTeammate};
use rotunda_protocol::directory::{EndpointKind, OrganizationKind, Role};
use rotunda_protocol::id::{ConversationId, OrganizationId};
use rotunda_protocol::principal::{Actor, Principal};
use rotunda_servers::postgres::Postgres;

/// Conversations that callers write in: enough for each to have one of their own.
const CONVERSATIONS: usize = 128;
/// How many nodes write at once.
const NODES: [usize; 3] = [1, 2, 4];

/// A node, and what it counts.
struct Node {
    hub: Hub,
    metrics: Arc<Metrics>,
}

/// What some nodes did together.
struct Measured {
    elapsed: Duration,
    commits: f64,
    lost: f64,
    latencies: Vec<Duration>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse());
    let seconds: u64 = numbers.next().transpose()?.unwrap_or(5);
    let callers: usize = numbers.next().transpose()?.unwrap_or(32).try_into()?;
    let server = Postgres::start()?;
    println!("{callers} callers at each node, {seconds} s each");
    println!("nodes  commands/s  of one's  a commit  places lost   p50 ms   p99 ms   max ms");
    let mut alone = None;
    for nodes in NODES {
        let database = format!("nodes{nodes}");
        server.execute("postgres", &format!("CREATE DATABASE {database}"))?;
        let mut measured =
            measure(&server.url(&database), nodes, callers, Duration::from_secs(seconds)).await?;
        measured.latencies.sort();
        let commands = f64::from(u32::try_from(measured.latencies.len())?);
        let per_second = commands / measured.elapsed.as_secs_f64();
        println!(
            "{nodes:>5} {per_second:>11.0} {:>8.2}x {:>9.1} {:>12} {:>8.1} {:>8.1} {:>8.1}",
            per_second / *alone.get_or_insert(per_second),
            commands / measured.commits,
            measured.lost,
            millis(&measured.latencies, 50),
            millis(&measured.latencies, 99),
            millis(&measured.latencies, 100),
        );
    }
    Ok(())
}

/// The time within which so many of a hundred were answered.
fn millis(sorted: &[Duration], percent: usize) -> f64 {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).map_or(f64::NAN, Duration::as_secs_f64) * 1_000.0
}

async fn measure(url: &str, nodes: usize, callers: usize, during: Duration) -> anyhow::Result<Measured> {
    let bus = LocalBus::new();
    let mut all = Vec::new();
    for n in 0..nodes {
        let store = Arc::new(PostgresStore::open(url).await?);
        let metrics = Metrics::new();
        let cluster = Cluster { node: NodeId::new(&format!("node-{n}")), bus: bus.clone() };
        all.push(Node { hub: Hub::among(store, metrics.clone(), Limits::default(), cluster), metrics });
    }
    let conversations = practice(&all[0].hub).await?;
    let (commits, lost) = (counted(&all, "rotunda_append_events_count"), counted(&all, LOST));
    let (began, mut calls) = (Instant::now(), Vec::new());
    for (n, node) in all.iter().enumerate() {
        for caller in 0..callers {
            let conversation = conversations[(n * callers + caller) % CONVERSATIONS].clone();
            calls.push(tokio::spawn(call(
                node.hub.clone(),
                conversation,
                format!("{n}-{caller}"),
                began + during,
            )));
        }
    }
    let answered = try_join_all(calls).await?.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let elapsed = began.elapsed();
    // A batch that lost its place was counted as an append, too.
    let lost = counted(&all, LOST) - lost;
    let commits = counted(&all, "rotunda_append_events_count") - commits - lost;
    for node in &all {
        node.hub.leave().await;
    }
    Ok(Measured { elapsed, commits, lost, latencies: answered.into_iter().flatten().collect() })
}

/// Batches that were decided again because another node was first.
const LOST: &str = "rotunda_places_lost_total";

/// A count of all nodes together.
fn counted(nodes: &[Node], name: &str) -> f64 {
    let count = |node: &Node| {
        let text = node.metrics.text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        value.unwrap_or_default()
    };
    nodes.iter().map(count).sum()
}

/// One caller: the next command goes out when the one before was answered. Each has to be done, and once.
async fn call(
    hub: Hub,
    conversation: ConversationId,
    name: String,
    until: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let (mut latencies, mut newest) = (Vec::new(), None);
    while Instant::now() < until {
        let began = Instant::now();
        let number = latencies.len();
        let body = format!("{name} took a note of what was said, for the {number}th time");
        let command = Command::PostNote { conversation: conversation.clone(), body };
        let actor = Actor::Teammate("ada".parse()?);
        let Done::Conversation { item, .. } = done(&hub, actor, format!("{name}-{number}"), command).await?
        else {
            bail!("{name} wrote nothing")
        };
        ensure!(item > newest, "{name} wrote item {item:?} after {newest:?}");
        newest = item;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

/// Sets the organization up, with conversations to write in.
async fn practice(hub: &Hub) -> anyhow::Result<Vec<ConversationId>> {
    let ada = NewTeammate { id: Some("ada".parse()?), name: "Ada".into(), role: Role::Admin, active: true };
    let phone = NewEndpoint {
        id: Some("phone".parse()?),
        kind: EndpointKind::Phone,
        address: "+15550000000".into(),
        label: "Front desk".into(),
        owner: Principal::Organization,
        members: vec![],
        auto_assign: false,
    };
    let provision = Command::Provision(NewOrganization {
        name: "Practice".into(),
        kind: OrganizationKind::Team,
        teammates: vec![ada],
        teams: vec![],
        endpoints: vec![phone],
    });
    let service = Actor::Service("measure".into());
    done(hub, service, "provision".into(), provision).await?;
    let mut conversations = Vec::new();
    for n in 0..CONVERSATIONS {
        let command = Command::Start {
            from_endpoint: None,
            to: format!("+1555100{n:04}"),
            name: None,
            body: "Good morning".into(),
        };
        let actor = Actor::Teammate("ada".parse()?);
        if let Done::Conversation { conversation, .. } =
            done(hub, actor, format!("start-{n}"), command).await?
        {
            conversations.push(conversation);
        }
    }
    Ok(conversations)
}

fn organization() -> anyhow::Result<OrganizationId> {
    "practice".parse().context("not an id")
}

/// What a command did.
async fn done(hub: &Hub, actor: Actor, r#ref: String, command: Command) -> anyhow::Result<Done> {
    match hub.call(&organization()?, actor, r#ref, command).await {
        Ok(outcome) => Ok(outcome.done),
        Err(refusal) => bail!("refused: {refusal:?}"),
    }
}
