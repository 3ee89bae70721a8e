//! What two runs are compared by, and which way is better.

use super::units::{bytes, figure, float, number, times};
use super::{Floor, GeneratorUse, HubUse, Quantiles, Report};

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Good {
    Less,
    More,
    /// Anything else is a broken promise.
    Zero,
    /// What was set, or what follows from it.
    Neither,
}

impl Good {
    /// By the figure's unit, which is its name's last word.
    pub(super) fn of_figure(name: &str) -> Self {
        match name.rsplit('_').next() {
            _ if name.ends_with("_per_s") => Self::More,
            Some("ms" | "s" | "us" | "bytes") => Self::Less,
            Some(_) | None => Self::Neither,
        }
    }
}

/// Something that a run may have measured.
pub(super) struct Measure {
    pub(super) name: &'static str,
    pub(super) good: Good,
    pub(super) show: fn(f64) -> String,
    pub(super) of: fn(&Report) -> Option<f64>,
}

const fn measure(
    name: &'static str,
    good: Good,
    show: fn(f64) -> String,
    of: fn(&Report) -> Option<f64>,
) -> Measure {
    Measure { name, good, show, of }
}

const fn duration(name: &'static str, of: fn(&Report) -> Option<f64>) -> Measure {
    measure(name, Good::Less, number, of)
}

/// All of them, in the order of a report.
pub(super) const MEASURES: &[Measure] = &[
    measure("checks", Good::Neither, figure, |run| Some(float(run.verdict.checked))),
    measure("lost", Good::Zero, figure, |run| Some(float(run.verdict.lost))),
    measure("duplicated", Good::Zero, figure, |run| Some(float(run.verdict.duplicated))),
    measure("leaked", Good::Zero, figure, |run| Some(float(run.verdict.leaked))),
    measure("diverged", Good::Zero, figure, |run| Some(float(run.verdict.diverged))),
    measure("commands", Good::Neither, figure, |run| Some(float(run.commands))),
    measure("refused", Good::Neither, figure, |run| Some(float(run.refused))),
    measure("deliveries", Good::Neither, figure, |run| Some(float(run.deliveries))),
    measure("deliveries a second", Good::More, number, |run| Some(run.deliveries_per_s)),
    duration("delivery p50, ms", |run| of(run.latency_ms, |found| found.p50)),
    duration("delivery p99, ms", |run| of(run.latency_ms, |found| found.p99)),
    duration("delivery p99.9, ms", |run| of(run.latency_ms, |found| found.p999)),
    duration("delivery max, ms", |run| of(run.latency_ms, |found| found.max)),
    duration("commit p50, ms", |run| of(run.commit_ms, |found| found.p50)),
    duration("commit p99, ms", |run| of(run.commit_ms, |found| found.p99)),
    duration("commit max, ms", |run| of(run.commit_ms, |found| found.max)),
    duration("revocation p50, ms", |run| of(run.revocation_ms, |found| found.p50)),
    duration("revocation p99, ms", |run| of(run.revocation_ms, |found| found.p99)),
    duration("revocation max, ms", |run| of(run.revocation_ms, |found| found.max)),
    duration("reconnect p50, s", |run| of(run.reconnect_s, |found| found.p50)),
    duration("reconnect p99, s", |run| of(run.reconnect_s, |found| found.p99)),
    duration("reconnect max, s", |run| of(run.reconnect_s, |found| found.max)),
    measure("hub CPU, cores", Good::Less, number, |run| hub(run, |hub| Some(hub.cpu_s / run.seconds))),
    measure("hub CPU per delivery, µs", Good::Less, number, |run| hub(run, |hub| hub.cpu_us_per_delivery)),
    measure("hub system calls per delivery", Good::Less, number, |run| {
        hub(run, |hub| hub.syscalls_per_delivery)
    }),
    measure("hub memory per session", Good::Less, bytes, |run| hub(run, |hub| hub.rss_per_session)),
    measure("hub memory at the start", Good::Less, bytes, |run| hub(run, |hub| Some(float(hub.rss_start)))),
    measure("hub memory at the end", Good::Less, bytes, |run| hub(run, |hub| Some(float(hub.rss_end)))),
    measure("generator CPU, cores", Good::Neither, number, |run| {
        generator(run, |made| made.cpu_s / run.seconds)
    }),
    measure("generator behind schedule, ms", Good::Less, number, |run| generator(run, |made| made.lag_ms)),
    measure("bare write CPU, µs", Good::Neither, number, |run| {
        floor(run, |floor| floor.cpu_us_per_delivery)
    }),
    measure("bare write p99, ms", Good::Neither, number, |run| floor(run, |floor| floor.latency_ms.p99)),
    measure("CPU against a bare write", Good::Less, times, |run| floor(run, |floor| floor.cpu_ratio)),
    measure("p99 against a bare write", Good::Less, times, |run| floor(run, |floor| floor.p99_ratio)),
];

fn of(found: Option<Quantiles>, quantile: impl Fn(Quantiles) -> f64) -> Option<f64> {
    found.map(quantile)
}

fn hub(run: &Report, value: impl Fn(HubUse) -> Option<f64>) -> Option<f64> {
    run.hub.and_then(value)
}

#[expect(clippy::unnecessary_wraps, reason = "a measure may be missing; this one never is")]
fn generator(run: &Report, value: impl Fn(GeneratorUse) -> f64) -> Option<f64> {
    Some(value(run.generator))
}

fn floor(run: &Report, value: impl Fn(Floor) -> f64) -> Option<f64> {
    run.floor.map(value)
}
