//! How a run goes, while it goes, on a terminal.

use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::report::Sample;
use crate::wire::Counts;

/// A line that changes.
pub(super) struct Progress(ProgressBar);

/// Parts of a second that the bar moves by.
const PARTS: f64 = 10.0;

impl Progress {
    pub(super) fn new(quiet: bool) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Something begins whose end is not known.
    pub(super) fn says(&self, what: &str) {
        self.style("{spinner} {msg}");
        self.0.set_message(what.to_owned());
        self.0.println(format!("· {what}"));
    }

    /// Sessions connect.
    pub(super) fn connects(&self, sessions: usize) {
        self.style("{spinner} connecting {bar:30} {human_pos} of {human_len} sessions");
        self.0.set_length(sessions as u64);
    }

    /// Sessions are there.
    pub(super) fn shows(&self, counts: &Counts) {
        self.0.set_position(counts.ready);
    }

    /// Things begin to happen.
    pub(super) fn plays(&self, scenario: &str, seconds: f64) {
        self.0.println(format!("· {scenario} for {seconds} s"));
        self.style("{spinner} {bar:30} {elapsed} {msg}");
        self.0.set_position(0);
        self.0.set_length(whole(seconds * PARTS));
        self.0.reset_elapsed();
        self.0.set_message("");
    }

    /// They go on.
    pub(super) fn plays_on(&self, sample: &Sample, since_s: f64) {
        self.0.set_position(whole(sample.at * PARTS).min(self.0.length().unwrap_or(u64::MAX)));
        let per_second =
            |count: u64| HumanCount(whole(f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / since_s));
        let p99 = sample.p99_ms.map(|ms| format!(" · p99 {ms:.1} ms")).unwrap_or_default();
        let hub = sample.hub_cores.map(|cores| format!(" · hub {cores:.2} cores")).unwrap_or_default();
        self.0.set_message(format!(
            "{} connected · {} deliveries/s{p99}{hub}",
            HumanCount(sample.connected),
            per_second(sample.deliveries)
        ));
    }

    /// It is over.
    pub(super) fn done(&self) {
        self.0.finish_and_clear();
    }

    fn style(&self, template: &str) {
        self.0.set_style(ProgressStyle::with_template(template).expect("a template of this file"));
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn whole(number: f64) -> u64 {
    number.clamp(0.0, 1e15) as u64
}
