//! Several real nodes on one database and one bus, each a process that can be killed, frozen, drained and started
//! again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hyper::Method;
use rotunda_protocol::command::{Command, NewOrganization, Outcome};
use rotunda_protocol::id::ConversationId;
use rotunda_servers::postgres::{Flush, Postgres};
use rotunda_servers::redis::Redis;
use tempfile::TempDir;

use crate::support::practice::{DESK, MAIN, ORGANIZATION, bayview};
use crate::support::{Hub, Node};

/// More than a client of these tests says; what keeps clients within bounds is tested elsewhere.
const FRAMES: &str = "100000";

/// Nodes, what they share, and where they are.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Hub>,
    pub(super) redis: Redis,
    /// None if they share a file.
    postgres: Option<Postgres>,
    settings: Vec<Settings>,
    folder: TempDir,
}

/// What a node is told, in its environment.
pub(super) type Settings = Vec<(&'static str, String)>;

/// What nodes share.
pub(super) fn servers() -> (Redis, Postgres) {
    (Redis::start().unwrap(), Postgres::start_with(Flush::Never).unwrap())
}

impl Cluster {
    /// This many nodes that hear each other, with the practice.
    pub(super) async fn start(nodes: usize) -> Self {
        let cluster = Self::start_with(servers(), &bayview(0), vec![vec![]; nodes]).await;
        cluster.delivers().await;
        cluster
    }

    /// Nodes on these servers, each told something more.
    pub(super) async fn start_with(
        (redis, postgres): (Redis, Postgres),
        practice: &NewOrganization,
        more: Vec<Settings>,
    ) -> Self {
        let store = [("ROTUNDA_STORE", postgres.url("rotunda"))];
        Self::start_on(redis, Some(postgres), &store, practice, more).await
    }

    /// Nodes that share a file.
    pub(super) async fn start_on_file(nodes: usize) -> Self {
        let redis = Redis::start().unwrap();
        let cluster = Self::start_on(redis, None, &[], &bayview(0), vec![vec![]; nodes]).await;
        cluster.delivers().await;
        cluster
    }

    async fn start_on(
        redis: Redis,
        postgres: Option<Postgres>,
        store: &[(&'static str, String)],
        practice: &NewOrganization,
        more: Vec<Settings>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = [
            ("ROTUNDA_DATA", folder.path().to_str().unwrap().to_owned()),
            ("ROTUNDA_BUS", redis.url()),
            ("ROTUNDA_FRAMES_PER_SECOND", FRAMES.into()),
            ("ROTUNDA_FRAMES_BURST", FRAMES.into()),
        ];
        // Of what is said twice the later counts.
        let told = |more: Settings| shared.iter().chain(store).cloned().chain(more).collect();
        let settings: Vec<Settings> = more.into_iter().map(told).collect();
        let mut cluster = Self { nodes: Vec::new(), redis, postgres, settings, folder };
        for node in 0..cluster.settings.len() {
            let hub = cluster.launch(node).await;
            cluster.nodes.push(hub);
        }
        cluster.node(0).provision(ORGANIZATION, practice).await;
        for hub in &cluster.nodes {
            hub.node.counted("rotunda_nodes", cluster.nodes.len() as u64).await;
        }
        cluster
    }

    /// Waits until all nodes hear each other.
    pub(super) async fn delivers(&self) {
        for hub in &self.nodes {
            hub.node.counted("rotunda_bus_delivering", 1).await;
        }
    }

    pub(super) fn postgres(&mut self) -> &mut Postgres {
        self.postgres.as_mut().expect("they share a server")
    }

    /// What they share if it is a file.
    pub(super) fn data(&self) -> &Path {
        self.folder.path()
    }

    fn home(&self, node: usize) -> PathBuf {
        let home = self.folder.path().join(node.to_string());
        std::fs::create_dir_all(&home).unwrap();
        home
    }

    async fn launch(&self, node: usize) -> Hub {
        let told: Vec<_> = self.settings[node].iter().map(|(name, value)| (*name, &**value)).collect();
        Hub::running_with(&self.home(node), &told).await
    }

    /// Starts a node again that has ended, where it was.
    pub(super) async fn restart(&mut self, node: usize) {
        self.nodes[node] = self.launch(node).await;
    }

    pub(super) fn node(&self, node: usize) -> &Node {
        &self.nodes[node].node
    }

    /// Where all nodes are, whether they run or not.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|hub| hub.node.address).collect()
    }

    /// A conversation of everybody's, and one of the desk's: ben and cyd.
    pub(super) async fn conversations(&self) -> [ConversationId; 2] {
        [self.receive(MAIN, "+14155550999").await, self.receive(DESK, "mara@example.org").await]
    }

    /// A message from outside, of which every node knows when this returns.
    pub(super) async fn receive(&self, to: &str, from: &str) -> ConversationId {
        let conversation = self.node(0).receive(to, from, "hello").await;
        let began = Instant::now();
        for hub in &self.nodes {
            while !hub.node.read(&format!("/conversations/{conversation}")).await.status.is_success() {
                assert!(began.elapsed() < Duration::from_secs(20), "a node never hears of it");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        conversation
    }

    /// What some nodes count under a name, together.
    pub(super) async fn counts(&self, nodes: [usize; 2], name: &str) -> u64 {
        self.node(nodes[0]).count(name).await + self.node(nodes[1]).count(name).await
    }

    /// Does a command as the back office, by a node.
    pub(super) async fn does(&self, node: usize, r#ref: &str, command: &Command) -> Outcome {
        let path = format!("/v1/organizations/{ORGANIZATION}/commands");
        let body = serde_json::json!({"ref": r#ref, "command": command});
        let response = self.node(node).until_done(Method::POST, &path, body, &[]).await;
        assert!(response.status.is_success(), "{response:?}");
        serde_json::from_value(response.json()).unwrap()
    }
}
