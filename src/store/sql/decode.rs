//! Rows as values.

use std::borrow::Cow;
use std::collections::BTreeSet;

use rotunda_protocol::conversation::{Contact, ConversationState, LastItem, Mark};
use rotunda_protocol::directory::{Features, Policy};
use rotunda_protocol::item::{Content, Item};

use super::dialect::Columns;
use super::fault::Fault;
use crate::domain::conversation::{Assignment, Conversation, Counterpart, State};
use crate::domain::directory::{Endpoint, Profile, Team, Teammate};
use crate::domain::event::{Event, Seq};
use crate::store::RefRecord;

/// The number of the event that last changed a row.
pub(super) fn changed(row: &impl Columns) -> Result<Seq, Fault> {
    row.number("changed").map(Seq)
}

pub(super) fn event(row: &impl Columns) -> Result<(Seq, Event), Fault> {
    let event = Event { at: row.millis("at")?, by: row.parsed("by")?, changes: row.json("body")? };
    Ok((Seq(row.number("seq")?), event))
}

pub(super) fn ref_record(row: &impl Columns) -> Result<RefRecord, Fault> {
    Ok(RefRecord {
        actor: row.parsed("actor")?,
        r#ref: row.string("ref")?,
        fingerprint: row.bytes("fingerprint")?,
        done: row.json("done")?,
    })
}

pub(super) fn profile(row: &impl Columns) -> Result<Profile, Fault> {
    Ok(Profile {
        name: row.string("name")?,
        kind: row.word("kind")?,
        features: Features {
            assignment: row.flag("assignment")?,
            viewing: row.flag("viewing")?,
            typing: row.flag("typing")?,
        },
        policy: Policy {
            assign_non_member: row.word("assign_non_member")?,
            reply_claims: row.flag("reply_claims")?,
        },
    })
}

pub(super) fn teammate(row: &impl Columns) -> Result<(Teammate, Seq), Fault> {
    let teammate = Teammate {
        id: row.parsed("id")?,
        name: row.string("name")?,
        role: row.word("role")?,
        status: row.word("status")?,
    };
    Ok((teammate, changed(row)?))
}

pub(super) fn team(row: &impl Columns) -> Result<(Team, Seq), Fault> {
    let team = Team {
        id: row.parsed("id")?,
        name: row.string("name")?,
        members: row.json("members")?,
        deleted: row.flag("deleted")?,
    };
    Ok((team, changed(row)?))
}

pub(super) fn endpoint(row: &impl Columns) -> Result<(Endpoint, Seq), Fault> {
    let endpoint = Endpoint {
        id: row.parsed("id")?,
        kind: row.word("kind")?,
        address: row.string("address")?,
        label: row.string("label")?,
        owner: row.parsed("owner")?,
        members: row.json("members")?,
        auto_assign: row.flag("auto_assign")?,
    };
    Ok((endpoint, changed(row)?))
}

pub(super) fn contact(row: &impl Columns) -> Result<Contact, Fault> {
    Ok(Contact { id: row.parsed("id")?, name: row.string("name")?, address: row.string("address")? })
}

pub(super) fn conversation(row: &impl Columns) -> Result<(Conversation, Seq), Fault> {
    let conversation = Conversation {
        id: row.parsed("id")?,
        counterpart: counterpart(row)?,
        members: row.json("members")?,
        state: match row.word("state")? {
            ConversationState::Open => State::Open { assignment: assignment(row)? },
            ConversationState::Archived => State::Archived,
        },
        tags: row.json::<BTreeSet<_>>("tags")?,
        items: row.count("items")?,
        inbound: row.count("inbound")?,
        last: last(row)?,
        created_at: row.millis("created_at")?,
        activity_at: row.millis("activity_at")?,
        rev: row.number("rev")?,
    };
    Ok((conversation, changed(row)?))
}

fn counterpart(row: &impl Columns) -> Result<Counterpart, Fault> {
    let Some(endpoint) = row.parsed_or_null("endpoint")? else {
        return Ok(Counterpart::Team { title: row.string("title")? });
    };
    let contact = Contact {
        id: row.parsed("contact")?,
        name: row.string("contact_name")?,
        address: row.string("contact_address")?,
    };
    Ok(Counterpart::Contact { endpoint, contact })
}

fn assignment(row: &impl Columns) -> Result<Option<Assignment>, Fault> {
    let Some(to) = row.parsed_or_null("assignee")? else { return Ok(None) };
    Ok(Some(Assignment { to, by: row.parsed("assigned_by")?, at: row.millis("assigned_at")? }))
}

fn last(row: &impl Columns) -> Result<Option<LastItem>, Fault> {
    let Some(by) = row.parsed_or_null("last_by")? else { return Ok(None) };
    Ok(Some(LastItem { kind: row.word("last_kind")?, by, at: row.millis("last_at")? }))
}

/// A mark that stands beside something else; nothing is marked where there is none.
pub(super) fn mark(row: &impl Columns) -> Result<Mark, Fault> {
    Ok(Mark {
        read: row.count_or_null("read")?.unwrap_or_default(),
        starred: row.flag_or_null("starred")?.unwrap_or_default(),
        rev: row.count_or_null("mark_rev")?.unwrap_or_default(),
    })
}

pub(super) fn item(row: &impl Columns) -> Result<(Item, Seq), Fault> {
    let item = Item {
        conversation: row.parsed("conversation")?,
        number: row.count("number")?,
        by: row.parsed("by")?,
        at: row.millis("at")?,
        content: content(row)?,
    };
    Ok((item, changed(row)?))
}

fn content(row: &impl Columns) -> Result<Content, Fault> {
    Ok(match &*row.text("kind")? {
        "message" => Content::Message {
            direction: row.word("direction")?,
            body: row.string("body")?,
            media: match row.text_or_null("media")? {
                Some(_) => row.json("media")?,
                None => Vec::new(),
            },
        },
        "note" => Content::Note { body: row.string("body")? },
        "call" => Content::Call {
            direction: row.word("direction")?,
            outcome: row.string("outcome")?,
            seconds: row.count("seconds")?,
        },
        "voicemail" => Content::Voicemail {
            seconds: row.count("seconds")?,
            recording: row.text_or_null("recording")?.map(Cow::into_owned),
            transcript: row.text_or_null("transcript")?.map(Cow::into_owned),
        },
        other => return Err(Fault::unreadable("kind", format_args!("unknown word `{other}`"))),
    })
}
