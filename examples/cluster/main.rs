//! A cluster to try out: three nodes that share a Postgres and a Redis, with the demo's practice on them and, where
//! `haproxy` is installed, a balancer in front. Everything is on free ports of this machine and in a temporary folder.
//!
//! `make cluster` builds it and runs it until Ctrl-C. A node or the Redis may be killed: that is what several nodes are
//! for. It is started again after a while, as whatever watches over real ones would. Nothing goes on without the
//! Postgres or the balancer: when one of them ends, everything does.

#![expect(clippy::print_stdout, reason = "it talks to whoever started it")]

mod balancer;
mod guide;
mod node;
mod revival;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rotunda_servers::postgres::Postgres;
use rotunda_servers::redis::Redis;
use tempfile::TempDir;
use tokio::signal::unix::{Signal, SignalKind, signal};

use self::balancer::Balancer;
use self::node::{Node, Place};
use self::revival::Revival;

/// How many nodes there are.
const NODES: usize = 3;
/// How often it is looked who has ended.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long nodes may take to let their sessions go: longer than their drain.
const DRAIN_MAX: Duration = Duration::from_secs(15);

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // Before there is anything that would be left behind.
    let mut end = End::listen()?;
    rotunda_servers::keep_apart();
    let started = tokio::task::spawn_blocking(Cluster::start);
    let mut cluster = tokio::select! {
        started = started => started??,
        // Leaving waits for what is being started, and that ends it.
        () = end.told() => return Ok(()),
    };
    println!("{}", cluster.guide());
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = end.told() => break,
            _ = look.tick() => cluster.look()?,
        }
    }
    println!("The nodes let their sessions go; Ctrl-C once more does not wait for that.");
    tokio::select! {
        () = cluster.drain() => {}
        () = end.told() => {}
    }
    drop(cluster);
    println!("Everything has ended, and nothing is left of it.");
    Ok(())
}

/// Whoever may tell it to end.
struct End([Signal; 3]);

impl End {
    fn listen() -> anyhow::Result<Self> {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let [interrupt, terminate, hangup] = kinds.map(signal);
        Ok(Self([interrupt?, terminate?, hangup?]))
    }

    async fn told(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// All of it, in the order in which it ends.
struct Cluster {
    balancer: Option<Balancer>,
    nodes: Vec<Node>,
    redis: Redis,
    redis_revival: Revival,
    postgres: Postgres,
    place: Place,
    _folder: TempDir,
}

impl Cluster {
    fn start() -> anyhow::Result<Self> {
        let postgres = Postgres::start().context("cannot start a Postgres")?;
        let redis = Redis::start().context("cannot start a Redis")?;
        let folder = tempfile::Builder::new().prefix("rotunda-cluster-").tempdir()?;
        let place = Place {
            program: program()?,
            store: postgres.url("rotunda"),
            bus: redis.url(),
            data: folder.path().join("data"),
        };
        println!("Setting up a practice on {NODES} nodes …");
        // The first one has set up the practice when the second starts.
        let nodes = (1..=NODES).map(|number| Node::start(&place, number)).collect::<Result<Vec<_>, _>>()?;
        let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
        let balancer = Balancer::start(folder.path(), &addresses)?;
        let redis_revival = Revival::default();
        Ok(Self { balancer, nodes, redis, redis_revival, postgres, place, _folder: folder })
    }

    /// Starts again what ended a while ago; fails if what nothing goes on without has ended.
    fn look(&mut self) -> anyhow::Result<()> {
        for node in &mut self.nodes {
            let (name, pid) = (format!("node {}", node.number), node.process.id());
            if node.revival.is_due(&name, pid, node.process.ended()?) {
                node.start_again(&self.place)?;
                println!("{name} is open again, with pid {}.", node.process.id());
            }
        }
        let (pid, ended) = (self.redis.process().id(), self.redis.process().ended()?);
        if self.redis_revival.is_due("Redis", pid, ended) {
            self.redis.restart().context("cannot start Redis again")?;
            println!("Redis is there again, with pid {}.", self.redis.process().id());
        }
        ensure!(self.postgres.process().is_running(), "the Postgres has ended, and so does everything");
        let balancer = self.balancer.as_mut().is_none_or(|balancer| balancer.process.is_running());
        ensure!(balancer, "the balancer has ended, and so does everything");
        Ok(())
    }

    fn guide(&mut self) -> String {
        guide::Guide {
            program: &guide::as_typed(&self.place.program),
            service_token: &self.place.data.join("service-token"),
            nodes: self.nodes.iter().map(|node| (node.address, node.process.id())).collect(),
            balancer: self.balancer.as_ref().map(|balancer| (balancer.address, balancer.process.id())),
            redis: (self.redis.url(), self.redis.process().id()),
            postgres: (self.postgres.url("rotunda"), self.postgres.process().id()),
        }
        .to_string()
    }

    /// Has the nodes let their sessions go, and waits until they have ended.
    async fn drain(&mut self) {
        for node in &mut self.nodes {
            if node.process.is_running()
                && let Err(error) = node.process.signal("TERM")
            {
                eprintln!("node {} does not hear that it is to end: {error}", node.number);
            }
        }
        let began = Instant::now();
        while began.elapsed() < DRAIN_MAX && self.nodes.iter_mut().any(|node| node.process.is_running()) {
            tokio::time::sleep(LOOK_EVERY / 4).await;
        }
    }
}

/// The program of the hub, beside this one.
fn program() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name("../rotunda");
    program
        .canonicalize()
        .with_context(|| format!("{} is not there: `make cluster` builds it", program.display()))
}
