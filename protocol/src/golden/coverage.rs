//! Every word that the wire has is in some golden frame, and every field of a golden frame is described.
//!
//! The schemas know all variants of all enums, so a new variant fails here until it has its frame.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use utoipa::ToSchema;

use super::{client, json, server};
use crate::frame::{ClientFrame, ServerFrame};
use crate::principal::{Actor, AssignTo, Assignee, Mailbox, Principal};

/// For each enum by name, some of its words on the wire.
pub(super) type Words = BTreeMap<String, BTreeSet<String>>;

/// The schemas of everything that one side sends.
pub(super) struct Schemas {
    root: &'static str,
    named: BTreeMap<String, Value>,
}

impl Schemas {
    pub(super) fn of<T: ToSchema>(root: &'static str) -> Self {
        let mut all = vec![];
        T::schemas(&mut all);
        all.push((root.to_owned(), T::schema()));
        let named = all
            .into_iter()
            .map(|(name, schema)| (name, serde_json::to_value(schema).expect("a schema is JSON")));
        Self { root, named: named.collect() }
    }

    /// All words of all enums.
    pub(super) fn words(&self) -> Words {
        let mut words = Words::new();
        for (name, schema) in &self.named {
            let mut own = BTreeSet::new();
            collect_words(schema, &mut own);
            own.extend(forms().into_iter().filter(|form| form.of == name).flat_map(|form| form.all));
            if !own.is_empty() {
                words.insert(name.clone(), own);
            }
        }
        words
    }

    /// Adds the words that a frame uses.
    fn note(&self, frame: &str, seen: &mut Words) {
        let value = serde_json::from_str(frame).expect("a frame is JSON");
        self.walk(&self.named[self.root], &value, self.root, seen);
    }

    /// Walks a value along its schema, which lies in the type `name`.
    fn walk(&self, schema: &Value, value: &Value, name: &str, seen: &mut Words) {
        let described = self.fields(schema, value, name, seen);
        if let (Value::Object(fields), false) = (value, described.is_empty()) {
            let undescribed: Vec<_> = fields.keys().filter(|key| !described.contains(*key)).collect();
            assert!(undescribed.is_empty(), "{name} has no {undescribed:?} in its schema");
        }
    }

    /// The same; returns which fields the schema describes.
    fn fields(&self, schema: &Value, value: &Value, name: &str, seen: &mut Words) -> BTreeSet<String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().expect("a reference ends in a name");
            let form = forms().into_iter().find(|form| form.of == name);
            if let (Some(form), Some(text)) = (form, value.as_str()) {
                seen.entry(name.into()).or_default().insert((form.parse)(text).into());
            }
            return self.fields(&self.named[name], value, name, seen);
        }
        if let Some(parts) = schema["allOf"].as_array() {
            return parts.iter().flat_map(|part| self.fields(part, value, name, seen)).collect();
        }
        if let Some(variants) = schema["oneOf"].as_array() {
            let fitting = variants.iter().find(|variant| fits(variant, value));
            let fitting = fitting.unwrap_or_else(|| panic!("no variant of {name} is {value}"));
            return self.fields(fitting, value, name, seen);
        }
        if let (Some(_), Some(word)) = (schema["enum"].as_array(), value.as_str()) {
            seen.entry(name.into()).or_default().insert(word.into());
        }
        for element in value.as_array().into_iter().flatten() {
            self.walk(&schema["items"], element, name, seen);
        }
        let properties = schema["properties"].as_object();
        for (key, property) in properties.into_iter().flatten() {
            if let Some(field) = value.get(key) {
                self.walk(property, field, name, seen);
            }
        }
        properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect()
    }
}

