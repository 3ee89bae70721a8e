//! A conversation's own members, besides those of its endpoint (R49, C4, E2, E19, E22).

use std::collections::BTreeSet;

use rotunda_protocol::command::Done;
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::principal::Principal;
use rotunda_protocol::refusal::Refusal;

use super::conversation::{Conversation, Counterpart};
use super::directory::Endpoint;
use super::draft::Draft;

/// The most members one conversation can have of its own.
pub const MEMBERS_MAX: usize = 200;

/// Adds members. They see everything, from the beginning (C7).
pub fn add(draft: &mut Draft<'_>, id: &ConversationId, members: &[Principal]) -> Result<Done, Refusal> {
    change(draft, id, |draft, now| {
        for member in members {
            draft.existing(member)?;
            now.insert(member.clone());
        }
        limit(now)
    })
}

/// There are not too many members.
pub fn limit(members: &BTreeSet<Principal>) -> Result<(), Refusal> {
    if members.len() > MEMBERS_MAX {
        return Err(Refusal::invalid("members", "a conversation has at most 200 members of its own"));
    }
    Ok(())
}

/// Removes members who were added. What an endpoint gives is not taken away here.
pub fn remove(draft: &mut Draft<'_>, id: &ConversationId, members: &[Principal]) -> Result<Done, Refusal> {
    change(draft, id, |draft, now| {
        let endpoint = draft.conversation(id)?.endpoint().and_then(|id| draft.organization().endpoint(id));
        for member in members {
            let derived = endpoint.into_iter().flat_map(Endpoint::principals).any(|given| given == member);
            if !now.remove(member) && derived {
                return Err(Refusal::DerivedAccess { from: member.clone() });
            }
        }
        let left = endpoint.into_iter().flat_map(Endpoint::principals).chain(&*now);
        if draft.organization().is_orphan(left) {
            return Err(Refusal::WouldOrphan);
        }
        Ok(())
    })
}

fn change(
    draft: &mut Draft<'_>,
    id: &ConversationId,
    change: impl FnOnce(&Draft<'_>, &mut BTreeSet<Principal>) -> Result<(), Refusal>,
) -> Result<Done, Refusal> {
    let mut edit = draft.edit(id, None)?;
    let is_team = matches!(edit.conversation.counterpart, Counterpart::Team { .. });
    if !is_team && !may_edit(draft, &edit.conversation) {
        return Err(Refusal::Forbidden);
    }
    let mut members = edit.conversation.members.clone();
    change(draft, &mut members)?;
    edit.set_members(members);
    if edit.is_unchanged() {
        return Ok(Done::Unchanged);
    }
    Ok(draft.conclude(edit, None))
}

/// Gives up one's own membership. The last one may leave too: then nobody sees the conversation (E22).
pub fn leave(draft: &mut Draft<'_>, id: &ConversationId) -> Result<Done, Refusal> {
    let caller = draft.person()?;
    let mut edit = draft.edit(id, None)?;
    let mut members = edit.conversation.members.clone();
    if !members.remove(&Principal::Teammate(caller.clone())) {
        let organization = draft.organization();
        let endpoint = edit.conversation.endpoint().and_then(|id| organization.endpoint(id));
        let given = endpoint.into_iter().flat_map(Endpoint::principals).chain(&edit.conversation.members);
        let from = given.into_iter().find(|principal| organization.covers(principal, &caller));
        return Err(from.map_or(Refusal::NotFound, |from| Refusal::DerivedAccess { from: from.clone() }));
    }
    edit.set_members(members);
    Ok(draft.conclude(edit, None))
}

/// May change the own members of a conversation with a contact: an admin who sees it, or an owner of its endpoint.
pub fn may_edit(draft: &Draft<'_>, conversation: &Conversation) -> bool {
    let organization = draft.organization();
    let Some(caller) = draft.caller() else { return true };
    let endpoint = conversation.endpoint().and_then(|id| organization.endpoint(id));
    organization.is_admin(caller) || endpoint.is_some_and(|endpoint| organization.owns(caller, endpoint))
}
