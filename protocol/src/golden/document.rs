//! The examples of `docs/PROTOCOL.md` are golden frames, and every word of the wire is in it.
//!
//! An example is a block that opens with ```` ```json SHEET NAME ````.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::coverage::{Schemas, missing};
use super::{Sheet, client, differs, json, layout, server, writing};
use crate::close::CloseCode;
use crate::codec::Codec;
use crate::frame::{ClientFrame, ServerFrame};

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PROTOCOL.md")
}

fn text() -> String {
    fs::read_to_string(file()).expect("the document is there")
}

/// The golden frames by `SHEET NAME`.
fn frames() -> BTreeMap<String, String> {
    fn named<F: Serialize>(sheets: Vec<Sheet<F>>) -> impl Iterator<Item = (String, String)> {
        sheets.into_iter().flat_map(|Sheet { path, frames }| {
            frames
                .into_iter()
                .map(move |(name, frame)| (format!("{path} {name}"), layout::lay_out(&json(&frame), 100)))
        })
    }
    named(client::sheets()).chain(named(server::sheets())).collect()
}

/// The document with every example as the golden frame has it.
fn with_golden_examples(text: &str) -> String {
    let frames = frames();
    let (mut lines, mut rewritten) = (text.lines(), String::new());
    while let Some(line) = lines.next() {
        rewritten.extend([line, "\n"]);
        let Some(info) = line.strip_prefix("```json") else { continue };
        let frame = frames.get(info.trim()).unwrap_or_else(|| panic!("no golden frame is named `{info}`"));
        let closing = lines.find(|line| *line == "```").expect("a block ends");
        rewritten.extend([frame, "\n", closing, "\n"]);
    }
    rewritten
}

#[test]
fn every_example_is_a_golden_frame() {
    let golden = with_golden_examples(&text());
    if writing() {
        fs::write(file(), &golden).expect("the document can be written");
    }
    assert!(text() == golden, "{}", differs(&file()));
}

#[test]
fn every_word_of_the_wire_is_explained() {
    let text = text();
    let prose: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let mut all = Schemas::of::<ClientFrame>("ClientFrame").words();
    all.extend(Schemas::of::<ServerFrame>("ServerFrame").words());
    let mut explained = all.clone();
    for words in explained.values_mut() {
        words.retain(|word| prose.iter().any(|code| *code == word || code.starts_with(&format!("{word}ID"))));
    }
    let missing: Vec<String> = missing(&all, &explained)
        .into_iter()
        .filter(|word| !(word == "Actor `service:`" && text.contains("`service:NAME`")))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_close_code_has_its_row() {
    for code in CloseCode::ALL {
        let row = format!("| {} | `{}` |", code.number(), code.name());
        assert!(text().contains(&row), "{row}");
    }
    for codec in Codec::ALL {
        assert!(text().contains(&format!("`{}`", codec.subprotocol())));
    }
}
