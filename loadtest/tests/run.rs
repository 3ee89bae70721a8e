//! A run of the harness, as whoever types the command has it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::PROGRAM;

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    /// The report, if one was written.
    pub(crate) report: Value,
    pub(crate) page: String,
}

impl Ran {
    /// How many of a kind were found wrong.
    pub(crate) fn found(&self, kind: &str) -> u64 {
        self.report[kind].as_u64().unwrap_or_else(|| panic!("no {kind} in {}{}", self.out, self.err))
    }

    /// Nothing was wrong, and something was checked.
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        for kind in ["lost", "duplicated", "leaked", "diverged"] {
            assert_eq!(self.found(kind), 0, "{}", self.out);
        }
        assert!(self.found("checked") > 0, "{}", self.out);
        assert!(self.out.starts_with("verdict: nothing lost"), "{}", self.out);
        assert!(self.page.contains("<!doctype html>") || self.page.contains("<!DOCTYPE html>"));
    }
}

/// Runs the harness with these words.
pub(crate) fn run(words: &str) -> Ran {
    let folder = TempDir::new().unwrap();
    let (json, page) = (folder.path().join("report.json"), folder.path().join("report.html"));
    let mut command = command(words);
    command.arg("--json").arg(&json).arg("--html").arg(&page);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    Ran {
        code: status.code().unwrap(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
        report: serde_json::from_str(&read(&json)).unwrap_or_default(),
        page: read(&page),
    }
}

/// The command, without what a report is written to.
pub(crate) fn command(words: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(words.split_whitespace()).env_remove("ROTUNDA_TOKEN_SECRET");
    command
}
