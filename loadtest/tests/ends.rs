//! A run that is ended from outside leaves nothing behind, and one whose output nobody reads still writes its report.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::run::command;

/// How long a hub may take to be there, and a run to end.
const WITHIN: Duration = Duration::from_mins(1);

/// There is a hub that has its data in this folder.
fn has_hub(folder: &Path) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines =
        processes.filter_map(|process| std::fs::read_to_string(process.path().join("cmdline")).ok());
    let data = format!("--data\0{}/", folder.display());
    lines.any(|line| line.contains(&data))
}

fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < WITHIN, "{what}");
        std::thread::yield_now();
    }
}

fn ends_with(signal: Signal, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut harness = command("idle --spawn --sessions 5 --seconds 60 --quiet");
    harness.env("TMPDIR", folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let harness = harness.spawn().unwrap();
    until("no hub", || has_hub(folder.path()));
    kill_process(Pid::from_child(&harness), signal).unwrap();
    let ended = harness.wait_with_output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{err}");
    assert!(err.contains(&format!("ended by {name}")), "{err}");
    assert!(!has_hub(folder.path()), "the hub of a run that was ended by {name} runs on");
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_signal_ends_the_hub_and_takes_its_folder() {
    ends_with(Signal::INT, "Ctrl-C");
    ends_with(Signal::TERM, "SIGTERM");
    ends_with(Signal::HUP, "SIGHUP");
}

#[test]
fn output_that_nobody_reads_is_no_trouble() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let mut harness = command("idle --spawn --sessions 5 --seconds 1 --quiet --json");
    let mut harness = harness.arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(harness.stdout.take());
    let ended = harness.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(file.exists());
}
