//! What a run came to: one value that is printed as a table, written as JSON, drawn as a page, and compared with
//! another run's.
//!
//! `docs/LOADTEST.md` explains every field. [`SCHEMA`] rises when a field changes its meaning or goes; new fields may
//! come without it, so whoever reads a report ignores what they do not know.

pub(crate) mod compare;
pub(crate) mod growth;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod table;

mod file;
#[cfg(test)]
mod fixture;
mod measures;
mod sections;
mod units;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of the schema.
pub(crate) const SCHEMA: u32 = 1;

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// [`SCHEMA`].
    pub(crate) schema: u32,
    pub(crate) scenario: String,
    /// The command line that made it, without secrets.
    pub(crate) command: String,
    /// When it began: milliseconds since 1970 UTC.
    pub(crate) began_at: u64,
    pub(crate) sessions: u64,
    pub(crate) organizations: u64,
    pub(crate) nodes: u64,
    /// Conversations that there were from the start.
    #[serde(default)]
    pub(crate) conversations: u64,
    /// Things that were meant to happen in a second; 0 where one followed the other.
    #[serde(default)]
    pub(crate) rate_per_s: f64,
    /// From when things began to happen until the last of it was read, without the pauses between turns; what was read and
    /// done was so within.
    pub(crate) seconds: f64,
    /// Commands that were done, the back office's included.
    pub(crate) commands: u64,
    /// Commands that were refused, for two people may reach for the same conversation.
    pub(crate) refused: u64,
    /// Pushes of rows and items that sessions read.
    pub(crate) deliveries: u64,
    pub(crate) deliveries_per_s: f64,
    #[serde(flatten)]
    pub(crate) verdict: Verdict,
    /// From when a command was meant to be sent to when a session had read what came of it.
    #[serde(default)]
    pub(crate) latency_ms: Option<Quantiles>,
    /// From when a command was meant to be sent to its answer.
    #[serde(default)]
    pub(crate) commit_ms: Option<Quantiles>,
    /// From when a loss of access was meant to be sent to its answer, which is when it holds on every node.
    #[serde(default)]
    pub(crate) revocation_ms: Option<Quantiles>,
    /// From a cut to being welcome again, in seconds; a drop's own length is not counted.
    #[serde(default)]
    pub(crate) reconnect_s: Option<Quantiles>,
    /// What the hub's processes took, all together; absent for a hub whose processes cannot be looked at.
    #[serde(default)]
    pub(crate) hub: Option<HubUse>,
    pub(crate) generator: GeneratorUse,
    /// The same frames written by a bare `write()` each, in the same run.
    #[serde(default)]
    pub(crate) floor: Option<Floor>,
    /// What only this scenario measures, by name; the name's last word is the unit.
    #[serde(default)]
    pub(crate) figures: BTreeMap<String, f64>,
    /// What a reader should know before believing the numbers.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
    /// The latency below which each percentage of deliveries stayed.
    #[serde(default)]
    pub(crate) distribution: Vec<Percentile>,
    #[serde(default)]
    pub(crate) timeline: Vec<Sample>,
    pub(crate) machine: Machine,
    pub(crate) versions: BTreeMap<String, String>,
}

/// What was checked, and what was wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// Pushes, rows and items that were held against the log.
    pub(crate) checked: u64,
    /// News that a session should have been told and was not.
    pub(crate) lost: u64,
    /// News that a session was told twice.
    pub(crate) duplicated: u64,
    /// Anything about a conversation that was told to who could not see it then.
    pub(crate) leaked: u64,
    /// Pictures at the end that differ from a fresh list or from the log, and rows that never were so.
    pub(crate) diverged: u64,
    /// The first cases, a sentence each.
    #[serde(default)]
    pub(crate) cases: Vec<String>,
}

impl Verdict {
    /// Nothing was wrong.
    pub(crate) fn is_clean(&self) -> bool {
        (self.lost, self.duplicated, self.leaked, self.diverged) == (0, 0, 0, 0)
    }
}

/// How long something took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Quantiles {
    pub(crate) count: u64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

/// What the hub's processes took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HubUse {
    /// Processor time while things were made to happen, in seconds.
    pub(crate) cpu_s: f64,
    #[serde(default)]
    pub(crate) cpu_us_per_delivery: Option<f64>,
    /// Resident memory in bytes before the first session.
    pub(crate) rss_start: u64,
    /// The same at the end.
    pub(crate) rss_end: u64,
    /// What a session took: the growth until all were connected and had read their lists, in bytes.
    #[serde(default)]
    pub(crate) rss_per_session: Option<f64>,
    /// Calls of `read` and `write` and their kin, as the kernel counts them for a process.
    #[serde(default)]
    pub(crate) syscalls_per_delivery: Option<f64>,
}

/// What making the load took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct GeneratorUse {
    pub(crate) processes: u64,
    /// Processor time while things were made to happen, in seconds.
    pub(crate) cpu_s: f64,
    /// How far behind its own schedule it was at worst, as the 99th percentile, in milliseconds.
    pub(crate) lag_ms: f64,
    /// It, not the hub, was what limited the run.
    pub(crate) saturated: bool,
}

/// What a bare `write()` of the same frame to as many sockets took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Floor {
    pub(crate) frame_bytes: u64,
    pub(crate) cpu_us_per_delivery: f64,
    /// The hub's processor time for a delivery, divided by this floor's.
    pub(crate) cpu_ratio: f64,
    /// From when a round was meant to begin to when a socket's frame was read.
    pub(crate) latency_ms: Quantiles,
    /// The hub's 99th percentile divided by this floor's.
    pub(crate) p99_ratio: f64,
}

/// A point of the latency distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentile {
    /// From 0 to 100.
    pub(crate) percent: f64,
    pub(crate) ms: f64,
}

/// What was seen at one moment of the run; counts are since the sample before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Seconds since things began to happen, without the pauses between turns.
    pub(crate) at: f64,
    /// Sessions that are connected and welcome.
    pub(crate) connected: u64,
    pub(crate) deliveries: u64,
    pub(crate) commands: u64,
    pub(crate) reconnects: u64,
    /// The 99th percentile of the deliveries' latency since the sample before.
    #[serde(default)]
    pub(crate) p99_ms: Option<f64>,
    /// Cores that the hub's processes used.
    #[serde(default)]
    pub(crate) hub_cores: Option<f64>,
    /// Resident memory of the hub's processes, in bytes.
    #[serde(default)]
    pub(crate) hub_rss: Option<u64>,
    /// Cores that the generator used.
    pub(crate) generator_cores: f64,
}

/// Where it ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) kernel: String,
    /// Waiting processes a minute before the run, as the kernel averages them.
    pub(crate) load: f64,
}
