//! A Redis Cluster of three masters, and replicas where they are wanted.

use std::io;
use std::path::PathBuf;
use std::time::Instant;

use tempfile::TempDir;

use super::certificates::{AUTHORITY, make_certificates};
use super::{ASK_EVERY, Member, Redis, START_MAX, Settings};
use crate::process::free_port;

/// What each of the three serves.
const SLOTS: [(u16, u16); 3] = [(0, 5_460), (5_461, 10_922), (10_923, 16_383)];

/// A Redis Cluster of three masters, at first. Ends when it is dropped.
#[derive(Debug)]
pub struct RedisCluster {
    settings: Settings,
    nodes: Vec<Redis>,
    certificates: TempDir,
}

impl RedisCluster {
    /// Starts one that anybody on this machine may ask.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&Settings::default())
    }

    /// Starts one whose members are set up like this, and waits until each of them serves what is asked of it.
    pub fn start_with(settings: &Settings) -> io::Result<Self> {
        let certificates = tempfile::tempdir()?;
        if settings.tls {
            make_certificates(certificates.path())?;
        }
        let mut cluster = Self { settings: settings.clone(), nodes: Vec::new(), certificates };
        for ((from, to), epoch) in SLOTS.into_iter().zip(1..) {
            let node = cluster.add()?;
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()])?;
            // Otherwise they would first have to find out that they all began with the same.
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch.to_string()])?;
        }
        cluster.introduce()?;
        cluster.until_it_serves()?;
        Ok(cluster)
    }

    /// Starts another member that takes the place of a master when that is gone, and waits until it could.
    pub fn add_replica(&mut self, of: usize) -> io::Result<()> {
        self.add()?;
        self.introduce()?;
        self.until_it_serves()?;
        let master = self.nodes[of].command(&["CLUSTER", "MYID"])?;
        let replica = &self.nodes[self.nodes.len() - 1];
        // It may have to hear of its master first.
        until(|| Ok(replica.command(&["CLUSTER", "REPLICATE", &master])? == "OK"))?;
        until(|| Ok(replica.command(&["INFO", "replication"])?.contains("master_link_status:up")))
    }

    /// Its members.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// Its members, to end and start them.
    pub fn nodes_mut(&mut self) -> &mut [Redis] {
        &mut self.nodes
    }

    /// What a client needs to reach it.
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        let scheme = if self.settings.tls { "rediss" } else { "redis" };
        format!("{scheme}+cluster://{}{}", self.settings.user(), hosts.join(","))
    }

    /// The authority that its certificates are by, when it has some.
    pub fn authority(&self) -> PathBuf {
        self.certificates.path().join(AUTHORITY)
    }

    /// The place of the member that serves a slot at first.
    pub fn owner(&self, slot: u16) -> usize {
        SLOTS.iter().position(|(first, last)| (*first..=*last).contains(&slot)).unwrap_or_default()
    }

    /// Gives a slot to another member, by its place, as resharding would.
    pub fn move_slot(&self, slot: u16, to: usize) -> io::Result<()> {
        let id = self.nodes[to].command(&["CLUSTER", "MYID"])?;
        // Its new owner first, so that it has one at all times.
        let others = self.nodes.iter().enumerate().filter(|(place, _)| *place != to).map(|(_, node)| node);
        for node in std::iter::once(&self.nodes[to]).chain(others) {
            node.command(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id])?;
        }
        Ok(())
    }

    /// Waits until every member knows all others and serves what is asked of it.
    pub fn until_it_serves(&self) -> io::Result<()> {
        let known = format!("cluster_known_nodes:{}\r", self.nodes.len());
        let lines = ["cluster_state:ok", "cluster_slots_ok:16384", &known];
        for node in &self.nodes {
            until(|| {
                let info = node.command(&["CLUSTER", "INFO"])?;
                Ok(lines.iter().all(|line| info.contains(line)))
            })?;
        }
        Ok(())
    }

    /// Starts another member, which knows nobody and serves nothing.
    fn add(&mut self) -> io::Result<&Redis> {
        let member = Member { port: free_port()?, certificates: self.certificates.path().to_owned() };
        self.nodes.push(Redis::start_in(tempfile::tempdir()?, self.settings.clone(), Some(member))?);
        Ok(&self.nodes[self.nodes.len() - 1])
    }

    /// Makes every member known to the first, and so to all.
    fn introduce(&self) -> io::Result<()> {
        let (first, others) = self.nodes.split_first().expect("a cluster has members");
        for node in others {
            let bus = node.member.as_ref().map_or(0, |member| member.port);
            first.command(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string(), &bus.to_string()])?;
        }
        Ok(())
    }
}

/// Asks until the answer is yes.
fn until(yes: impl Fn() -> io::Result<bool>) -> io::Result<()> {
    let began = Instant::now();
    while !yes()? {
        if began.elapsed() > START_MAX {
            return Err(io::Error::other("the Redis Cluster does not come together"));
        }
        std::thread::sleep(ASK_EVERY);
    }
    Ok(())
}
