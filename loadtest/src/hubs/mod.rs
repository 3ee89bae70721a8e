//! The hub that is loaded: one that the harness starts, a cluster of them, or hubs that run already. All can be asked for
//! their addresses and secrets; what their processes take is known of those on this machine; those that the harness has
//! started can be killed, drained and started again.
//!
//! Nodes count from 0, in the order of [`Target::addresses`]. Everything that was started ends with the [`Target`], and
//! its folders go.

mod cores;
mod node;
mod place;
mod port;
mod probe;
mod url;
mod usage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::task::spawn_blocking;

use self::node::Node;
use self::place::{Place, Secrets};
use self::usage::Account;

pub(crate) use self::cores::start_on;

pub use self::cores::{Cores, pin_this_thread};
pub use self::usage::Usage;

/// What makes the harness's program a hub; the hub's own command line follows.
pub const HUB_COMMAND: &str = "hub";

/// The program that is started as the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// The harness's own program, which is a hub as well: `FILE hub serve …`.
    Itself(PathBuf),
    /// Another one: `FILE serve …`.
    Other(PathBuf),
}

/// How hubs are started.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is started.
    pub program: Program,
    /// More for the hub's command line, such as `--connections-max`. A few clients send what many would, so limits on what
    /// one client may send should be generous.
    pub hub_args: Vec<String>,
    /// The hub's processes, with database and bus, share half of the cores, and [`Target::cores`] tells which are left.
    /// Whoever makes the load should then pin itself to those. Without it the kernel moves everybody about, which is
    /// faster on the whole, and less steady.
    pub pin: bool,
}

impl Options {
    /// The program that runs is the hub, with nothing special.
    pub fn itself() -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("this program does not know its own file")?;
        Ok(Self { program: Program::Itself(program), hub_args: Vec::new(), pin: false })
    }
}

/// Hubs that run already.
#[derive(Debug, Clone)]
pub struct Given {
    /// One of each node, such as `http://127.0.0.1:4400`.
    pub urls: Vec<String>,
    /// What session tokens are signed with. Whether it is right shows when the first session says hello.
    pub token_secret: String,
    /// What a back office shows.
    pub service_token: String,
    /// The nodes' processes, if they are on this machine, so that what they take can be told; or none at all.
    pub pids: Vec<u32>,
}

/// The hub that is loaded.
pub struct Target {
    addresses: Vec<SocketAddr>,
    secrets: Secrets,
    hubs: Hubs,
}

/// Whose hubs they are.
enum Hubs {
    /// The nodes end before what they share.
    Started {
        nodes: Vec<Node>,
        place: Arc<Place>,
    },
    Given(Mutex<Vec<Account>>),
}

impl Target {
    /// Starts a hub with a database of its own.
    pub async fn spawn(options: &Options) -> anyhow::Result<Self> {
        Self::start(1, options, false).await
    }

    /// Starts several nodes that share a PostgreSQL and a Redis of their own.
    pub async fn spawn_cluster(nodes: usize, options: &Options) -> anyhow::Result<Self> {
        ensure!(nodes > 0, "a cluster has at least one node");
        Self::start(nodes, options, true).await
    }

    async fn start(count: usize, options: &Options, is_cluster: bool) -> anyhow::Result<Self> {
        let options = options.clone();
        // Whoever is no longer waiting drops what comes of it, which ends it.
        let place = Arc::new(spawn_blocking(move || Place::make(&options, is_cluster)).await??);
        let mut nodes = Vec::with_capacity(count);
        for number in 0..count {
            // The first one has set up the database when the second starts.
            nodes.push(Node::start(&place, number).await?);
        }
        let addresses = nodes.iter().map(|node| node.address).collect();
        Ok(Self { addresses, secrets: place.secrets.clone(), hubs: Hubs::Started { nodes, place } })
    }

