//! Runs as they might have been, for the tests of everything that shows one.

use std::f64::consts::TAU;

use super::{
    Floor, GeneratorUse, HubUse, Machine, Percentile, Quantiles, Report, SCHEMA, Sample, Verdict,
    units::float,
};

const MIB: u64 = 1024 * 1024;

/// Many at once, with everything that can be measured: two waves of reconnects, a figure, a warning.
pub(super) fn crowd() -> Report {
    Report {
        schema: SCHEMA,
        scenario: "crowd".into(),
        command:
            "rotunda-loadtest crowd --sessions 10000 --organizations 40 --json crowd.json --html crowd.html"
                .into(),
        began_at: 1_772_323_200_000,
        sessions: 10_000,
        organizations: 40,
        nodes: 2,
        conversations: 16_000,
        rate_per_s: 250.0,
        seconds: 60.0,
        commands: 15_012,
        refused: 31,
        deliveries: 2_530_800,
        deliveries_per_s: 42_180.0,
        verdict: Verdict { checked: 3_712_904, ..Verdict::default() },
        latency_ms: Some(quantiles(2_530_800, [1.42, 2.61, 4.38, 9.7, 31.2])),
        commit_ms: Some(quantiles(15_012, [0.91, 1.64, 3.05, 7.12, 18.4])),
        revocation_ms: Some(quantiles(240, [1.12, 1.98, 3.61, 6.4, 6.4])),
        reconnect_s: Some(quantiles(4_000, [0.61, 1.32, 1.84, 2.02, 2.11])),
        hub: Some(HubUse {
            cpu_s: 41.2,
            cpu_us_per_delivery: Some(16.3),
            rss_start: 21 * MIB,
            rss_end: 84 * MIB,
            rss_per_session: Some(5_427.0),
            syscalls_per_delivery: Some(1.04),
        }),
        generator: GeneratorUse { processes: 2, cpu_s: 52.7, lag_ms: 1.3, saturated: false },
        floor: Some(Floor {
            frame_bytes: 512,
            cpu_us_per_delivery: 13.5,
            cpu_ratio: 1.21,
            latency_ms: quantiles(2_400_000, [1.1, 2.2, 3.9, 8.2, 22.5]),
            p99_ratio: 1.12,
        }),
        figures: [("fresh_list_ms".to_owned(), 3.21), ("caught_up_rows_per_s".to_owned(), 118_400.0)].into(),
        warnings: vec!["hub and generator shared 2 cores: each slowed the other".into()],
        distribution: distribution(),
        timeline: (1..=60).map(sample).collect(),
        machine: machine(),
        versions: [("rotunda".to_owned(), "0.1.0".to_owned()), ("redis".to_owned(), "8.0.2".to_owned())]
            .into(),
    }
}

/// The same with promises broken, and texts that try to break out of a page.
pub(super) fn broken() -> Report {
    let cases = [
        "session 4,711 was never told of item 88 in conversation 12 (seq 90,311)",
        "session 17 was told of conversation 5 at seq 1,204, after it had lost it at 1,201",
        "</script><script>alert(1)</script><!-- {{data}} & \u{2028}",
    ];
    let verdict = Verdict { lost: 2, leaked: 1, cases: cases.map(str::to_owned).into(), ..crowd().verdict };
    Report { verdict, ..crowd() }
}

/// Sessions that only stay connected: nothing is delivered, so nothing has a latency.
pub(super) fn idle() -> Report {
    let hub =
        HubUse { cpu_us_per_delivery: None, syscalls_per_delivery: None, ..crowd().hub.unwrap_or_default() };
    Report {
        scenario: "idle".into(),
        command: "rotunda-loadtest idle --sessions 10000".into(),
        commands: 0,
        refused: 0,
        deliveries: 0,
        deliveries_per_s: 0.0,
        verdict: Verdict::default(),
        latency_ms: None,
        commit_ms: None,
        revocation_ms: None,
        reconnect_s: None,
        hub: Some(hub),
        floor: None,
        figures: [].into(),
        warnings: vec![],
        distribution: vec![],
        timeline: vec![],
        ..crowd()
    }
}

fn quantiles(count: u64, [p50, p90, p99, p999, max]: [f64; 5]) -> Quantiles {
    Quantiles { count, p50, p90, p99, p999, max }
}

/// Half as far from certainty with every point, as a histogram gives them; slower the rarer.
fn distribution() -> Vec<Percentile> {
    let point = |step: u32| {
        let halvings = f64::from(step) / 4.0;
        let percent = 100.0 * (1.0 - (-halvings).exp2());
        Percentile { percent: short(percent), ms: short(0.6 + 0.82 * halvings + 0.000_7 * halvings.powi(3)) }
    };
    (0..=80).map(point).chain([Percentile { percent: 100.0, ms: 31.2 }]).collect()
}

/// A second of the run. In seconds 20 and 40 a fifth of the sessions is cut and comes back.
fn sample(second: u32) -> Sample {
    let wave = f64::from(second) / 60.0 * TAU;
    let since_cut = (second % 20).min(3);
    let (connected, reconnects, slow) = match ((20..60).contains(&second), since_cut) {
        (true, 0) => (8_000, 0, 1.8),
        (true, 1) => (9_120, 1_120, 1.5),
        (true, 2) => (10_000, 880, 1.1),
        (true | false, _) => (10_000, 0, 1.0),
    };
    let jitter = u64::from(second * 7_919 % 1_300);
    Sample {
        at: f64::from(second),
        connected,
        deliveries: connected * 4 + jitter + 1_500,
        commands: 250,
        reconnects,
        p99_ms: Some(short((4.1 + 0.3 * (wave * 3.0).sin() + float(jitter) / 4_000.0) * slow)),
        hub_cores: Some(short(0.66 * slow + 0.04 * (wave * 5.0).cos())),
        hub_rss: Some(76 * MIB + u64::from(second) * MIB / 8),
        generator_cores: short(0.88 + 0.05 * (wave * 4.0).sin()),
    }
}

/// Six digits after the point: more may be read back a bit off.
fn short(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

fn machine() -> Machine {
    Machine {
        cpu: "Intel(R) Xeon(R) Platinum 8481C @ 2.70GHz".into(),
        cores: 2,
        memory_bytes: 8 * 1024 * MIB,
        kernel: "6.1.0-31-amd64".into(),
        load: 0.12,
    }
}
