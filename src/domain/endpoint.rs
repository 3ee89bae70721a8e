//! Endpoints: who they belong to, who may use them, and what happens when that changes (R20–R26, R48–R61, E3,
//! E15, E19). A change is one event, however many conversations came in through the endpoint.

use std::collections::BTreeSet;

use rotunda_protocol::command::{Done, NewEndpoint, StillMember};
use rotunda_protocol::conversation::Cause;
use rotunda_protocol::id::EndpointId;
use rotunda_protocol::principal::Principal;
use rotunda_protocol::refusal::Refusal;

use super::address;
use super::directory::Endpoint;
use super::draft::Draft;
use super::event::Change;
use super::organization::Organization;
use super::writing::title;

/// The most endpoints an organization can have: nothing grows with them but the lists of endpoints (R55).
pub const ENDPOINTS_MAX: usize = 10_000;
/// The most additional members of one endpoint.
pub const ENDPOINT_MEMBERS_MAX: usize = 1_000;

/// What to change; what is none stays as it is.
pub struct Update<'a> {
    /// What teammates call it.
    pub label: Option<&'a str>,
    /// Who it belongs to.
    pub owner: Option<&'a Principal>,
    /// All its additional members.
    pub members: Option<&'a [Principal]>,
    /// Whether new conversations go to the owner's mailbox.
    pub auto_assign: Option<bool>,
    /// Even if nobody is left who may see it.
    pub force: bool,
}

/// Makes an endpoint.
pub fn create(draft: &mut Draft<'_>, new: &NewEndpoint) -> Result<Done, Refusal> {
    draft.administrator()?;
    let id: EndpointId = match &new.id {
        Some(id) => id.clone(),
        None => draft.mint(),
    };
    let address = address::normalize(new.kind, "address", &new.address)?;
    let organization = draft.organization();
    if organization.endpoint(&id).is_some() || organization.endpoint_at(&address).is_some() {
        return Err(Refusal::AlreadyExists);
    }
    if organization.sizes().endpoints >= ENDPOINTS_MAX {
        return Err(Refusal::invalid("endpoint", "an organization has at most 10000 endpoints"));
    }
    let endpoint = Endpoint {
        id: id.clone(),
        kind: new.kind,
        address,
        label: title("label", &new.label)?,
        owner: new.owner.clone(),
        members: new.members.iter().cloned().collect(),
        auto_assign: new.auto_assign,
    };
    check(draft, &endpoint)?;
    draft.change(Change::Endpoint(endpoint));
    Ok(Done::Endpoint { endpoint: id, still: Vec::new() })
}

/// Changes an endpoint: admins any, others those they own (R24).
pub fn update(draft: &mut Draft<'_>, id: &EndpointId, update: &Update<'_>) -> Result<Done, Refusal> {
    let before = draft.endpoint(id)?.clone();
    if !draft.caller().is_some_and(|caller| draft.organization().owns(caller, &before)) {
        draft.administrator()?;
    }
    let after = changed(&before, update)?;
    if after == before {
        return Ok(Done::Unchanged);
    }
    check(draft, &after)?;
    let moved = after.owner != before.owner || after.members != before.members;
    if moved && !update.force && draft.organization().is_orphan(after.principals()) {
        return Err(Refusal::WouldOrphan);
    }
    draft.change(Change::Endpoint(after.clone()));
    if moved {
        release(draft, &before, &after);
    }
    // Whoever gave it away is told nothing of it any more.
    let still = draft.endpoint(id).map_or(Vec::new(), |_| still_members(draft.organization(), id));
    Ok(Done::Endpoint { endpoint: id.clone(), still })
}

fn changed(before: &Endpoint, update: &Update<'_>) -> Result<Endpoint, Refusal> {
    let mut after = before.clone();
    if let Some(label) = update.label {
        after.label = title("label", label)?;
    }
    if let Some(owner) = update.owner.filter(|owner| **owner != before.owner) {
        after.owner = owner.clone();
        after.auto_assign = false;
    }
    if let Some(members) = update.members {
        after.members = members.iter().cloned().collect();
    }
    if let Some(auto_assign) = update.auto_assign {
        after.auto_assign = auto_assign;
    }
    Ok(after)
}

fn check(draft: &Draft<'_>, endpoint: &Endpoint) -> Result<(), Refusal> {
    if endpoint.members.len() > ENDPOINT_MEMBERS_MAX {
        return Err(Refusal::invalid("members", "an endpoint has at most 1000 additional members"));
    }
    if endpoint.auto_assign && endpoint.owner == Principal::Organization {
        return Err(Refusal::invalid("auto_assign", "needs a team or a teammate as owner"));
    }
    endpoint.principals().try_for_each(|principal| draft.existing(principal))
}

/// Whoever lost the endpoint lets go of what they hold and may no longer see (E2, E3).
fn release(draft: &mut Draft<'_>, before: &Endpoint, after: &Endpoint) {
    let organization = draft.organization();
    let can = organization.listed(after.principals());
    let lost = organization.listed(before.principals()).difference(&can).cloned().collect();
    draft.release_lost(&lost, BTreeSet::new(), Cause::LostAccess);
}

/// Who still sees some of an endpoint's open conversations, because they were added one by one (E15). Costs those,
/// not the conversations.
fn still_members(organization: &Organization, endpoint: &EndpointId) -> Vec<StillMember> {
    let added = organization.shelf().added(endpoint);
    let still = added.filter(|(member, _)| !organization.listed([*member]).is_empty());
    still.map(|(member, conversations)| StillMember { member: member.clone(), conversations }).collect()
}
