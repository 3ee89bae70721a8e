//! Arrows point down: a file uses its own room and the layers below it. Reads the `use` lines and says so.

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up. A room may use those before it; `store` and others on one line do not see each other.
const LAYERS: [&[&str]; 9] = [
    &["clock", "limits", "metrics"],
    &["domain"],
    &["store", "bus"],
    &["hub"],
    &["session"],
    &["config"],
    &["http"],
    &["server", "node"],
    &["cli"],
];

/// What a decision must not touch: I/O, waiting, locks, clocks, logs.
const NOT_IN_DOMAIN: [&str; 9] =
    ["tokio", "std::time", "std::fs", "std::net", "std::io", "std::sync::Mutex", "tracing", "sqlx", "axum"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files = Vec::new();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" && name != "contract" {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    files
}

fn layer(room: &str) -> usize {
    let found = LAYERS.iter().position(|rooms| rooms.contains(&room));
    found.unwrap_or_else(|| panic!("{room} has no place among the layers: give it one"))
}

/// The paths that a file names with `crate::`, outside its unit tests.
fn used(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//"))
}

#[test]
fn arrows_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in sources(&root) {
        let inside = file.strip_prefix(&root).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if ["lib", "main"].contains(&room) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for line in used(&text) {
            for path in line.split("crate::").skip(1) {
                let other = path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
                if other != room && layer(other) >= layer(room) && !(room == "node" && other == "server") {
                    wrong.push(format!("{} uses {other}", inside.display()));
                }
            }
            if room == "domain" {
                let touched = NOT_IN_DOMAIN
                    .iter()
                    .filter(|outside| line.trim_start().starts_with("use ") && line.contains(**outside));
                wrong.extend(touched.map(|outside| format!("{} uses {outside}", inside.display())));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "protocol/src", "tests", "examples"] {
        for file in sources(&root.join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("//! "), "{} does not say what it is for", file.display());
        }
    }
}

#[test]
fn the_load_test_knows_the_hub_by_its_protocol_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("loadtest/src");
    let mut uses = Vec::new();
    for file in sources(&root) {
        let text = fs::read_to_string(&file).unwrap();
        let lines = used(&text).filter(|line| line.contains("rotunda::"));
        uses.extend(lines.map(|line| line.trim().to_owned()));
    }
    assert_eq!(uses, ["Some(rotunda::cli::run_with(std::iter::once(name).chain(arguments)))"]);
}
