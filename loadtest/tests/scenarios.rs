//! Every scenario, small, against a real hub: nothing is wrong, and what it is for is measured.

use serde_json::Value;

use crate::run::{command, run};

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn idle_tells_what_a_session_takes() {
    let ran = run("idle --spawn --sessions 300 --seconds 1 --quiet");
    ran.assert_clean();
    assert!(number(&ran.report["hub"]["rss_per_session"]) > 0.0);
    assert!(number(&ran.report["figures"]["rss_per_json_session_bytes"]) > 0.0);
    assert_eq!(ran.report["organizations"], 3);
}

#[test]
fn a_codec_that_nobody_speaks_has_no_figure() {
    let ran = run("idle --spawn --sessions 200 --organizations 4 --seconds 1 --codec msgpack --quiet");
    ran.assert_clean();
    assert!(number(&ran.report["figures"]["rss_per_msgpack_session_bytes"]) > 0.0);
    assert!(ran.report["figures"]["rss_per_json_session_bytes"].is_null());
}

#[test]
fn fanout_is_put_beside_a_bare_write() {
    // Two turns.
    let ran = run("fanout --spawn --sessions 40 --rate 20 --seconds 4 --quiet");
    ran.assert_clean();
    let report = &ran.report;
    assert_eq!((report["commands"].as_u64(), report["deliveries"].as_u64()), (Some(80), Some(80 * 40)));
    assert_eq!(report["latency_ms"]["count"], 80 * 40, "every delivery is timed");
    let timeline = report["timeline"].as_array().unwrap();
    let seen: u64 = timeline.iter().map(|sample| sample["deliveries"].as_u64().unwrap()).sum();
    assert_eq!(seen, 80 * 40, "{timeline:?}");
    let seconds = number(&report["seconds"]);
    assert!((4.0..6.0).contains(&seconds), "both turns, without the pause: {seconds}");
    assert!(number(&report["hub"]["syscalls_per_delivery"]) > 0.9, "the hub tells of its writes");
    assert!(
        number(&report["floor"]["cpu_us_per_delivery"]) > 0.0 && number(&report["floor"]["cpu_ratio"]) > 0.0
    );
}

#[test]
fn an_organization_in_two_processes_is_timed_in_one() {
    let ran = run("fanout --spawn --sessions 20 --rate 10 --seconds 4 --processes 2 --quiet");
    ran.assert_clean();
    assert_eq!(ran.report["deliveries"].as_u64(), Some(40 * 20));
    let warnings = ran.report["warnings"].as_array().unwrap();
    let told = |warning: &Value| warning.as_str().unwrap().contains("latency is that of 10 of 20 sessions");
    assert!(warnings.iter().any(told), "{warnings:?}");
}

#[test]
fn fanout_saturates_and_everybody_still_reads_everything() {
    let ran = run("fanout --saturate --spawn --sessions 40 --seconds 2 --codec json --quiet");
    ran.assert_clean();
    let commands = ran.report["commands"].as_u64().unwrap();
    assert_eq!(ran.report["deliveries"], commands * 40);
    assert!(ran.report["floor"].is_null(), "a bare write() does not keep that pace");
}

#[test]
fn a_floor_that_cannot_be_measured_takes_no_report_with_it() {
    let ran = run("fanout --spawn --sessions 10 --seconds 1 --quiet");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.report["floor"].is_null());
    let warnings = ran.report["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|warning| warning.as_str().unwrap().contains("no floor")), "{warnings:?}");
}

#[test]
fn a_day_has_everything_happen() {
    let ran = run("day --spawn --sessions 120 --rate 60 --seconds 5 --processes 2 --quiet");
    ran.assert_clean();
    let report = &ran.report;
    assert_eq!(
        (report["generator"]["processes"].as_u64(), report["sessions"].as_u64()),
        (Some(2), Some(120))
    );
    assert!(number(&report["commit_ms"]["p50"]) > 0.0 && number(&report["latency_ms"]["p99"]) > 0.0);
    assert!(!report["timeline"].as_array().unwrap().is_empty());
}

#[test]
fn after_a_storm_everybody_is_back() {
    let ran = run("storm --spawn --sessions 120 --rate 30 --seconds 4 --storms 2 --quiet");
    ran.assert_clean();
    assert_eq!(ran.report["reconnect_s"]["count"], 240);
}

#[test]
fn flaky_connections_lose_nothing() {
    let ran = run("flaky --spawn --sessions 60 --rate 30 --seconds 6 --every 3 --quiet");
    ran.assert_clean();
    assert!(ran.report["reconnect_s"]["count"].as_u64() > Some(20));
}

#[test]
fn the_slow_catch_up_and_the_others_do_not_notice() {
    let ran = run("slow --spawn --sessions 60 --rate 60 --seconds 8 --quiet");
    ran.assert_clean();
    assert_eq!(ran.report["figures"]["slow_sessions"], 6.0);
    assert!(number(&ran.report["figures"]["caught_up_times"]) >= 1.0, "nobody was ever behind: {}", ran.out);
}

#[test]
fn revocations_leak_nothing_and_are_timed() {
    let ran = run("revoke --spawn --sessions 60 --rate 60 --seconds 5 --quiet");
    ran.assert_clean();
    assert!(ran.report["revocation_ms"]["count"].as_u64() > Some(0));
    assert_eq!(ran.report["figures"]["frame_after_the_answer_revocations"], 0.0);
}

#[test]
fn commands_are_counted_spread_and_in_one_organization() {
    let ran = run("commands --spawn --sessions 16 --seconds 2 --quiet");
    ran.assert_clean();
    for figure in ["spread_commands_per_s", "one_organization_commands_per_s"] {
        assert!(number(&ran.report["figures"][figure]) > 0.0, "{figure}");
    }
}

#[test]
fn a_cluster_loses_nodes_and_nothing_else() {
    let ran = run("cluster --spawn-cluster 3 --sessions 60 --rate 30 --seconds 16 --quiet");
    ran.assert_clean();
    assert_eq!(ran.report["nodes"], 3);
    assert!(ran.report["reconnect_s"]["count"].as_u64() > Some(0));
}

#[test]
fn two_runs_are_put_side_by_side() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    for name in ["a.json", "b.json"] {
        let mut run = command("idle --spawn --sessions 20 --seconds 1 --quiet --json");
        assert!(run.arg(file(name)).output().unwrap().status.success());
    }
    let mut compare = command("compare");
    let compared = compare.arg(file("a.json")).arg(file("b.json")).output().unwrap();
    let text = String::from_utf8(compared.stdout).unwrap();
    assert!(compared.status.success() && text.contains("memory"), "{text}");
}