/// The words of an enum are the only lists of words in its own schema: those of others are behind `$ref`.
fn collect_words(schema: &Value, words: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(own) = fields.get("enum").and_then(Value::as_array) {
                words.extend(own.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            fields.values().for_each(|field| collect_words(field, words));
        }
        Value::Array(values) => values.iter().for_each(|value| collect_words(value, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a variant is the one that a value has: by its tag, or by being null.
fn fits(variant: &Value, value: &Value) -> bool {
    if variant["type"] == "null" {
        return value.is_null();
    }
    if let Some(parts) = variant["allOf"].as_array() {
        return parts.iter().all(|part| fits(part, value));
    }
    !value.is_null()
        && variant["properties"].as_object().into_iter().flatten().all(|(key, property)| {
            property["enum"].as_array().is_none_or(|words| words.contains(&value[key]))
        })
}

/// A type that is one text on the wire, with the forms that the text can have.
struct Forms {
    of: &'static str,
    all: Vec<String>,
    parse: fn(&str) -> &'static str,
}

/// Does not compile while a form is missing.
macro_rules! forms {
    ($($name:ident { $($pattern:pat => $form:literal,)* })*) => {
        vec![$(Forms {
            of: stringify!($name),
            all: vec![$($form.to_owned()),*],
            parse: |text| match super::known::<$name>(text) { $($pattern => $form),* },
        }),*]
    };
}

fn forms() -> Vec<Forms> {
    forms! {
        Principal {
            Principal::Organization => "organization",
            Principal::Team(_) => "team:",
            Principal::Teammate(_) => "teammate:",
        }
        Assignee {
            Assignee::Team(_) => "team:",
            Assignee::Teammate(_) => "teammate:",
        }
        AssignTo {
            AssignTo::Nobody => "nobody",
            AssignTo::Assignee(Assignee::Team(_)) => "team:",
            AssignTo::Assignee(Assignee::Teammate(_)) => "teammate:",
        }
        Actor {
            Actor::Teammate(_) => "teammate:",
            Actor::Service(_) => "service:",
            Actor::Contact => "contact",
        }
        Mailbox {
            Mailbox::Shared => "shared",
            Mailbox::Team(_) => "team:",
            Mailbox::Teammate(_) => "teammate:",
            Mailbox::Internal => "internal",
            Mailbox::None => "none",
        }
    }
}

/// What is in the first and not in the second.
pub(super) fn missing(all: &Words, seen: &Words) -> Vec<String> {
    let none = BTreeSet::new();
    let missing = all.iter().flat_map(|(name, words)| {
        words.difference(seen.get(name).unwrap_or(&none)).map(move |word| format!("{name} `{word}`"))
    });
    missing.collect()
}

#[test]
fn every_variant_has_a_golden_frame() {
    let none: Vec<String> = vec![];

    let (schemas, mut seen) = (Schemas::of::<ClientFrame>("ClientFrame"), Words::new());
    let frames = client::sheets().into_iter().flat_map(|sheet| sheet.frames);
    frames.for_each(|(_, frame)| schemas.note(&json(&frame), &mut seen));
    let mut all = schemas.words();
    // Content is sent by `inbound.receive` only: what contacts send, and that comes in.
    all.get_mut("Direction").expect("a direction").remove("out");
    all.get_mut("Content").expect("a content").remove("note");
    assert_eq!(missing(&all, &seen), none);

    let (schemas, mut seen) = (Schemas::of::<ServerFrame>("ServerFrame"), Words::new());
    let frames = server::sheets().into_iter().flat_map(|sheet| sheet.frames);
    frames.for_each(|(_, frame)| schemas.note(&json(&frame), &mut seen));
    assert_eq!(missing(&schemas.words(), &seen), none);
}

#[test]
fn a_variant_without_a_frame_would_be_noticed() {
    let schemas = Schemas::of::<ServerFrame>("ServerFrame");
    let mut seen = Words::new();
    schemas.note(r#"{"t":"push","push":"gone","conversation":"cv"}"#, &mut seen);
    assert!(seen["ServerFrame"].contains("push") && seen["Push"].contains("gone"));
    let missing = missing(&schemas.words(), &seen);
    for absent in
        ["ServerFrame `beat`", "Push `mark`", "Mailbox `none`", "CloseCode `behind`", "Cause `auto`"]
    {
        assert!(missing.contains(&absent.to_owned()), "{absent} in {missing:?}");
    }
    for present in ["ServerFrame `push`", "Push `gone`"] {
        assert!(!missing.contains(&present.to_owned()), "{present}");
    }
}