    /// Takes hubs that run already, once it has seen that they can be loaded.
    pub async fn given(given: Given) -> anyhow::Result<Self> {
        ensure!(!given.urls.is_empty(), "give the URL of a hub, such as http://127.0.0.1:4400");
        ensure!(
            given.pids.is_empty() || given.pids.len() == given.urls.len(),
            "give a pid for each of the {} hubs, or none at all: what they take is told all together",
            given.urls.len()
        );
        let mut addresses = Vec::with_capacity(given.urls.len());
        for url in &given.urls {
            addresses.push(probe::hub(url, &url::resolve(url).await?, &given.service_token).await?);
        }
        for pid in &given.pids {
            Usage::of(*pid).with_context(|| {
                format!(
                    "process {pid} cannot be looked at: it has to run on this machine, under the same user"
                )
            })?;
        }
        let secrets = Secrets { token_secret: given.token_secret, service_token: given.service_token };
        let accounts = given.pids.into_iter().map(Account::of).collect();
        Ok(Self { addresses, secrets, hubs: Hubs::Given(Mutex::new(accounts)) })
    }

    /// Where its nodes listen.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.addresses.len()
    }

    /// What session tokens are signed with.
    pub fn token_secret(&self) -> &str {
        &self.secrets.token_secret
    }

    /// What a back office shows.
    pub fn service_token(&self) -> &str {
        &self.secrets.service_token
    }

    /// Who has which cores, if the hubs were pinned.
    pub fn cores(&self) -> Option<&Cores> {
        match &self.hubs {
            Hubs::Started { place, .. } => place.cores.as_ref(),
            Hubs::Given(_) => None,
        }
    }

    /// What the nodes' processes took since they began, all together, with those that were killed and replaced; none if
    /// their processes are not known. The database and the bus of a cluster are not in it.
    pub fn usage(&self) -> Option<Usage> {
        match &self.hubs {
            Hubs::Started { nodes, .. } => Some(nodes.iter().map(Node::usage).sum()),
            Hubs::Given(accounts) => {
                let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
                let known = !accounts.is_empty();
                known.then(|| accounts.iter_mut().map(Account::look).sum())
            }
        }
    }

    /// Calls that read and write: what the kernel counts for the processes, and the writes to sockets, which a hub counts
    /// itself. None if one of the two is not known.
    pub async fn calls(&self) -> Option<u64> {
        let mut calls = self.usage()?.calls;
        for address in self.addresses() {
            calls += probe::socket_writes(*address).await?;
        }
        Some(calls)
    }

    /// Ends a node at once, as a failing machine would.
    pub fn kill(&self, node: usize) -> anyhow::Result<()> {
        self.started(node)?.0.kill()
    }

    /// Tells a node to let its sessions go, and waits until it has ended; tells how long that took.
    pub async fn drain(&self, node: usize) -> anyhow::Result<Duration> {
        self.started(node)?.0.drain().await
    }

    /// Starts a node that has ended, at the same address with the same data, and waits until it is ready.
    pub async fn start_again(&self, node: usize) -> anyhow::Result<()> {
        let (node, place) = self.started(node)?;
        node.start_again(place).await
    }

    /// Which node has ended though nobody told it to, and what it said last; none while all is well.
    pub fn ended(&self) -> Option<String> {
        match &self.hubs {
            Hubs::Started { nodes, place } => nodes
                .iter()
                .find_map(|node| node.ended(place).unwrap_or_else(|error| Some(format!("{error:#}")))),
            Hubs::Given(accounts) => {
                let accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
                let gone = accounts.iter().find_map(Account::gone)?;
                Some(format!("process {gone} of the hub has ended"))
            }
        }
    }

    fn started(&self, node: usize) -> anyhow::Result<(&Node, &Place)> {
        let Hubs::Started { nodes, place } = &self.hubs else {
            anyhow::bail!("the harness ends only hubs that it has started: use --spawn or --spawn-cluster");
        };
        let found = nodes.get(node).with_context(|| format!("there is no node {node}"))?;
        Ok((found, place))
    }
}
