//! What the harness and its processes say to each other: a line of JSON each, by pipes.

use std::collections::BTreeMap;

use anyhow::Context;
use data_encoding::BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use serde::{Deserialize, Serialize};

use crate::report::Verdict;

/// What a process is told to do next. Each step is answered with [`Told::Did`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Make the organizations.
    SetUp,
    /// Connect some of the sessions, and read their lists.
    Connect { which: Which },
    /// Read the log so far: from here on everything has to come.
    Begin,
    /// Have things happen for a turn, and wait until all is read.
    Play,
    /// Compare everything, and tell what it came to.
    Check,
}

/// Which sessions are connected together, in this order. A hub makes an organization's room for the first of its sessions:
/// what it takes is nothing that a codec has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Which {
    /// The first of each share.
    First,
    /// Of the others, those that speak MessagePack.
    MessagePack,
    /// Of the others, those that speak JSON.
    Json,
}

impl Which {
    /// Where a session belongs, by its number in its share.
    pub(crate) fn of(number: usize, is_json: bool) -> Self {
        match (number, is_json) {
            (0, _) => Self::First,
            (_, false) => Self::MessagePack,
            (_, true) => Self::Json,
        }
    }
}

/// What a process says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    Did(Step),
    /// How it goes; several times a second.
    Sample(Counts),
    /// It makes no sense to go on.
    Failed(String),
    /// What it came to: the answer to [`Step::Check`].
    Tally(Box<Tally>),
}

/// Counts so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counts {
    pub(crate) cpu_s: f64,
    pub(crate) connected: u64,
    pub(crate) ready: u64,
    pub(crate) deliveries: u64,
    pub(crate) commands: u64,
    pub(crate) reconnects: u64,
    /// Bytes of pushed rows, and how many.
    pub(crate) row_bytes: u64,
    pub(crate) rows: u64,
    /// Of what was read since it was last told; not every sample tells it.
    pub(crate) p99_ms: Option<f64>,
}

/// What a process counted and found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) verdict: Verdict,
    /// How long things were made to happen, in seconds.
    pub(crate) played_s: f64,
    /// How long it was until the last of it was read, in seconds: no less.
    #[serde(default)]
    pub(crate) drained_s: f64,
    /// Processor time meanwhile, in seconds.
    pub(crate) cpu_s: f64,
    pub(crate) deliveries: u64,
    pub(crate) commands: u64,
    pub(crate) refused: u64,
    pub(crate) refusals: BTreeMap<String, u64>,
    /// Acts that could not be done, for a session was not ready or had too much to do.
    #[serde(default)]
    pub(crate) skipped: u64,
    /// Questions that were answered with a refusal.
    #[serde(default)]
    pub(crate) refused_questions: u64,
    /// Why connections ended that nobody cut: a close code, or `network`.
    #[serde(default)]
    pub(crate) closes: BTreeMap<String, u64>,
    pub(crate) catch_ups: u64,
    pub(crate) resyncs: u64,
    pub(crate) resets: u64,
    /// Frames that the client does not know and ignored.
    pub(crate) unknown: u64,
    pub(crate) latency: Packed,
    pub(crate) commit: Packed,
    pub(crate) revocation: Packed,
    pub(crate) reconnect: Packed,
    pub(crate) lag: Packed,
    pub(crate) figures: BTreeMap<String, f64>,
}

/// A histogram of microseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Packed(String);

impl Packed {
    pub(crate) fn pack(histogram: &Histogram<u64>) -> Self {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(histogram, &mut bytes).expect("memory takes everything");
        Self(BASE64.encode(&bytes))
    }

    pub(crate) fn unpack(&self) -> anyhow::Result<Histogram<u64>> {
        let bytes = BASE64.decode(self.0.as_bytes()).context("a histogram that cannot be read")?;
        let read = Deserializer::new().deserialize(&mut bytes.as_slice());
        read.map_err(|error| anyhow::anyhow!("a histogram that cannot be read: {error:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_arrives_as_it_was() {
        let mut histogram = Histogram::new(3).unwrap();
        histogram.record_n(1_234, 5).unwrap();
        histogram.record(9_999_999).unwrap();
        assert_eq!(Packed::pack(&histogram).unpack().unwrap(), histogram);
    }
}
