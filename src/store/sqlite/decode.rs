//! Rows as values. What cannot be read is `Corrupt`: somebody else has written it.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use rotunda_protocol::conversation::{Contact, ConversationState, LastItem, Mark};
use rotunda_protocol::directory::{Features, Policy};
use rotunda_protocol::item::{Content, Item};
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::fault::Fault;
use crate::domain::conversation::{Assignment, Conversation, Counterpart, State};
use crate::domain::directory::{Endpoint, Profile, Team, Teammate};
use crate::domain::event::{Event, Seq};
use crate::store::RefRecord;
use crate::store::words::Word;

/// Reading a column as what it means.
pub(super) trait Columns {
    /// Text.
    fn text(&self, column: &str) -> Result<String, Fault>;
    /// A number of an event, or another number that never falls below 0.
    fn number(&self, column: &str) -> Result<u64, Fault>;
    /// Text that is parsed.
    fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, Fault>;
    /// The same, or NULL.
    fn parsed_or_null<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, Fault>;
    /// One of a closed enum's words.
    fn word<T: Word>(&self, column: &str) -> Result<T, Fault>;
    /// JSON text.
    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, Fault>;
}

impl Columns for SqliteRow {
    fn text(&self, column: &str) -> Result<String, Fault> {
        Ok(self.try_get(column)?)
    }

    fn number(&self, column: &str) -> Result<u64, Fault> {
        Ok(self.try_get::<i64, _>(column)?.cast_unsigned())
    }

    fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, Fault> {
        self.try_get::<&str, _>(column)?.parse().map_err(|error| Fault::unreadable(column, error))
    }

    fn parsed_or_null<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, Fault> {
        self.try_get::<Option<&str>, _>(column)?
            .map(|text| text.parse().map_err(|error| Fault::unreadable(column, error)))
            .transpose()
    }

    fn word<T: Word>(&self, column: &str) -> Result<T, Fault> {
        let word = self.try_get::<&str, _>(column)?;
        T::meaning(word).ok_or_else(|| Fault::unreadable(column, format_args!("unknown word `{word}`")))
    }

    fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, Fault> {
        serde_json::from_str(self.try_get(column)?).map_err(|error| Fault::unreadable(column, error))
    }
}

/// The number of the event that last changed a row.
pub(super) fn changed(row: &SqliteRow) -> Result<Seq, Fault> {
    row.number("changed").map(Seq)
}

pub(super) fn event(row: &SqliteRow) -> Result<(Seq, Event), Fault> {
    let event = Event { at: row.try_get("at")?, by: row.parsed("by")?, changes: row.json("body")? };
    Ok((Seq(row.number("seq")?), event))
}

pub(super) fn ref_record(row: &SqliteRow) -> Result<RefRecord, Fault> {
    let fingerprint = row.try_get::<&[u8], _>("fingerprint")?;
    Ok(RefRecord {
        actor: row.parsed("actor")?,
        r#ref: row.text("ref")?,
        fingerprint: bytes("fingerprint", fingerprint)?,
        done: row.json("done")?,
    })
}

/// A blob of known length.
pub(super) fn bytes<const N: usize>(column: &str, blob: &[u8]) -> Result<[u8; N], Fault> {
    blob.try_into().map_err(|error| Fault::unreadable(column, error))
}

pub(super) fn profile(row: &SqliteRow) -> Result<Profile, Fault> {
    Ok(Profile {
        name: row.text("name")?,
        kind: row.word("kind")?,
        features: Features {
            assignment: row.try_get("assignment")?,
            viewing: row.try_get("viewing")?,
            typing: row.try_get("typing")?,
        },
        policy: Policy {
            assign_non_member: row.word("assign_non_member")?,
            reply_claims: row.try_get("reply_claims")?,
        },
    })
}

pub(super) fn teammate(row: &SqliteRow) -> Result<(Teammate, Seq), Fault> {
    let teammate = Teammate {
        id: row.parsed("id")?,
        name: row.text("name")?,
        role: row.word("role")?,
        status: row.word("status")?,
    };
    Ok((teammate, changed(row)?))
}

pub(super) fn team(row: &SqliteRow) -> Result<(Team, Seq), Fault> {
    let team = Team {
        id: row.parsed("id")?,
        name: row.text("name")?,
        members: row.json("members")?,
        deleted: row.try_get("deleted")?,
    };
    Ok((team, changed(row)?))
}

