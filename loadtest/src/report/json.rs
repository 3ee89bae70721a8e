//! A report as a file: written whole or not at all, and read back with care, for it may come from another version or be
//! something else.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::{Report, SCHEMA, file};

/// All that is asked of a file before it is read as a report.
#[derive(Deserialize)]
struct Header {
    schema: u32,
}

/// Writes `report` to `path`, in place of what was there.
pub(crate) fn write(report: &Report, path: &Path) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(report).context("cannot write a report as JSON")?;
    text.push('\n');
    file::write(path, &text)
}

/// Reads what [`write`] wrote, also when a later version did, as long as the schema is the same.
pub(crate) fn read(path: &Path) -> anyhow::Result<Report> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let is_none = || format!("{name} is not a report; give a file that a run wrote with --json");
    let Header { schema } = serde_json::from_str(&text).with_context(is_none)?;
    if schema > SCHEMA {
        bail!(
            "{name} is of schema {schema}, and this version reads {SCHEMA}; \
             read it with the version that wrote it, or a newer one"
        );
    }
    if schema < SCHEMA {
        bail!(
            "{name} is of schema {schema}, which this version no longer reads; \
             it reads {SCHEMA}: run the scenario again"
        );
    }
    serde_json::from_str(&text).with_context(is_none)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::fixture;
    use super::*;

    /// What reading a file with this text says.
    fn refusal(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.json");
        fs::write(&path, text).unwrap();
        let error = read(&path).unwrap_err();
        format!("{error:#}")
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        for report in [fixture::crowd(), fixture::idle(), fixture::broken()] {
            write(&report, &path).unwrap();
            assert!(read(&path).unwrap() == report, "{} came back changed", report.scenario);
        }
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing is left beside it");
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let mut value = serde_json::to_value(fixture::crowd()).unwrap();
        value["moon"] = "full".into();
        value["hub"]["moons"] = 2.into();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newer.json");
        fs::write(&path, value.to_string()).unwrap();
        assert!(read(&path).unwrap() == fixture::crowd());
    }

    #[test]
    fn a_report_from_the_future_is_refused() {
        let mut value = serde_json::to_value(fixture::crowd()).unwrap();
        value["schema"] = (SCHEMA + 1).into();
        let said = refusal(&value.to_string());
        assert!(said.contains("some.json is of schema 2"), "{said}");
        assert!(said.contains("read it with the version that wrote it"), "{said}");
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for text in
            ["", "a diary", "[]", "{}", r#"{"schema": "one"}"#, r#"{"schema": 1, "scenario": "crowd"}"#]
        {
            let said = refusal(text);
            assert!(said.contains("some.json is not a report; give a file"), "{said}");
        }
    }

    #[test]
    fn errors_name_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("no-such-folder").join("run.json");
        for error in [read(&path).unwrap_err(), write(&fixture::crowd(), &path).unwrap_err()] {
            assert!(format!("{error:#}").contains("no-such-folder/run.json"), "{error:#}");
        }
    }

    #[test]
    fn every_field_is_explained() {
        const MANUAL: &str = include_str!("../../../docs/LOADTEST.md");
        for name in names(&serde_json::to_value(fixture::crowd()).unwrap()) {
            assert!(MANUAL.contains(&format!("`{name}`")), "docs/LOADTEST.md does not explain `{name}`");
        }
    }

    /// The names of all fields, save those that are names of something else.
    fn names(value: &Value) -> Vec<String> {
        let inside = |(name, value): (&String, &Value)| {
            let own = if ["figures", "versions"].contains(&name.as_str()) { vec![] } else { names(value) };
            [vec![name.clone()], own].concat()
        };
        let all = [value.as_object().into_iter().flatten().flat_map(inside).collect(), of_list(value)];
        all.concat()
    }

    fn of_list(value: &Value) -> Vec<String> {
        value.as_array().into_iter().flatten().flat_map(names).collect()
    }
}
