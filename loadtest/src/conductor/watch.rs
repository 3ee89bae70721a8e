//! What is seen of the hub's processes and the generator's from outside, while things happen.

use std::time::Duration;

use tokio::time::Instant;

use crate::hubs::{Target, Usage};
use crate::report::Sample;
use crate::scenario::Scenario;
use crate::wire::Counts;

/// What was seen so far.
pub(super) struct Watched {
    /// Resident memory: with organizations and no session, with the first of each, with those that speak MessagePack, with
    /// all, and at the end.
    pub(super) rss: Vec<Option<u64>>,
    /// Sessions that speak MessagePack, without the first of each share; and those that speak JSON.
    pub(super) message_pack: usize,
    pub(super) json: usize,
    /// What the hub took in all turns, without the pauses between them; none if its processes are not known.
    pub(super) took: Option<Took>,
    /// By the time of the turns, one after the other.
    pub(super) samples: Vec<Sample>,
    /// When the turn began, or its last sample was taken.
    last: Look,
}

/// What a hub took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    /// Its processor time.
    pub(super) cpu: Duration,
    /// Its calls; not known where nodes end, whose counts end with them.
    pub(super) calls: Option<u64>,
}

impl Took {
    /// Since it began; none if its processes are not known.
    pub(super) async fn so_far(target: &Target, scenario: &Scenario) -> Option<Self> {
        let calls = if let Scenario::Cluster(_) = scenario { None } else { target.calls().await };
        Some(Self { cpu: target.usage()?.cpu, calls })
    }

    fn and(self, more: Self) -> Self {
        let calls = self.calls.zip(more.calls).map(|(all, more)| all + more);
        Self { cpu: self.cpu + more.cpu, calls }
    }

    /// In between.
    pub(super) fn since(self, before: Self) -> Self {
        let calls = self.calls.zip(before.calls).map(|(after, before)| after.saturating_sub(before));
        Self { cpu: self.cpu.saturating_sub(before.cpu), calls }
    }
}

impl Watched {
    pub(super) fn new(message_pack: usize, json: usize) -> Self {
        let last = Look { at: Instant::now(), counts: Counts::default(), usage: None };
        let took = Some(Took { cpu: Duration::ZERO, calls: Some(0) });
        Self { rss: Vec::new(), message_pack, json, took, samples: Vec::new(), last }
    }

    /// Looks how much memory the hub has.
    pub(super) fn weigh(&mut self, target: &Target) {
        self.rss.push(target.usage().map(|usage| usage.resident_bytes));
    }

    /// Things begin to happen, or go on after a pause.
    pub(super) fn begin_turn(&mut self, target: &Target, counts: Counts) {
        self.last = Look { at: Instant::now(), counts, usage: target.usage() };
    }

    /// What has happened since the last sample, and within how many seconds.
    pub(super) fn sample(&mut self, target: &Target, counts: Counts) -> (Sample, f64) {
        let look = Look { at: Instant::now(), counts, usage: target.usage() };
        let since_s = (look.at - self.last.at).as_secs_f64();
        let at = self.samples.last().map_or(0.0, |sample| sample.at) + since_s;
        let sample = look.sample(&self.last, since_s, at);
        self.last = look;
        self.samples.push(sample);
        (sample, since_s)
    }

    /// All of it was read. What was counted since the last sample is its, too: most of it had happened and not been told,
    /// and the rest followed at once.
    pub(super) fn end_turn(&mut self, counts: Counts) {
        if let Some(sample) = self.samples.last_mut() {
            let last = self.last.counts;
            sample.deliveries += counts.deliveries.saturating_sub(last.deliveries);
            sample.commands += counts.commands.saturating_sub(last.commands);
            sample.reconnects += counts.reconnects.saturating_sub(last.reconnects);
            sample.p99_ms = [sample.p99_ms, counts.p99_ms].into_iter().flatten().reduce(f64::max);
        }
    }

    /// What the hub took in a turn.
    pub(super) fn took(&mut self, turn: Option<Took>) {
        self.took = self.took.zip(turn).map(|(all, turn)| all.and(turn));
    }
}

/// What is seen of a moment.
struct Look {
    at: Instant,
    counts: Counts,
    usage: Option<Usage>,
}

impl Look {
    /// What has happened since another.
    fn sample(&self, last: &Self, since_s: f64, at: f64) -> Sample {
        let counts = self.counts;
        let cpu = self.usage.zip(last.usage).map(|(usage, last)| usage.cpu.saturating_sub(last.cpu));
        Sample {
            at,
            connected: counts.connected,
            deliveries: counts.deliveries.saturating_sub(last.counts.deliveries),
            commands: counts.commands.saturating_sub(last.counts.commands),
            reconnects: counts.reconnects.saturating_sub(last.counts.reconnects),
            p99_ms: counts.p99_ms,
            hub_cores: cpu.map(|cpu| cpu.as_secs_f64() / since_s),
            hub_rss: self.usage.map(|usage| usage.resident_bytes),
            generator_cores: (counts.cpu_s - last.counts.cpu_s).max(0.0) / since_s,
        }
    }
}
