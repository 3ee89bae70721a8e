//! Writing conversations, their items, and what teammates keep about them.

use rotunda_protocol::conversation::ConversationState;
use rotunda_protocol::id::OrganizationId;
use rotunda_protocol::item::Content;

use super::fault::Fault;
use super::statements::{Statements, Values, json};
use crate::domain::conversation::{Counterpart, State};
use crate::store::rows::{ConversationRow, Rows};
use crate::store::words::Word;

impl Statements {
    pub(super) fn conversations(&mut self, rows: &Rows) {
        self.insert(
            "INSERT INTO conversations (organization, id, endpoint, contact, contact_name, contact_address, \
             title, state, assignee, assigned_by, assigned_at, items, inbound, last_kind, last_by, last_at, \
             created_at, activity_at, rev, changed) ",
            &rows.conversations,
            " ON CONFLICT (organization, id) DO UPDATE SET endpoint = excluded.endpoint, \
             contact = excluded.contact, contact_name = excluded.contact_name, \
             contact_address = excluded.contact_address, title = excluded.title, state = excluded.state, \
             assignee = excluded.assignee, assigned_by = excluded.assigned_by, \
             assigned_at = excluded.assigned_at, items = excluded.items, inbound = excluded.inbound, \
             last_kind = excluded.last_kind, last_by = excluded.last_by, last_at = excluded.last_at, \
             created_at = excluded.created_at, activity_at = excluded.activity_at, rev = excluded.rev, \
             changed = excluded.changed",
            |row, ((organization, _), conversation)| push_conversation(row, organization, conversation),
        );
        self.conversation_members(rows);
        self.conversation_tags(rows);
        self.insert(
            "INSERT INTO marks (organization, conversation, teammate, read, starred, mark_rev, changed) ",
            &rows.marks,
            " ON CONFLICT (organization, conversation, teammate) DO UPDATE SET read = excluded.read, \
             starred = excluded.starred, mark_rev = excluded.mark_rev, changed = excluded.changed",
            |row, ((organization, (conversation, teammate)), (mark, changed))| {
                row.push_bind(organization.as_str()).push_bind(conversation.as_str());
                row.push_bind(teammate.as_str())
                    .push_bind(mark.read)
                    .push_bind(mark.starred)
                    .push_bind(mark.rev);
                row.push_bind(changed.0.cast_signed());
            },
        );
        self.insert(
            "INSERT INTO departures (organization, teammate, seq, conversation) ",
            &rows.departures,
            "",
            |row, (organization, teammate, seq, conversation)| {
                row.push_bind(organization.as_str()).push_bind(teammate.as_str());
                row.push_bind(seq.0.cast_signed()).push_bind(conversation.as_str());
            },
        );
    }

    fn conversation_members(&mut self, rows: &Rows) {
        let changed = || rows.conversations.iter().filter(|(_, row)| row.members_differ());
        self.insert(
            "DELETE FROM conversation_members WHERE (organization, conversation) IN (",
            changed().filter(|(_, row)| row.before.is_some_and(|before| !before.members.is_empty())),
            ")",
            |row, ((organization, id), _)| {
                row.push_bind(organization.as_str()).push_bind(id.as_str());
            },
        );
        self.insert(
            "INSERT INTO conversation_members (organization, conversation, principal, archived_activity) ",
            changed().flat_map(|(key, row)| row.after.members.iter().map(move |member| (key, row, member))),
            "",
            |row, ((organization, id), conversation, principal)| {
                row.push_bind(organization.as_str()).push_bind(id.as_str()).push_bind(principal.to_string());
                row.push_bind(conversation.archived_activity());
            },
        );
    }

    fn conversation_tags(&mut self, rows: &Rows) {
        let changed = || rows.conversations.iter().filter(|(_, row)| row.tags_differ());
        self.insert(
            "DELETE FROM conversation_tags WHERE (organization, conversation) IN (",
            changed().filter(|(_, row)| row.before.is_some_and(|before| !before.tags.is_empty())),
            ")",
            |row, ((organization, id), _)| {
                row.push_bind(organization.as_str()).push_bind(id.as_str());
            },
        );
        self.insert(
            "INSERT INTO conversation_tags (organization, conversation, tag) ",
            changed().flat_map(|(key, row)| row.after.tags.iter().map(move |tag| (key, tag))),
            "",
            |row, ((organization, id), tag)| {
                row.push_bind(organization.as_str()).push_bind(id.as_str()).push_bind(tag.as_str());
            },
        );
    }

    pub(super) fn items(&mut self, rows: &Rows) -> Result<(), Fault> {
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
                row.push_bind(organization.as_str()).push_bind(item.conversation.as_str());
                row.push_bind(item.number).push_bind(item.at).push_bind(item.by.to_string());
                row.push_bind(content.kind).push_bind(content.direction).push_bind(content.body);
                row.push_bind(content.media).push_bind(content.outcome).push_bind(content.seconds);
                row.push_bind(content.recording).push_bind(content.transcript);
                row.push_bind(changed.0.cast_signed());
            },
        );
        Ok(())
    }
}

fn push_conversation(values: Values, organization: &OrganizationId, row: &ConversationRow) {
    let conversation = row.after;
    values.push_bind(organization.as_str()).push_bind(conversation.id.as_str());
    match &conversation.counterpart {
        Counterpart::Contact { endpoint, contact } => {
            values.push_bind(endpoint.as_str()).push_bind(contact.id.as_str());
            values.push_bind(contact.name.as_str()).push_bind(contact.address.as_str());
            values.push("NULL");
        }
        Counterpart::Team { title } => {
            values.push("NULL").push("NULL").push("NULL").push("NULL").push_bind(title.as_str());
        }
    }
    let (state, assignment) = match &conversation.state {
        State::Open { assignment } => (ConversationState::Open, assignment.as_ref()),
        State::Archived => (ConversationState::Archived, None),
    };
    values.push_bind(state.word());
    values.push_bind(assignment.map(|assignment| assignment.to.to_string()));
    values.push_bind(assignment.map(|assignment| assignment.by.to_string()));
    values.push_bind(assignment.map(|assignment| assignment.at));
    values.push_bind(conversation.items).push_bind(conversation.inbound);
    let last = conversation.last.as_ref();
    values.push_bind(last.map(|last| last.kind.word()));
    values.push_bind(last.map(|last| last.by.to_string()));
    values.push_bind(last.map(|last| last.at));
    values.push_bind(conversation.created_at).push_bind(conversation.activity_at);
    values.push_bind(conversation.rev.cast_signed()).push_bind(row.changed.0.cast_signed());
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
