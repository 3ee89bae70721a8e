//! A Redis Cluster of three masters, without replicas.

use std::io;
use std::time::Instant;

use super::{ASK_EVERY, Redis, START_MAX, Settings};
use crate::process::free_port;

/// What each of the three serves.
const SLOTS: [(u16, u16); 3] = [(0, 5_460), (5_461, 10_922), (10_923, 16_383)];

/// A Redis Cluster of three masters. Ends when it is dropped.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts it, and waits until every member serves what is asked of it.
    pub fn start() -> io::Result<Self> {
        let mut nodes = Vec::new();
        for _ in SLOTS {
            nodes.push(Redis::start_with(Settings {
                cluster_port: Some(free_port()?),
                ..Settings::default()
            })?);
        }
        let cluster = Self { nodes };
        cluster.introduce()?;
        cluster.until_it_serves()?;
        Ok(cluster)
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
        format!("redis+cluster://{}", hosts.join(","))
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
        let began = Instant::now();
        for node in &self.nodes {
            while !serves(&node.command(&["CLUSTER", "INFO"])?) {
                if began.elapsed() > START_MAX {
                    return Err(io::Error::other("the Redis Cluster does not come together"));
                }
                std::thread::sleep(ASK_EVERY);
            }
        }
        Ok(())
    }

    fn introduce(&self) -> io::Result<()> {
        let (first, others) = self.nodes.split_first().expect("a cluster has members");
        for ((node, (from, to)), epoch) in self.nodes.iter().zip(SLOTS).zip(1..) {
            node.command(&["CLUSTER", "ADDSLOTSRANGE", &from.to_string(), &to.to_string()])?;
            // Otherwise they would first have to find out that they all began with the same.
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch.to_string()])?;
        }
        for node in others {
            let (port, bus) =
                (node.port.to_string(), node.settings.cluster_port.unwrap_or_default().to_string());
            first.command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus])?;
        }
        Ok(())
    }
}

fn serves(info: &str) -> bool {
    ["cluster_state:ok", "cluster_slots_ok:16384", "cluster_known_nodes:3"]
        .iter()
        .all(|line| info.contains(line))
}
