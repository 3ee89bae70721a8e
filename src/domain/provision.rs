//! Setting up an organization, and its switches (R14, R37, C5, E20).

use rotunda_protocol::command::{Done, NewOrganization};
use rotunda_protocol::directory::{AssignNonMember, Features, OrganizationKind, Policy};
use rotunda_protocol::refusal::Refusal;

use super::directory::Profile;
use super::draft::Draft;
use super::event::Change;
use super::writing::title;
use super::{endpoint, team, teammate};

/// Sets up an organization with whoever and whatever it starts with, in one step.
pub fn provision(draft: &mut Draft<'_>, new: &NewOrganization) -> Result<Done, Refusal> {
    draft.back_office()?;
    if draft.organization().profile().is_some() {
        return Err(Refusal::AlreadyExists);
    }
    let assignment = new.kind == OrganizationKind::Team;
    draft.change(Change::Organization(Profile {
        name: title("name", &new.name)?,
        kind: new.kind,
        features: Features { assignment, viewing: true, typing: true },
        policy: Policy { assign_non_member: AssignNonMember::Reject, reply_claims: false },
    }));
    for new in &new.teammates {
        teammate::add(draft, new)?;
    }
    for new in &new.teams {
        team::create(draft, new)?;
    }
    for new in &new.endpoints {
        endpoint::create(draft, new)?;
    }
    Ok(Done::Organization)
}

/// Turns switches. Whether conversations can be assigned is for the back office (R14); the rest is for admins.
pub fn set(
    draft: &mut Draft<'_>,
    features: Option<Features>,
    policy: Option<Policy>,
) -> Result<Done, Refusal> {
    draft.administrator()?;
    let before = draft.organization().profile().cloned().ok_or(Refusal::NotFound)?;
    let after = Profile {
        features: features.unwrap_or(before.features),
        policy: policy.unwrap_or(before.policy),
        ..before.clone()
    };
    if after.features.assignment != before.features.assignment {
        draft.back_office()?;
    }
    if after == before {
        return Ok(Done::Unchanged);
    }
    draft.change(Change::Organization(after));
    Ok(Done::Organization)
}
