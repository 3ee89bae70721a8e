//! What a teammate keeps about a conversation for themselves: how far they have read, and a star (R71, C20).

use rotunda_protocol::command::Done;
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::refusal::Refusal;

use super::draft::Draft;

/// Remembers how far the caller has read; never goes back, never past the newest item.
pub fn read(draft: &mut Draft<'_>, id: &ConversationId, number: u32) -> Result<Done, Refusal> {
    let newest = draft.conversation(id)?.items;
    remark(draft, id, |mark| Mark { read: mark.read.max(number.min(newest)), ..mark })
}

/// Stars a conversation for the caller, or takes the star away.
pub fn star(draft: &mut Draft<'_>, id: &ConversationId, starred: bool) -> Result<Done, Refusal> {
    draft.conversation(id)?;
    remark(draft, id, |mark| Mark { starred, ..mark })
}

fn remark(
    draft: &mut Draft<'_>,
    id: &ConversationId,
    change: impl FnOnce(Mark) -> Mark,
) -> Result<Done, Refusal> {
    let caller = draft.person()?;
    let before = draft.mark(id, &caller);
    let after = change(before);
    if before == after {
        return Ok(Done::Unchanged);
    }
    let after = Mark { rev: before.rev + 1, ..after };
    draft.put_mark(id.clone(), caller, after);
    Ok(Done::Marked { conversation: id.clone() })
}
