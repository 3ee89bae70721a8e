//! What the processes counted and what the hub took, as one report.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::warnings::warnings;
use super::watch::Watched;
use crate::floor::Measured;
use crate::report::{Floor, GeneratorUse, HubUse, Machine, Percentile, Quantiles, Report, SCHEMA, Verdict};
use crate::scenario::Scenario;
use crate::wire::{Packed, Tally};

/// A process of the generator that used so much of a core, or was so late, limited the run.
const BUSY: f64 = 0.9;
const LATE_MS: f64 = 20.0;

/// All of it.
pub(super) fn summary(
    scenario: &Scenario,
    sessions: usize,
    organizations: usize,
    nodes: usize,
    watched: &Watched,
    tallies: &[Tally],
) -> anyhow::Result<Report> {
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    let seconds = longest(tallies, |tally| tally.drained_s);
    let mut verdict = Verdict::default();
    for tally in tallies {
        verdict.add(tally.verdict.clone());
    }
    let latency = merged(tallies, |tally| &tally.latency)?;
    let lag = merged(tallies, |tally| &tally.lag)?;
    let deliveries = sum(|tally| tally.deliveries);
    let generator = generator(tallies, &lag);
    let quantiles = |of: fn(&Tally) -> &Packed, unit: f64| -> anyhow::Result<Option<Quantiles>> {
        Ok(quantiles(&merged(tallies, of)?, unit))
    };
    Ok(Report {
        schema: SCHEMA,
        scenario: scenario.name().into(),
        command: String::new(),
        began_at: 0,
        sessions: sessions as u64,
        organizations: organizations as u64,
        nodes: nodes as u64,
        conversations: 0,
        rate_per_s: 0.0,
        seconds,
        commands: sum(|tally| tally.commands),
        refused: sum(|tally| tally.refused),
        deliveries,
        deliveries_per_s: ratio(deliveries, seconds).unwrap_or(0.0),
        verdict,
        latency_ms: self::quantiles(&latency, 1e3),
        commit_ms: quantiles(|tally| &tally.commit, 1e3)?,
        revocation_ms: quantiles(|tally| &tally.revocation, 1e3)?,
        reconnect_s: quantiles(|tally| &tally.reconnect, 1e6)?,
        hub: hub(watched, deliveries, sessions),
        generator,
        floor: None,
        figures: figures(watched, tallies),
        warnings: warnings(scenario, &generator, tallies),
        distribution: distribution(&latency),
        timeline: watched.samples.clone(),
        machine: Machine::default(),
        versions: BTreeMap::from([
            ("rotunda-loadtest".into(), env!("CARGO_PKG_VERSION").into()),
            ("protocol".into(), "rotunda.v1".into()),
            ("build".into(), if cfg!(debug_assertions) { "debug" } else { "release" }.into()),
        ]),
    })
}

/// The longest of something, in seconds.
pub(super) fn longest(tallies: &[Tally], of: fn(&Tally) -> f64) -> f64 {
    tallies.iter().map(of).fold(0.0, f64::max)
}

