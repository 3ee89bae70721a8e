//! Writing conversations, their items, and what teammates keep about them.

use rotunda_protocol::conversation::ConversationState;
use rotunda_protocol::item::Content;

use super::dialect::Value;
use super::fault::Fault;
use super::statements::{Statements, Values, json};
use crate::domain::conversation::{Conversation, Counterpart, State};
use crate::store::rows::{ConversationRow, Rows};
use crate::store::words::Word;

impl<'a> Statements<'a> {
    pub(super) fn conversations(&mut self, rows: &'a Rows) {
        self.conversation_rows(rows);
        self.conversation_members(rows);
        self.conversation_tags(rows);
        self.insert(
            "INSERT INTO marks (organization, conversation, teammate, read, starred, mark_rev, changed) ",
            &rows.marks,
            " ON CONFLICT (organization, conversation, teammate) DO UPDATE SET read = excluded.read, \
             starred = excluded.starred, mark_rev = excluded.mark_rev, changed = excluded.changed",
            |row, ((organization, (conversation, teammate)), (mark, changed))| {
                row.push(organization.as_str()).push(conversation.as_str());
                row.push(teammate.as_str()).push(mark.read).push(mark.starred).push(mark.rev);
                row.push(changed.0);
            },
        );
        self.insert(
            "INSERT INTO departures (organization, teammate, seq, conversation) ",
            &rows.departures,
            "",
            |row, (organization, teammate, seq, conversation)| {
                row.push(organization.as_str()).push(teammate.as_str());
                row.push(seq.0).push(conversation.as_str());
            },
        );
    }

    /// SQLite writes every index anew that a statement's columns take part in, be they changed or not. Most
    /// changes leave a conversation as open as it was, and cost no index by having a statement of their own.
    fn conversation_rows(&mut self, rows: &'a Rows) {
        let (in_place, whole): (Vec<_>, Vec<_>) =
            rows.conversations.iter().partition(|(_, row)| row.stays_open());
        self.insert(
            "INSERT INTO conversations (organization, id, endpoint, contact_address, state, created_at, \
             contact, contact_name, title, assignee, assigned_by, assigned_at, items, inbound, last_kind, \
             last_by, last_at, activity_at, rev, changed) ",
            whole,
            " ON CONFLICT (organization, id) DO UPDATE SET endpoint = excluded.endpoint, \
             contact_address = excluded.contact_address, state = excluded.state, \
             created_at = excluded.created_at, contact = excluded.contact, \
             contact_name = excluded.contact_name, title = excluded.title, assignee = excluded.assignee, \
             assigned_by = excluded.assigned_by, assigned_at = excluded.assigned_at, items = excluded.items, \
             inbound = excluded.inbound, last_kind = excluded.last_kind, last_by = excluded.last_by, \
             last_at = excluded.last_at, activity_at = excluded.activity_at, rev = excluded.rev, \
             changed = excluded.changed",
            |values, ((organization, id), row)| {
                values.push(organization.as_str()).push(id.as_str());
                push_indexed(values, row.after);
                push_plain(values, row);
            },
        );
        self.update(
            "UPDATE conversations AS c SET contact = news.column3, contact_name = news.column4, \
             title = news.column5, assignee = news.column6, assigned_by = news.column7, \
             assigned_at = news.column8, items = news.column9, inbound = news.column10, \
             last_kind = news.column11, last_by = news.column12, last_at = news.column13, \
             activity_at = news.column14, rev = news.column15, changed = news.column16 FROM (",
            in_place,
            ") AS news WHERE c.organization = news.column1 AND c.id = news.column2",
            |values, ((organization, id), row)| {
                values.push(organization.as_str()).push(id.as_str());
                push_plain(values, row);
            },
        );
    }

    fn conversation_members(&mut self, rows: &'a Rows) {
        let changed = || rows.conversations.iter().filter(|(_, row)| row.members_differ());
        self.insert(
            "DELETE FROM conversation_members WHERE (organization, conversation) IN (",
            changed().filter(|(_, row)| row.before.is_some_and(|before| !before.members.is_empty())),
            ")",
            |row, ((organization, id), _)| {
                row.push(organization.as_str()).push(id.as_str());
            },
        );
        self.insert(
            "INSERT INTO conversation_members (organization, conversation, principal, archived_activity) ",
            changed().flat_map(|(key, row)| row.after.members.iter().map(move |member| (key, row, member))),
            "",
            |row, ((organization, id), conversation, principal)| {
                row.push(organization.as_str()).push(id.as_str()).push(principal.to_string());
                row.push(conversation.archived_activity());
            },
        );
    }

