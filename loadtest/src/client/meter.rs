//! What one process of the generator counts and times.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::clock::Nanos;
use crate::picture::news::News;

/// Times in microseconds, with three digits.
pub(crate) struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        Self(Histogram::new(3).expect("three digits are possible"))
    }
}

impl Times {
    pub(crate) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.record(micros).expect("a histogram that grows takes every time");
    }

    pub(crate) fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    pub(crate) fn clear(&mut self) {
        self.0.reset();
    }
}

/// All of it. Counts begin when things begin to happen.
#[derive(Default)]
pub(crate) struct Meter {
    /// Nothing counts before.
    pub(crate) on: bool,
    pub(crate) deliveries: u64,
    pub(crate) commands: u64,
    pub(crate) refused: u64,
    pub(crate) refusals: BTreeMap<&'static str, u64>,
    pub(crate) reconnects: u64,
    pub(crate) catch_ups: u64,
    pub(crate) resyncs: u64,
    pub(crate) resets: u64,
    /// Questions that were not answered.
    pub(crate) refused_questions: u64,
    /// Acts that could not be done.
    pub(crate) skipped: u64,
    /// Why connections ended that nobody cut.
    pub(crate) closes: BTreeMap<String, u64>,
    /// When a delivery or an answer last came.
    pub(crate) last_at: Option<Nanos>,
    /// Bytes of pushed rows, and how many.
    pub(crate) row_bytes: u64,
    pub(crate) rows: u64,
    pub(crate) latency: Times,
    /// The latency since it was last told.
    pub(crate) latency_lately: Times,
    pub(crate) commit: Times,
    pub(crate) revocation: Times,
    pub(crate) reconnect: Times,
    /// How late commands were sent.
    pub(crate) lag: Times,
}

impl Meter {
    /// A session read a frame of so many bytes. Rows and items are deliveries.
    pub(crate) fn heard(&mut self, news: &News, bytes: usize, now: Nanos) {
        let on = u64::from(self.on);
        match news {
            News::Row(..) => {
                self.deliveries += on;
                self.rows += on;
                self.row_bytes += on * bytes as u64;
                self.last_at = Some(now);
            }
            News::Item(..) => {
                self.deliveries += on;
                self.last_at = Some(now);
            }
            News::CatchUp(_) => self.catch_ups += on,
            News::Resync(_) => self.resyncs += on,
            News::Welcome { .. }
            | News::Gone(_)
            | News::Scope { .. }
            | News::Endpoint(_)
            | News::Mark(..)
            | News::At(_)
            | News::Answer { .. }
            | News::Freshness
            | News::Closing { .. }
            | News::Quiet => {}
        }
    }

    /// It was read so long after what made it was meant to be sent.
    pub(crate) fn latency(&mut self, meant: Nanos, read: Nanos) {
        let time = read.since(meant);
        self.latency.record(time);
        self.latency_lately.record(time);
    }

    /// A command was done.
    pub(crate) fn done(&mut self, meant: Nanos, now: Nanos) {
        self.commands += u64::from(self.on);
        self.last_at = Some(now);
        if self.on {
            self.commit.record(now.since(meant));
        }
    }

    /// A connection ended that nobody cut: with a code, or without.
    pub(crate) fn closed(&mut self, code: Option<u16>) {
        if self.on {
            let name = code.map_or_else(|| "network".into(), |code| code.to_string());
            *self.closes.entry(name).or_default() += 1;
        }
    }

    /// A command was refused.
    pub(crate) fn refused(&mut self, code: &'static str) {
        if self.on {
            self.refused += 1;
            *self.refusals.entry(code).or_default() += 1;
        }
    }
}
