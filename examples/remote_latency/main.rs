//! Measures how long news take from the node where they happen to sockets of that node and of another one, and how
//! long a revocation takes until it is answered, which is when it holds on both. Two real nodes, a Postgres that
//! flushes every commit, and a Redis, which is then killed: the same once more with the nodes following the log.
//!
//! Open-loop: each command has a time at which it is meant to be sent, and counts from then, so that a hub that stalls
//! is charged for what it kept waiting. `make measure-cluster` builds the hub and runs it. Other numbers:
//! `cargo run --release --example remote_latency -- EVENTS_PER_SECOND SECONDS ORGANIZATIONS REVOCATIONS`.

#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

mod client;
mod deliveries;
mod node;
mod pace;
mod practice;
mod revocations;
mod table;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use rotunda_servers::postgres::Postgres;
use rotunda_servers::redis::Redis;

use self::node::Node;
use self::table::Table;

/// A node knows within this that the bus does not deliver any more, and is a while away from any change.
const SETTLE: Duration = Duration::from_secs(3);

/// What is measured.
#[derive(Debug, Clone, Copy)]
struct Load {
    events_per_second: u32,
    seconds: u32,
    organizations: usize,
    revocations: usize,
}

impl Load {
    fn from_arguments() -> anyhow::Result<Self> {
        let numbers: Vec<u32> =
            std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
        let number = |place: usize, default| numbers.get(place).copied().unwrap_or(default);
        let load = Self {
            events_per_second: number(0, 200),
            seconds: number(1, 10),
            organizations: number(2, 10) as usize,
            revocations: number(3, 100) as usize,
        };
        ensure!(load.events_per_second > 0 && load.organizations > 0, "nothing would happen");
        Ok(load)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let load = Load::from_arguments()?;
    let folder = tempfile::tempdir()?;
    let postgres = Postgres::start().context("cannot start a Postgres")?;
    let mut redis = Redis::start().context("cannot start a Redis")?;
    let nodes = start(folder.path(), &postgres, &redis).await?;
    let Load { events_per_second, seconds, organizations, .. } = load;
    let recipients = practice::RECIPIENTS;
    println!(
        "{events_per_second} events/s for {seconds} s in {organizations} organizations, each event to {recipients} sessions, half of them on each node"
    );
    measure("through Redis", "redis", &nodes, load).await?;
    redis.kill()?;
    for node in &nodes {
        node.until_it_delivers(false).await?;
    }
    tokio::time::sleep(SETTLE).await;
    // Fewer revocations: each waits for the other node's beats.
    let load = Load { revocations: load.revocations.div_ceil(5), ..load };
    measure("without Redis, by following the log", "log", &nodes, load).await
}

async fn start(folder: &Path, postgres: &Postgres, redis: &Redis) -> anyhow::Result<[Node; 2]> {
    let (store, bus) = (postgres.url("rotunda"), redis.url());
    let nodes = [
        Node::start(&folder.join("a"), &store, &bus).await?,
        Node::start(&folder.join("b"), &store, &bus).await?,
    ];
    for node in &nodes {
        node.until_it_delivers(true).await?;
    }
    Ok(nodes)
}

/// Both measurements, one after the other. The run's name makes its organizations' names.
async fn measure(title: &str, run: &str, nodes: &[Node; 2], load: Load) -> anyhow::Result<()> {
    println!("\n{title}");
    let mut table = Table::new("ms");
    let delivered = deliveries::measure(run, nodes, load).await?;
    table.row("meant to be sent → answered on A", delivered.answered);
    table.row("meant to be sent → read at a socket on A", delivered.here);
    table.row("meant to be sent → read at a socket on B", delivered.there);
    table.row("answered on A → read at a socket on A", delivered.here_since);
    table.row("answered on A → read at a socket on B", delivered.there_since);
    let revoked = revocations::measure(run, nodes, load).await?;
    table.row("revocation sent → answered on A", revoked.answered);
    table.row("last frame of it read on B → answered on A", revoked.last_before);
    println!("{table}");
    println!(
        "{} revocations while the loser was sent {:.0} frames/s on B; frames of what was lost: {} after the answer, {} after the notice",
        revoked.count, revoked.frames_per_second, revoked.after_answer, revoked.after_notice
    );
    Ok(())
}
