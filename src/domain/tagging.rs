//! Adding and removing conversation tags (R42–R46). Sets, so that two who tag at once both succeed.

use rotunda_protocol::command::Done;
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::refusal::Refusal;

use super::draft::Draft;
use super::edit::Edit;
use super::event::Change;
use super::tag::{self, TAG_WORDS_MAX, TAGS_MAX};

/// Adds a tag; a new word makes a new tag (R46).
pub fn add(draft: &mut Draft<'_>, id: &ConversationId, word: &str) -> Result<Done, Refusal> {
    retag(draft, id, &[word.to_owned()], &[])
}

/// Removes a tag.
pub fn remove(draft: &mut Draft<'_>, id: &ConversationId, word: &str) -> Result<Done, Refusal> {
    retag(draft, id, &[], &[word.to_owned()])
}

fn retag(
    draft: &mut Draft<'_>,
    id: &ConversationId,
    add: &[String],
    remove: &[String],
) -> Result<Done, Refusal> {
    let mut edit = draft.edit(id, None)?;
    change(draft, &mut edit, add, remove)?;
    if edit.is_unchanged() {
        return Ok(Done::Unchanged);
    }
    Ok(draft.conclude(edit, None))
}

/// Adds and removes tags, in an edit that may change more.
pub fn change(
    draft: &mut Draft<'_>,
    edit: &mut Edit,
    add: &[String],
    remove: &[String],
) -> Result<(), Refusal> {
    let mut tags = edit.conversation.tags.clone();
    for word in remove {
        let folded = tag::fold(&tag::normalize(word)?);
        tags.retain(|tag| tag::fold(tag) != folded);
    }
    for word in add {
        let word = tag::normalize(word)?;
        let known = draft.organization().tag(&word).map(str::to_owned);
        if known.is_none() {
            if draft.organization().sizes().tags >= TAG_WORDS_MAX {
                return Err(Refusal::invalid("tag", "an organization has at most 10000 tags"));
            }
            draft.change(Change::Tag { name: word.clone() });
        }
        tags.insert(known.unwrap_or(word));
    }
    if tags.len() > TAGS_MAX {
        return Err(Refusal::invalid("tags", "a conversation has at most 50 tags"));
    }
    edit.set_tags(tags);
    Ok(())
}
