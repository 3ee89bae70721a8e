//! Teammates: invited, active, suspended, removed; admins (R33–R41, E5–E7).

use std::collections::BTreeSet;

use rotunda_protocol::command::{Done, NewTeammate};
use rotunda_protocol::conversation::Cause;
use rotunda_protocol::directory::{Role, TeammateStatus};
use rotunda_protocol::id::TeammateId;
use rotunda_protocol::principal::{Assignee, Principal};
use rotunda_protocol::refusal::Refusal;

use super::directory::Teammate;
use super::draft::Draft;
use super::edit::Edit;
use super::event::Change;
use super::writing::title;

/// The most teammates an organization can have, those who left included.
pub const TEAMMATES_MAX: usize = 5_000;

/// Asks somebody to join. The back office may also say that they work here already.
pub fn invite(draft: &mut Draft<'_>, new: &NewTeammate) -> Result<Done, Refusal> {
    draft.administrator()?;
    if new.active {
        draft.back_office()?;
    }
    let id = add(draft, new)?;
    Ok(Done::Teammate { teammate: id })
}

/// Adds a teammate, as an invitation or in provisioning.
pub fn add(draft: &mut Draft<'_>, new: &NewTeammate) -> Result<TeammateId, Refusal> {
    let name = title("name", &new.name)?;
    let id = match &new.id {
        Some(id) => id.clone(),
        None => draft.mint(),
    };
    if draft.organization().teammate(&id).is_some() {
        return Err(Refusal::AlreadyExists);
    }
    if draft.organization().sizes().teammates >= TEAMMATES_MAX {
        return Err(Refusal::invalid("teammate", "an organization has at most 5000 teammates"));
    }
    let status = if new.active { TeammateStatus::Active } else { TeammateStatus::Invited };
    let teammate = Teammate { id: id.clone(), name, role: new.role, status };
    put(draft, teammate);
    Ok(id)
}

/// Somebody who was invited has come. The first one to come is an admin (R37).
pub fn activate(draft: &mut Draft<'_>, id: &TeammateId) -> Result<Done, Refusal> {
    draft.back_office()?;
    turn(draft, id, TeammateStatus::Invited, TeammateStatus::Active)
}

/// Shuts a teammate out for a time; they keep memberships and assignments (E7).
pub fn suspend(draft: &mut Draft<'_>, id: &TeammateId) -> Result<Done, Refusal> {
    draft.administrator()?;
    let done = turn(draft, id, TeammateStatus::Active, TeammateStatus::Suspended)?;
    draft.still_administered()?;
    Ok(done)
}

/// Lets a suspended teammate back in, with everything they had.
pub fn restore(draft: &mut Draft<'_>, id: &TeammateId) -> Result<Done, Refusal> {
    draft.administrator()?;
    turn(draft, id, TeammateStatus::Suspended, TeammateStatus::Active)
}

fn turn(
    draft: &mut Draft<'_>,
    id: &TeammateId,
    from: TeammateStatus,
    to: TeammateStatus,
) -> Result<Done, Refusal> {
    let teammate = present(draft, id)?;
    if teammate.status == to {
        return Ok(Done::Unchanged);
    }
    if teammate.status != from {
        return Err(Refusal::invalid("teammate", "is not in the state that this can be done in"));
    }
    put(draft, Teammate { status: to, ..teammate });
    Ok(Done::Teammate { teammate: id.clone() })
}

/// Makes a teammate an admin, or no longer one (R38).
pub fn set_role(draft: &mut Draft<'_>, id: &TeammateId, role: Role) -> Result<Done, Refusal> {
    draft.administrator()?;
    let teammate = present(draft, id)?;
    if teammate.role == role {
        return Ok(Done::Unchanged);
    }
    draft.change(Change::Teammate(Teammate { role, ..teammate }));
    draft.still_administered()?;
    Ok(Done::Teammate { teammate: id.clone() })
}

/// A teammate leaves for good: what they own and hold goes to others in the same step (E6).
pub fn remove(
    draft: &mut Draft<'_>,
    id: &TeammateId,
    transfer_to: Option<&Assignee>,
    transfer_assignments: bool,
) -> Result<Done, Refusal> {
    draft.administrator()?;
    let teammate = draft.organization().teammate(id).cloned().ok_or(Refusal::NotFound)?;
    if teammate.status == TeammateStatus::Removed {
        return Ok(Done::Unchanged);
    }
    let heir = transfer_to.cloned().map(Principal::from);
    if let Some(heir) = &heir {
        draft.existing(heir)?;
        if *heir == Principal::Teammate(id.clone()) {
            return Err(Refusal::invalid("transfer_to", "is the one who leaves"));
        }
    }
    let was_active = teammate.is_active();
    draft.change(Change::Teammate(Teammate { status: TeammateStatus::Removed, ..teammate }));
    if was_active {
        draft.still_administered()?;
    }
    leave_endpoints(draft, id, heir.as_ref())?;
    let teams = leave_teams(draft, id);
    hand_over(draft, id, transfer_to.filter(|_| transfer_assignments));
    draft.release_lost(&BTreeSet::new(), teams, Cause::TeammateRemoved);
    Ok(Done::Teammate { teammate: id.clone() })
}

fn leave_endpoints(draft: &mut Draft<'_>, id: &TeammateId, heir: Option<&Principal>) -> Result<(), Refusal> {
    let me = Principal::Teammate(id.clone());
    let concerned: Vec<_> =
        draft.organization().endpoints().filter(|at| at.principals().any(|p| *p == me)).cloned().collect();
    for mut endpoint in concerned {
        endpoint.members.remove(&me);
        if endpoint.owner == me {
            endpoint.owner = heir.ok_or(Refusal::TransferRequired)?.clone();
            endpoint.auto_assign = false;
        }
        draft.change(Change::Endpoint(endpoint));
    }
    Ok(())
}

fn leave_teams(draft: &mut Draft<'_>, id: &TeammateId) -> BTreeSet<Assignee> {
    let organization = draft.organization();
    let teams: Vec<_> =
        organization.teams_of(id).filter_map(|team| organization.team(team)).cloned().collect();
    let mut left = BTreeSet::new();
    for mut team in teams {
        team.members.remove(id);
        left.insert(Assignee::Team(team.id.clone()));
        draft.change(Change::Team(team));
    }
    left
}

/// What they hold goes to the heir as far as the heir may see it, and else to the shared mailbox (B31).
fn hand_over(draft: &mut Draft<'_>, id: &TeammateId, heir: Option<&Assignee>) {
    let organization = draft.organization();
    let holder = Assignee::Teammate(id.clone());
    let held = organization.shelf().held_by(&holder);
    let held: Vec<_> = held.filter_map(|id| organization.conversation(id)).cloned().collect();
    for conversation in held {
        let to = heir.filter(|heir| draft.organization().can_hold(heir, &conversation)).cloned();
        let mut edit = Edit::of((*conversation).clone());
        edit.assign(to, draft.actor.clone(), draft.at, Cause::TeammateRemoved);
        draft.put(edit);
    }
}

/// A teammate who has not left.
fn present(draft: &Draft<'_>, id: &TeammateId) -> Result<Teammate, Refusal> {
    let found = draft.organization().teammate(id);
    found.filter(|found| found.status != TeammateStatus::Removed).cloned().ok_or(Refusal::NotFound)
}

/// Decides a teammate; the first active one is an admin, so that there always is one.
fn put(draft: &mut Draft<'_>, mut teammate: Teammate) {
    if teammate.is_active() && draft.organization().active_teammates().next().is_none() {
        teammate.role = Role::Admin;
    }
    draft.change(Change::Teammate(teammate));
}