pub(super) fn endpoint(row: &SqliteRow) -> Result<(Endpoint, Seq), Fault> {
    let endpoint = Endpoint {
        id: row.parsed("id")?,
        kind: row.word("kind")?,
        address: row.text("address")?,
        label: row.text("label")?,
        owner: row.parsed("owner")?,
        members: row.json("members")?,
        auto_assign: row.try_get("auto_assign")?,
    };
    Ok((endpoint, changed(row)?))
}

pub(super) fn contact(row: &SqliteRow) -> Result<Contact, Fault> {
    Ok(Contact { id: row.parsed("id")?, name: row.text("name")?, address: row.text("address")? })
}

pub(super) fn conversation(row: &SqliteRow) -> Result<(Conversation, Seq), Fault> {
    let conversation = Conversation {
        id: row.parsed("id")?,
        counterpart: counterpart(row)?,
        members: row.json("members")?,
        state: match row.word("state")? {
            ConversationState::Open => State::Open { assignment: assignment(row)? },
            ConversationState::Archived => State::Archived,
        },
        tags: row.json::<BTreeSet<_>>("tags")?,
        items: row.try_get("items")?,
        inbound: row.try_get("inbound")?,
        last: last(row)?,
        created_at: row.try_get("created_at")?,
        activity_at: row.try_get("activity_at")?,
        rev: row.number("rev")?,
    };
    Ok((conversation, changed(row)?))
}

fn counterpart(row: &SqliteRow) -> Result<Counterpart, Fault> {
    let Some(endpoint) = row.parsed_or_null("endpoint")? else {
        return Ok(Counterpart::Team { title: row.text("title")? });
    };
    let contact = Contact {
        id: row.parsed("contact")?,
        name: row.text("contact_name")?,
        address: row.text("contact_address")?,
    };
    Ok(Counterpart::Contact { endpoint, contact })
}

fn assignment(row: &SqliteRow) -> Result<Option<Assignment>, Fault> {
    let Some(to) = row.parsed_or_null("assignee")? else { return Ok(None) };
    Ok(Some(Assignment { to, by: row.parsed("assigned_by")?, at: row.try_get("assigned_at")? }))
}

fn last(row: &SqliteRow) -> Result<Option<LastItem>, Fault> {
    let Some(by) = row.parsed_or_null("last_by")? else { return Ok(None) };
    Ok(Some(LastItem { kind: row.word("last_kind")?, by, at: row.try_get("last_at")? }))
}

/// A mark that stands beside something else; nothing is marked where there is none.
pub(super) fn mark(row: &SqliteRow) -> Result<Mark, Fault> {
    Ok(Mark {
        read: row.try_get::<Option<u32>, _>("read")?.unwrap_or_default(),
        starred: row.try_get::<Option<bool>, _>("starred")?.unwrap_or_default(),
        rev: row.try_get::<Option<u32>, _>("mark_rev")?.unwrap_or_default(),
    })
}

pub(super) fn item(row: &SqliteRow) -> Result<(Item, Seq), Fault> {
    let item = Item {
        conversation: row.parsed("conversation")?,
        number: row.try_get("number")?,
        by: row.parsed("by")?,
        at: row.try_get("at")?,
        content: content(row)?,
    };
    Ok((item, changed(row)?))
}

fn content(row: &SqliteRow) -> Result<Content, Fault> {
    Ok(match row.try_get("kind")? {
        "message" => Content::Message {
            direction: row.word("direction")?,
            body: row.text("body")?,
            media: match row.try_get::<Option<&str>, _>("media")? {
                Some(_) => row.json("media")?,
                None => Vec::new(),
            },
        },
        "note" => Content::Note { body: row.text("body")? },
        "call" => Content::Call {
            direction: row.word("direction")?,
            outcome: row.text("outcome")?,
            seconds: row.try_get("seconds")?,
        },
        "voicemail" => Content::Voicemail {
            seconds: row.try_get("seconds")?,
            recording: row.try_get("recording")?,
            transcript: row.try_get("transcript")?,
        },
        other => return Err(Fault::unreadable("kind", format_args!("unknown word `{other}`"))),
    })
}