fn merged(tallies: &[Tally], of: impl Fn(&Tally) -> &Packed) -> anyhow::Result<Histogram<u64>> {
    let mut all = Histogram::new(3)?;
    for tally in tallies {
        all.add(of(tally).unpack()?)?;
    }
    Ok(all)
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds of a run are far below 2^52")]
fn ratio(count: u64, by: f64) -> Option<f64> {
    (by > 0.0).then(|| count as f64 / by)
}

/// Quantiles in a unit of so many microseconds; none of nothing.
fn quantiles(times: &Histogram<u64>, unit: f64) -> Option<Quantiles> {
    let at = |quantile| ratio(times.value_at_quantile(quantile), unit).unwrap_or(0.0);
    (!times.is_empty()).then(|| Quantiles {
        count: times.len(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: ratio(times.max(), unit).unwrap_or(0.0),
    })
}

fn distribution(times: &Histogram<u64>) -> Vec<Percentile> {
    if times.is_empty() {
        return Vec::new();
    }
    let steps = times.iter_quantiles(5).map(|step| Percentile {
        percent: step.quantile_iterated_to() * 100.0,
        ms: ratio(step.value_iterated_to(), 1e3).unwrap_or(0.0),
    });
    steps.collect()
}

fn generator(tallies: &[Tally], lag: &Histogram<u64>) -> GeneratorUse {
    let busy = tallies.iter().map(|tally| tally.cpu_s / tally.drained_s.max(0.001)).fold(0.0, f64::max);
    let lag_ms = quantiles(lag, 1e3).map_or(0.0, |quantiles| quantiles.p99);
    GeneratorUse {
        processes: tallies.len() as u64,
        cpu_s: tallies.iter().map(|tally| tally.cpu_s).sum(),
        lag_ms,
        saturated: busy > BUSY || lag_ms > LATE_MS,
    }
}

fn hub(watched: &Watched, deliveries: u64, sessions: usize) -> Option<HubUse> {
    let took = watched.took?;
    let cpu_s = took.cpu.as_secs_f64();
    let [none, _, _, all, end] = watched.rss[..] else { return None };
    let deliveries = (deliveries > 0).then_some(deliveries);
    let per_delivery =
        |all: f64| deliveries.and_then(|deliveries| ratio(deliveries, all)).map(|number| 1.0 / number);
    // What was free already says nothing of what a session takes.
    let grown = all?.checked_sub(none?).filter(|bytes| *bytes > 0);
    Some(HubUse {
        cpu_s,
        cpu_us_per_delivery: per_delivery(cpu_s * 1e6),
        rss_start: none?,
        rss_end: end?,
        rss_per_session: grown.and_then(|bytes| ratio(bytes, count(sessions))),
        syscalls_per_delivery: took.calls.and_then(|calls| ratio(calls, 1.0)).and_then(per_delivery),
    })
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn figures(watched: &Watched, tallies: &[Tally]) -> BTreeMap<String, f64> {
    let mut figures = BTreeMap::new();
    for (name, value) in tallies.iter().flat_map(|tally| &tally.figures) {
        *figures.entry(name.clone()).or_default() += value;
    }
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>();
    for (name, all) in [
        ("skipped_acts", sum(|tally| tally.skipped)),
        ("caught_up_times", sum(|tally| tally.catch_ups)),
        ("resynced_times", sum(|tally| tally.resyncs)),
        ("reset_times", sum(|tally| tally.resets)),
    ] {
        if all > 0 {
            figures.insert(name.into(), ratio(all, 1.0).unwrap_or(0.0));
        }
    }
    if let [_, Some(first), Some(message_pack), Some(all), _] = watched.rss[..] {
        for (name, before, after, sessions) in [
            ("rss_per_msgpack_session_bytes", first, message_pack, watched.message_pack),
            ("rss_per_json_session_bytes", message_pack, all, watched.json),
        ] {
            let grown = after.checked_sub(before).filter(|bytes| *bytes > 0);
            let each = grown.and_then(|bytes| ratio(bytes, count(sessions)));
            figures.extend(each.map(|each| (name.to_owned(), each)));
        }
    }
    figures
}

/// Puts the hub beside a bare `write()`.
pub(super) fn compare_with_floor(report: &mut Report, frame_bytes: usize, floor: &Measured) {
    let cpu = report.hub.and_then(|hub| hub.cpu_us_per_delivery).unwrap_or(0.0);
    let latency_ms = quantiles(&floor.latency, 1e3).unwrap_or_default();
    let p99 = report.latency_ms.map_or(0.0, |latency| latency.p99);
    let by = |value: f64, floor: f64| if floor > 0.0 { value / floor } else { 0.0 };
    report.floor = Some(Floor {
        frame_bytes: frame_bytes as u64,
        cpu_us_per_delivery: floor.cpu_us_per_delivery(),
        cpu_ratio: by(cpu, floor.cpu_us_per_delivery()),
        latency_ms,
        p99_ratio: by(p99, latency_ms.p99),
    });
}