    fn conversation_tags(&mut self, rows: &'a Rows) {
        let changed = || rows.conversations.iter().filter(|(_, row)| row.tags_differ());
        self.insert(
            "DELETE FROM conversation_tags WHERE (organization, conversation) IN (",
            changed().filter(|(_, row)| row.before.is_some_and(|before| !before.tags.is_empty())),
            ")",
            |row, ((organization, id), _)| {
                row.push(organization.as_str()).push(id.as_str());
            },
        );
        self.insert(
            "INSERT INTO conversation_tags (organization, conversation, tag) ",
            changed().flat_map(|(key, row)| row.after.tags.iter().map(move |tag| (key, tag))),
            "",
            |row, ((organization, id), tag)| {
                row.push(organization.as_str()).push(id.as_str()).push(tag.as_str());
            },
        );
    }

    pub(super) fn items(&mut self, rows: &'a Rows) -> Result<(), Fault> {
        let mut columns = Vec::with_capacity(rows.items.len());
        for (_, item, _) in &rows.items {
            columns.push(ContentColumns::of(&item.content)?);
        }
        self.insert(
            "INSERT INTO items (organization, conversation, number, at, by, kind, direction, body, media, \
             outcome, seconds, recording, transcript, changed) ",
            rows.items.iter().zip(columns),
            "",
            |row, ((organization, item, changed), content)| {
                row.push(organization.as_str()).push(item.conversation.as_str());
                row.push(item.number).push(item.at).push(item.by.to_string());
                row.push(content.kind).push(content.direction).push(content.body);
                row.push(content.media).push(content.outcome).push(content.seconds);
                row.push(content.recording).push(content.transcript);
                row.push(changed.0);
            },
        );
        Ok(())
    }
}

/// The columns that never change, and those that indexes ask for.
fn push_indexed<'a>(values: &mut Values<'a>, conversation: &'a Conversation) {
    match &conversation.counterpart {
        Counterpart::Contact { endpoint, contact } => {
            values.push(endpoint.as_str()).push(contact.address.as_str());
        }
        Counterpart::Team { .. } => {
            values.push(Value::NULL).push(Value::NULL);
        }
    }
    let state = match conversation.state {
        State::Open { .. } => ConversationState::Open,
        State::Archived => ConversationState::Archived,
    };
    values.push(state.word()).push(conversation.created_at);
}

/// The other columns.
fn push_plain<'a>(values: &mut Values<'a>, row: &'a ConversationRow) {
    let conversation = row.after;
    match &conversation.counterpart {
        Counterpart::Contact { contact, .. } => {
            values.push(contact.id.as_str()).push(contact.name.as_str()).push(Value::NULL);
        }
        Counterpart::Team { title } => {
            values.push(Value::NULL).push(Value::NULL).push(title.as_str());
        }
    }
    let assignment = match &conversation.state {
        State::Open { assignment } => assignment.as_ref(),
        State::Archived => None,
    };
    values.push(assignment.map(|assignment| assignment.to.to_string()));
    values.push(assignment.map(|assignment| assignment.by.to_string()));
    values.push(assignment.map(|assignment| assignment.at));
    values.push(conversation.items).push(conversation.inbound);
    let last = conversation.last.as_ref();
    values.push(last.map(|last| last.kind.word()));
    values.push(last.map(|last| last.by.to_string()));
    values.push(last.map(|last| last.at));
    values.push(conversation.activity_at);
    values.push(conversation.rev).push(row.changed.0);
}

/// What an item says, as columns.
#[derive(Default)]
struct ContentColumns<'a> {
    kind: &'static str,
    direction: Option<&'static str>,
    body: Option<&'a str>,
    media: Option<String>,
    outcome: Option<&'a str>,
    seconds: Option<u32>,
    recording: Option<&'a str>,
    transcript: Option<&'a str>,
}

impl<'a> ContentColumns<'a> {
    fn of(content: &'a Content) -> Result<Self, Fault> {
        Ok(match content {
            Content::Message { direction, body, media } => Self {
                kind: "message",
                direction: Some(direction.word()),
                body: Some(body),
                media: if media.is_empty() { None } else { Some(json(media)?) },
                ..Self::default()
            },
            Content::Note { body } => Self { kind: "note", body: Some(body), ..Self::default() },
            Content::Call { direction, outcome, seconds } => Self {
                kind: "call",
                direction: Some(direction.word()),
                outcome: Some(outcome),
                seconds: Some(*seconds),
                ..Self::default()
            },
            Content::Voicemail { seconds, recording, transcript } => Self {
                kind: "voicemail",
                seconds: Some(*seconds),
                recording: recording.as_deref(),
                transcript: transcript.as_deref(),
                ..Self::default()
            },
        })
    }
}
