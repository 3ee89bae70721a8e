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

/// The same of the load test. What checks does not know the clients whose notes it checks.
const LOAD_TEST_LAYERS: [&[&str]; 11] = [
    &["clock", "report", "practice"],
    &["picture"],
    &["check"],
    &["client"],
    &["load"],
    &["scenario"],
    &["plan"],
    &["wire", "hubs", "options"],
    &["worker", "floor"],
    &["conductor"],
    &["cli"],
];

/// What a decision must not touch: I/O, waiting, locks, clocks, logs.
const NOT_IN_DOMAIN: [&str; 10] = [
    "tokio",
    "std::time",
    "std::fs",
    "std::net",
    "std::io",
    "std::sync::Mutex",
    "tracing",
    "sqlx",
    "rusqlite",
    "axum",
];

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

fn layer(layers: &[&[&str]], room: &str) -> usize {
    let found = layers.iter().position(|rooms| rooms.contains(&room));
    found.unwrap_or_else(|| panic!("{room} has no place among the layers: give it one"))
}

/// The paths that a file names with `crate::`, outside its unit tests.
fn used(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim_start().starts_with("//"))
}

/// The uses in a folder of what is not below.
fn upward(root: &Path, layers: &[&[&str]], allowed: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in sources(root) {
        let inside = file.strip_prefix(root).unwrap();
        let room = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        if ["lib", "main"].contains(&room) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        for path in used(&text).flat_map(|line| line.split("crate::").skip(1)) {
            let other = path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            // What stands at the top belongs to the whole.
            let constant = other.chars().all(|c| c.is_uppercase() || c == '_');
            if other == room || constant || allowed.contains(&(room, other)) {
                continue;
            }
            if layer(layers, other) >= layer(layers, room) {
                wrong.push(format!("{} uses {other}", inside.display()));
            }
        }
    }
    wrong
}

#[test]
fn arrows_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let wrong = [
        upward(&root.join("src"), &LAYERS, &[("node", "server")]),
        upward(&root.join("loadtest/src"), &LOAD_TEST_LAYERS, &[]),
    ];
    assert!(wrong.concat().is_empty(), "{wrong:#?}");
}

#[test]
fn the_domain_touches_nothing_outside() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/domain");
    let mut wrong = Vec::new();
    for file in sources(&root) {
        let text = fs::read_to_string(&file).unwrap();
        for line in used(&text).filter(|line| line.trim_start().starts_with("use ")) {
            let touched = NOT_IN_DOMAIN.iter().filter(|outside| line.contains(**outside));
            wrong.extend(touched.map(|outside| format!("{} uses {outside}", file.display())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in
        ["src", "protocol/src", "tests", "examples", "servers/src", "loadtest/src", "loadtest/tests"]
    {
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
