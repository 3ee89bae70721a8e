//! The bus on real servers: the contract on each kind of them, and what it does when they fail.

mod cluster;
mod healing;
mod proxy;
mod single;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use rotunda_servers::redis::{Redis, RedisCluster, Settings};

use super::RedisBus;
use crate::bus::Health;
use crate::bus::contract::{self, Nodes, until};
use crate::domain::node::NodeId;
use crate::metrics::Metrics;

/// From the moment that something breaks until the bus says so.
const DEAF_WITHIN: Duration = Duration::from_millis(700);
/// From the moment that it is whole again until the bus delivers.
const WELL_WITHIN: Duration = Duration::from_secs(1);

/// A node's bus, and what it counts.
fn connect(url: &str, authority: Option<&Path>, node: &str) -> (Arc<RedisBus>, Arc<Metrics>) {
    let metrics = Metrics::new();
    let bus = RedisBus::connect(url, authority, NodeId::new(node), Arc::clone(&metrics)).unwrap();
    (Arc::new(bus), metrics)
}

/// Two nodes that hear each other.
async fn nodes(url: &str, authority: Option<&Path>) -> Nodes {
    let (here, there) = (connect(url, authority, "here").0, connect(url, authority, "there").0);
    until(here.as_ref(), Health::Delivering).await;
    until(there.as_ref(), Health::Delivering).await;
    Nodes { here, there }
}

/// The value of a counter or gauge.
fn counted(metrics: &Metrics, name: &str) -> u64 {
    let text = metrics.text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("rotunda_{name} ")));
    line.unwrap_or_else(|| panic!("{name} in\n{text}")).parse().unwrap()
}

/// Waits for something that has to come in time, and prints how long it took.
async fn within<T>(limit: Duration, what: &str, comes: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let came = timeout(limit, comes).await.unwrap_or_else(|_| panic!("{what} within {limit:?}"));
    eprintln!("{what} after {:?}", began.elapsed());
    came
}

async fn deaf_in_time(bus: &RedisBus) {
    within(DEAF_WITHIN, "deaf", until(bus, Health::Deaf)).await;
}

async fn well_in_time(bus: &RedisBus) {
    within(WELL_WITHIN, "well", until(bus, Health::Delivering)).await;
}

mod on_one_server {
    use super::*;

    async fn fresh() -> (Nodes, Redis) {
        let redis = Redis::start().unwrap();
        (nodes(&redis.url(), None).await, redis)
    }

    contract::checks!(fresh);
}

mod over_tls_with_a_password {
    use super::*;

    async fn fresh() -> (Nodes, Redis) {
        let settings = Settings { password: Some("sesame".into()), tls: true };
        let redis = Redis::start_with(settings).unwrap();
        (nodes(&redis.url(), Some(&redis.authority())).await, redis)
    }

    contract::checks!(fresh);
}

mod on_a_cluster {
    use super::*;

    async fn fresh() -> (Nodes, RedisCluster) {
        let cluster = RedisCluster::start().unwrap();
        (nodes(&cluster.url(), None).await, cluster)
    }

    contract::checks!(fresh);
}
