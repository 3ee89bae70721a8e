//! Teams (R27–R32, E4, E18). Who joins sees what the team sees, from the beginning; who leaves no longer does,
//! except what they see by other ways.

use std::collections::BTreeSet;

use rotunda_protocol::command::{Done, NewTeam};
use rotunda_protocol::conversation::Cause;
use rotunda_protocol::id::{TeamId, TeammateId};
use rotunda_protocol::principal::{Assignee, Principal};
use rotunda_protocol::refusal::Refusal;

use super::directory::Team;
use super::draft::Draft;
use super::event::Change;
use super::writing::title;

/// The most teams an organization can have, deleted ones included.
pub const TEAMS_MAX: usize = 1_000;

/// Makes a team.
pub fn create(draft: &mut Draft<'_>, new: &NewTeam) -> Result<Done, Refusal> {
    draft.administrator()?;
    let name = title("name", &new.name)?;
    let id: TeamId = match &new.id {
        Some(id) => id.clone(),
        None => draft.mint(),
    };
    if draft.organization().team(&id).is_some() {
        return Err(Refusal::AlreadyExists);
    }
    if draft.organization().sizes().teams >= TEAMS_MAX {
        return Err(Refusal::invalid("team", "an organization has at most 1000 teams"));
    }
    all_exist(draft, &new.members)?;
    let members = new.members.iter().cloned().collect();
    draft.change(Change::Team(Team { id: id.clone(), name, members, deleted: false }));
    Ok(Done::Team { team: id })
}

/// Changes a team's name or who is in it.
pub fn update(
    draft: &mut Draft<'_>,
    id: &TeamId,
    name: Option<&str>,
    add: &[TeammateId],
    remove: &[TeammateId],
) -> Result<Done, Refusal> {
    draft.administrator()?;
    let before = existing(draft, id)?;
    all_exist(draft, add)?;
    let mut team = before.clone();
    if let Some(name) = name {
        team.name = title("name", name)?;
    }
    team.members.retain(|member| !remove.contains(member));
    team.members.extend(add.iter().cloned());
    if team == before {
        return Ok(Done::Unchanged);
    }
    let left: BTreeSet<TeammateId> = before.members.difference(&team.members).cloned().collect();
    draft.change(Change::Team(team));
    if !left.is_empty() {
        let teams = BTreeSet::from([Assignee::Team(id.clone())]);
        draft.release_lost(&left, teams, Cause::LostAccess);
    }
    Ok(Done::Team { team: id.clone() })
}

/// Deletes a team. Endpoints it owns go to somebody else; its members lose only what came through it (E4).
pub fn delete(draft: &mut Draft<'_>, id: &TeamId, transfer_to: Option<&Principal>) -> Result<Done, Refusal> {
    draft.administrator()?;
    let team = existing(draft, id)?;
    let me = Principal::Team(id.clone());
    if let Some(heir) = transfer_to {
        draft.existing(heir)?;
        if *heir == me {
            return Err(Refusal::invalid("transfer_to", "is the team that is deleted"));
        }
    }
    let concerned: Vec<_> =
        draft.organization().endpoints().filter(|at| at.principals().any(|p| *p == me)).cloned().collect();
    for mut endpoint in concerned {
        endpoint.members.remove(&me);
        if endpoint.owner == me {
            endpoint.owner = transfer_to.ok_or(Refusal::TransferRequired)?.clone();
            endpoint.auto_assign = false;
        }
        draft.change(Change::Endpoint(endpoint));
    }
    let members = team.members.clone();
    draft.change(Change::Team(Team { members: BTreeSet::new(), deleted: true, ..team }));
    draft.release_lost(&BTreeSet::new(), BTreeSet::from([Assignee::Team(id.clone())]), Cause::TeamDeleted);
    draft.release_lost(&members, BTreeSet::new(), Cause::LostAccess);
    Ok(Done::Team { team: id.clone() })
}

fn existing(draft: &Draft<'_>, id: &TeamId) -> Result<Team, Refusal> {
    draft.organization().team(id).filter(|team| !team.deleted).cloned().ok_or(Refusal::NotFound)
}

fn all_exist(draft: &Draft<'_>, members: &[TeammateId]) -> Result<(), Refusal> {
    members.iter().try_for_each(|member| draft.existing(&Principal::Teammate(member.clone())))
}
