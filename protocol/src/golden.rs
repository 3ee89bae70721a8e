//! Pins the wire: one golden frame for every variant, in both codecs, compared byte for byte.
//!
//! `protocol/golden/client/` holds what clients send, `protocol/golden/server/` what the hub sends. A file is
//! one sheet: a JSON object from a name to the `frame` and its `msgpack` bytes in hex. Clients in any language
//! test themselves against the same sheets, and the examples of `docs/PROTOCOL.md` are these frames.
//!
//! `ROTUNDA_GOLDEN=write cargo test -p rotunda-protocol` writes the files anew; read the difference
//! before committing it, for every client in the world reads it too.

mod client;
mod coverage;
mod document;
mod layout;
mod practice;
mod server;

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{env, fs};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ask::Ask;
use crate::close::CloseCode;
use crate::codec::Codec;
use crate::frame::{ClientFrame, Outline, ServerFrame};

/// Frames that share a file, each with its name.
struct Sheet<F> {
    /// The file's path below `protocol/golden/`, without its ending.
    path: &'static str,
    frames: Vec<(&'static str, F)>,
}

/// One frame as a sheet holds it.
#[derive(Deserialize)]
struct Entry {
    frame: Value,
    msgpack: String,
}

/// Reads an id or a principal that is known to be one.
fn known<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("samples are well formed")
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn writing() -> bool {
    env::var("ROTUNDA_GOLDEN").is_ok_and(|word| word == "write")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "half a byte: {text}");
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("two hex digits"))
        .collect()
}

fn json<T: Serialize>(value: &T) -> String {
    String::from_utf8(Codec::Json.encode(value)).expect("JSON is UTF-8")
}

impl<F: Serialize> Sheet<F> {
    fn file(&self) -> PathBuf {
        folder().join(self.path).with_extension("json")
    }

