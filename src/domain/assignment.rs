//! Claiming and assigning (R1–R7, R19, E1, E11, E12, E14), and where a conversation goes by itself (R20–R26, E10).

use rotunda_protocol::command::Done;
use rotunda_protocol::conversation::Cause;
use rotunda_protocol::directory::AssignNonMember;
use rotunda_protocol::id::ConversationId;
use rotunda_protocol::principal::{Actor, AssignTo, Assignee, Principal};
use rotunda_protocol::refusal::Refusal;

use super::conversation::{Conversation, Counterpart, State};
use super::draft::Draft;
use super::edit::Edit;
use super::membership;
use super::organization::Organization;

/// Takes a conversation that nobody holds, or a team that one is in. Of many who try, one succeeds (E11).
pub fn claim(draft: &mut Draft<'_>, id: &ConversationId, expect_rev: Option<u64>) -> Result<Done, Refusal> {
    let caller = draft.person()?;
    let mut edit = draft.edit(id, expect_rev)?;
    assignable(draft.organization(), &edit.conversation)?;
    let State::Open { assignment } = &edit.conversation.state else {
        return Err(Refusal::ConversationArchived);
    };
    if let Some(held) = assignment {
        match &held.to {
            Assignee::Teammate(holder) if *holder == caller => return Ok(Done::Unchanged),
            Assignee::Team(team) if draft.organization().covers(&Principal::Team(team.clone()), &caller) => {}
            Assignee::Teammate(_) | Assignee::Team(_) => {
                let held = held.clone();
                return Err(Refusal::AlreadyAssigned { to: held.to, by: held.by, at: held.at });
            }
        }
    }
    edit.assign(Some(Assignee::Teammate(caller)), draft.actor.clone(), draft.at, Cause::Claim);
    Ok(draft.conclude(edit, None))
}

/// Assigns a conversation to a teammate or team, or to nobody (R3, R4, R18, R19).
pub fn assign(
    draft: &mut Draft<'_>,
    id: &ConversationId,
    to: &AssignTo,
    grant: bool,
    expect_rev: Option<u64>,
) -> Result<Done, Refusal> {
    let edit = draft.edit(id, expect_rev);
    let automation = draft.caller().is_none();
    let mut edit = match edit {
        Err(Refusal::Stale { .. }) if automation => return Ok(Done::Unchanged),
        other => other?,
    };
    if automation && edit.conversation.assignee().is_some() {
        return Ok(Done::Unchanged);
    }
    if edit.conversation.is_archived() {
        return match to {
            AssignTo::Nobody => Ok(Done::Unchanged),
            AssignTo::Assignee(_) => Err(Refusal::ConversationArchived),
        };
    }
    set_assignee(draft, &mut edit, to, grant)?;
    if edit.is_unchanged() {
        return Ok(Done::Unchanged);
    }
    Ok(draft.conclude(edit, None))
}

/// Changes who holds an open conversation, in an edit that may change more.
pub fn set_assignee(draft: &Draft<'_>, edit: &mut Edit, to: &AssignTo, grant: bool) -> Result<(), Refusal> {
    assignable(draft.organization(), &edit.conversation)?;
    let to = match to {
        AssignTo::Nobody => None,
        AssignTo::Assignee(assignee) => {
            admit(draft, edit, assignee, grant)?;
            Some(assignee.clone())
        }
    };
    edit.assign(to, draft.actor.clone(), draft.at, Cause::Manual);
    Ok(())
}

/// Conversations with contacts can be held, while the organization has assignment switched on (R14).
fn assignable(organization: &Organization, conversation: &Conversation) -> Result<(), Refusal> {
    match conversation.counterpart {
        Counterpart::Team { .. } => {
            Err(Refusal::invalid("conversation", "a conversation between teammates is held by nobody"))
        }
        Counterpart::Contact { .. } if !organization.assignment() => Err(Refusal::FeatureDisabled),
        Counterpart::Contact { .. } => Ok(()),
    }
}

/// The assignee may hold it, or is made a member if that was asked for and is allowed (E1).
fn admit(draft: &Draft<'_>, edit: &mut Edit, assignee: &Assignee, grant: bool) -> Result<(), Refusal> {
    let organization = draft.organization();
    let exists = match assignee {
        Assignee::Teammate(id) => organization.is_active(id),
        Assignee::Team(id) => organization.team(id).is_some_and(|team| {
            !team.deleted && team.members.iter().any(|member| organization.is_active(member))
        }),
    };
    if !exists {
        return Err(Refusal::AssigneeNotMember);
    }
    if organization.can_hold(assignee, &edit.conversation) {
        return Ok(());
    }
    let policy = organization.profile().map(|profile| profile.policy.assign_non_member);
    let granted = policy == Some(AssignNonMember::Grant) || membership::may_edit(draft, &edit.conversation);
    if !(grant && granted) {
        return Err(Refusal::AssigneeNotMember);
    }
    let mut members = edit.conversation.members.clone();
    members.insert(assignee.clone().into());
    membership::limit(&members)?;
    edit.set_members(members);
    Ok(())
}

/// Where a new or reopened conversation goes by itself: its endpoint's owner, if the endpoint says so and somebody
/// is there; otherwise the shared mailbox (E10).
pub fn route(draft: &Draft<'_>, edit: &mut Edit) {
    let organization = draft.organization();
    let endpoint = edit.conversation.endpoint().and_then(|id| organization.endpoint(id));
    let Some(endpoint) = endpoint.filter(|endpoint| endpoint.auto_assign && organization.assignment()) else {
        return;
    };
    let owner = match &endpoint.owner {
        Principal::Organization => return,
        Principal::Team(id) => Assignee::Team(id.clone()),
        Principal::Teammate(id) => Assignee::Teammate(id.clone()),
    };
    let by = Actor::Service("auto-assign".into());
    if organization.can_hold(&owner, &edit.conversation) {
        edit.assign(Some(owner), by, draft.at, Cause::Auto);
    } else {
        edit.auto_assign_unavailable();
    }
}
