//! Archiving, unarchiving, and changing several fields at once (R9–R12, C2, E9, E14).

use rotunda_protocol::command::{ConversationUpdate, Done};
use rotunda_protocol::conversation::Cause;
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::principal::AssignTo;
use rotunda_protocol::refusal::Refusal;

use super::assignment::{self, route};
use super::draft::Draft;
use super::edit::Edit;
use super::tagging;

/// Puts a conversation away, unless something was received that the caller has not seen (E9).
pub fn archive(
    draft: &mut Draft<'_>,
    id: &ConversationId,
    seen: u32,
    force: bool,
    expect_rev: Option<u64>,
) -> Result<Done, Refusal> {
    let mut edit = draft.edit(id, expect_rev)?;
    if edit.conversation.is_archived() {
        return Ok(Done::Unchanged);
    }
    nothing_unseen(&edit, seen, force)?;
    edit.archive();
    Ok(draft.conclude(edit, None))
}

/// Brings a conversation back, to where its endpoint's rule says.
pub fn unarchive(
    draft: &mut Draft<'_>,
    id: &ConversationId,
    expect_rev: Option<u64>,
) -> Result<Done, Refusal> {
    let mut edit = draft.edit(id, expect_rev)?;
    if !edit.conversation.is_archived() {
        return Ok(Done::Unchanged);
    }
    edit.reopen(Cause::Manual);
    route(draft, &mut edit);
    Ok(draft.conclude(edit, None))
}

/// Changes several fields in one step, or none of them (C2).
pub fn update(
    draft: &mut Draft<'_>,
    id: &ConversationId,
    update: &ConversationUpdate,
    expect_rev: Option<u64>,
) -> Result<Done, Refusal> {
    let automation = draft.caller().is_none();
    let mut edit = match draft.edit(id, expect_rev) {
        Err(Refusal::Stale { .. }) if automation && update.assignee.is_some() => return Ok(Done::Unchanged),
        other => other?,
    };
    if update.archived == Some(true) && matches!(update.assignee, Some(AssignTo::Assignee(_))) {
        return Err(Refusal::invalid("assignee", "an archived conversation is held by nobody"));
    }
    if update.archived == Some(false) && edit.conversation.is_archived() {
        edit.reopen(Cause::Manual);
        if update.assignee.is_none() {
            route(draft, &mut edit);
        }
    }
    if automation && update.assignee.is_some() && edit.conversation.assignee().is_some() {
        return Ok(Done::Unchanged);
    }
    match &update.assignee {
        Some(AssignTo::Nobody) if edit.conversation.is_archived() => {}
        Some(AssignTo::Assignee(_)) if edit.conversation.is_archived() => {
            return Err(Refusal::ConversationArchived);
        }
        Some(to) => assignment::set_assignee(draft, &mut edit, to, update.grant)?,
        None => {}
    }
    tagging::change(draft, &mut edit, &update.add_tags, &update.remove_tags)?;
    if update.archived == Some(true) && !edit.conversation.is_archived() {
        nothing_unseen(&edit, update.seen.unwrap_or_default(), update.force)?;
        edit.archive();
    }
    if edit.is_unchanged() {
        return Ok(Done::Unchanged);
    }
    Ok(draft.conclude(edit, None))
}

/// Nothing was received that the caller has not seen. Who reads the answer adds what was missed.
pub fn nothing_unseen(edit: &Edit, seen: u32, force: bool) -> Result<(), Refusal> {
    if edit.conversation.inbound > seen && !force {
        return Err(Refusal::UnseenActivity { missed: Vec::new() });
    }
    Ok(())
}