    /// The text of its file.
    fn text(&self) -> String {
        let entries: Vec<String> = self
            .frames
            .iter()
            .map(|(name, frame)| {
                let msgpack = hex(&Codec::MessagePack.encode(frame));
                format!(r#""{name}":{{"frame":{},"msgpack":"{msgpack}"}}"#, json(frame))
            })
            .collect();
        layout::lay_out(&format!("{{{}}}", entries.join(",")), 100) + "\n"
    }
}

fn differs(what: &Path) -> String {
    format!("{} is not what the code says; see the head of golden.rs", what.display())
}

/// What the file of a sheet must fulfil, whichever side sends its frames.
fn check<F: Serialize + DeserializeOwned + PartialEq + Debug>(sheet: &Sheet<F>) {
    let (file, text) = (sheet.file(), sheet.text());
    if writing() {
        fs::create_dir_all(file.parent().expect("a sheet lies in a folder")).expect("a folder can be made");
        fs::write(&file, &text).expect("a sheet can be written");
    }
    let golden = fs::read_to_string(&file).unwrap_or_default();
    assert!(golden == text, "{}", differs(&file));

    let entries: BTreeMap<String, Entry> = serde_json::from_str(&golden).expect("a sheet is JSON");
    assert_eq!(entries.len(), sheet.frames.len(), "{}: a name is there twice", sheet.path);
    for (name, frame) in &sheet.frames {
        let entry = &entries[*name];
        let what = format!("{} {name}", sheet.path);
        let read = |codec: Codec, bytes: &[u8]| -> F {
            codec.decode(bytes).unwrap_or_else(|problem| panic!("{what} in {codec:?}: {problem}"))
        };
        // The parsed value has lost the order of its fields: a frame must not depend on it.
        for value in [&entry.frame, &with_unknown_fields(&entry.frame)] {
            for codec in Codec::ALL {
                assert_eq!(&read(codec, &codec.encode(value)), frame, "{what}");
            }
        }
        let golden_bytes = unhex(&entry.msgpack);
        assert_eq!(&read(Codec::MessagePack, &golden_bytes), frame, "{what}");
        assert_eq!(Codec::MessagePack.encode(frame), golden_bytes, "{what}");
        for codec in Codec::ALL {
            let bytes = codec.encode(frame);
            assert!(codec.decode::<F>(&bytes[..bytes.len() - 1]).is_err(), "{what}: cut short");
            assert!(codec.decode::<F>(&[&bytes[..], b"0"].concat()).is_err(), "{what}: bytes behind");
        }
    }
}

/// The same value with a field in every object that no release has ever had.
fn with_unknown_fields(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let known = fields.iter().map(|(key, value)| (key.clone(), with_unknown_fields(value)));
            let unknown = ("x_of_a_later_release".to_owned(), serde_json::json!({ "a": [1, null] }));
            Value::Object(known.chain([unknown]).collect())
        }
        Value::Array(values) => values.iter().map(with_unknown_fields).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[test]
fn every_frame_is_its_golden_bytes_both_ways() {
    client::sheets().iter().for_each(check);
    server::sheets().iter().for_each(check);
}

#[test]
fn no_golden_file_is_left_without_its_frames() {
    let expected: Vec<PathBuf> = {
        let client = client::sheets();
        let server = server::sheets();
        let mut files: Vec<_> =
            client.iter().map(Sheet::file).chain(server.iter().map(Sheet::file)).collect();
        files.sort();
        files
    };
    let mut found: Vec<PathBuf> = fs::read_dir(folder())
        .expect("the golden folder is there")
        .flat_map(|side| fs::read_dir(side.expect("readable").path()).expect("only folders lie in it"))
        .map(|file| file.expect("readable").path())
        .collect();
    found.sort();
    if writing() {
        for stale in found.iter().filter(|file| !expected.contains(file)) {
            fs::remove_file(stale).expect("a stale sheet can be removed");
        }
    } else {
        assert_eq!(found, expected);
    }
}

#[test]
fn defaults_may_be_left_out() {
    let read = |text: &str| Codec::Json.decode::<ClientFrame>(text.as_bytes()).expect(text);
    let hello = ClientFrame::Hello { token: "e".into(), cursor: None, device: None, open: vec![] };
    assert_eq!(read(r#"{"t":"hello","token":"e"}"#), hello);
    assert_eq!(read(r#"{"t":"hello","token":"e","cursor":null,"device":null}"#), hello);
    let ClientFrame::Ask { ask: Ask::List { limit, .. }, .. } =
        read(r#"{"t":"ask","ref":"1","ask":{"ask":"list","mailbox":"shared"}}"#)
    else {
        panic!("a list");
    };
    assert_eq!(limit, 50);
    for (do_, least) in [
        ("conversation.update", r#""conversation":"cv""#),
        ("conversation.archive", r#""conversation":"cv","seen":1"#),
        ("message.send", r#""conversation":"cv","seen":1,"body":"b""#),
        ("endpoint.update", r#""endpoint":"e""#),
        ("endpoint.create", r#""kind":"link","address":"a","label":"l""#),
        ("team.create", r#""name":"n""#),
        ("team.update", r#""team":"t""#),
        ("teammate.invite", r#""name":"n""#),
        ("organization.set", ""),
        ("organization.provision", r#""name":"n","kind":"team""#),
        ("inbound.receive", r#""to":"a","from":"b","content":{"kind":"voicemail","seconds":1}"#),
    ] {
        let comma = if least.is_empty() { "" } else { "," };
        read(&format!(r#"{{"t":"call","ref":"1","command":{{"do":"{do_}"{comma}{least}}}}}"#));
    }
}

#[test]
fn what_cannot_be_read_is_malformed() {
    for bad in [
        "",
        "{}",
        "null",
        "[]",
        r#"{"t":"hallo","token":"e"}"#,
        r#"{"t":"hello"}"#,
        r#"{"t":"hello","token":null}"#,
        r#"{"t":"hello","token":"e","token":"f"}"#,
        r#"{"t":"signal","signal":{"signal":"typing","conversation":"a b","mode":"reply"}}"#,
        r#"{"t":"ask","ref":"1","ask":{"ask":"list","mailbox":"everyone"}}"#,
        r#"{"t":"ask","ref":"1","ask":{"ask":"history","conversation":"c","before":-1}}"#,
        r#"{"t":"ask","ref":"1","ask":{"ask":"history","conversation":"c","before":1.0}}"#,
    ] {
        assert!(Codec::Json.decode::<ClientFrame>(bad.as_bytes()).is_err(), "{bad}");
    }
    let arrays_in_arrays = vec![0x91; 65_536];
    let bombs: [&[u8]; 5] = [
        b"",
        &arrays_in_arrays,
        &[0xdf, 0xff, 0xff, 0xff, 0xff], // a map of 4 G entries
        &[0x81, 0xa1, b't', 0xdb, 0xff, 0xff, 0xff, 0xff], // a text of 4 GiB
        &[0x81, 0xa1, b't', 0xdd, 0xff, 0xff, 0xff, 0xff], // an array of 4 G
    ];
    for bomb in bombs {
        assert!(Codec::MessagePack.decode::<ClientFrame>(bomb).is_err());
    }
    let nested = format!(r#"{{"t":"call","ref":"1","command":{}"#, "[".repeat(60_000));
    assert!(Codec::Json.decode::<ClientFrame>(nested.as_bytes()).is_err());
}

#[test]
fn a_push_of_a_later_release_can_be_recognised_and_skipped() {
    let frame = serde_json::json!({
        "t": "push", "push": "page", "page": { "id": "pg-1" }, "cursor": "later",
    });
    for codec in Codec::ALL {
        let bytes = codec.encode(&frame);
        assert!(codec.decode::<ServerFrame>(&bytes).is_err());
        let outline: Outline = codec.decode(&bytes).expect("an outline");
        assert_eq!(outline.t, "push");
        assert_eq!(outline.push.as_deref(), Some("page"));
        assert_eq!(outline.cursor.as_deref(), Some("later"));
    }
}

#[test]
fn every_frame_of_the_hub_has_an_outline() {
    for (name, frame) in server::sheets().into_iter().flat_map(|sheet| sheet.frames) {
        for codec in Codec::ALL {
            let outline: Outline = codec.decode(&codec.encode(&frame)).expect(name);
            assert_eq!(outline.push.is_some(), matches!(frame, ServerFrame::Push { .. }), "{name}");
        }
    }
}

#[test]
fn a_name_in_metrics_is_the_name_on_the_wire() {
    for code in CloseCode::ALL {
        assert_eq!(json(&code), format!("\"{}\"", code.name()));
    }
    for (_, refusal) in server::refusals() {
        let value: Value = serde_json::from_str(&json(&refusal)).expect("JSON");
        assert_eq!(value["code"], refusal.code());
    }
}

#[test]
fn a_command_is_filed_under_its_name() {
    for (name, command) in client::commands() {
        let value: Value = serde_json::from_str(&json(&command)).expect("JSON");
        assert_eq!(name.split('/').next(), value["do"].as_str());
    }
}
