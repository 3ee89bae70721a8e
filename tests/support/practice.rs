//! A practice that tests share: who works there, and who may see what.

use rotunda_protocol::command::{NewEndpoint, NewOrganization, NewTeam, NewTeammate};
use rotunda_protocol::directory::{EndpointKind, OrganizationKind, Role};

pub(crate) const ORGANIZATION: &str = "bayview";
/// Everybody's number.
pub(crate) const MAIN: &str = "+14155550100";
/// Ben's own number, with auto-assignment. Nobody else sees it.
pub(crate) const BENS: &str = "+14155550101";
/// The desk team's link: ben and cyd, with auto-assignment to the team.
pub(crate) const DESK: &str = "front-desk";

pub(crate) fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

/// ada (an admin), ben, cyd, dee and eve, and as many more (`t0`, `t1` …) as a test needs.
pub(crate) fn bayview(more: usize) -> NewOrganization {
    let names = ["ada", "ben", "cyd", "dee", "eve"].map(String::from).into_iter();
    let names = names.chain((0..more).map(|n| format!("t{n}")));
    let teammate = |name: String| NewTeammate {
        id: Some(id(&name)),
        role: if name == "ada" { Role::Admin } else { Role::Member },
        name,
        active: true,
    };
    let endpoint = |name: &str, kind, address: &str, owner: &str, auto_assign| NewEndpoint {
        id: Some(id(name)),
        kind,
        address: address.into(),
        label: name.into(),
        owner: id(owner),
        members: vec![],
        auto_assign,
    };
    NewOrganization {
        name: "Bayview".into(),
        kind: OrganizationKind::Team,
        teammates: names.map(teammate).collect(),
        teams: vec![NewTeam {
            id: Some(id("desk")),
            name: "Front desk".into(),
            members: vec![id("ben"), id("cyd")],
        }],
        endpoints: vec![
            endpoint("main", EndpointKind::Phone, MAIN, "organization", false),
            endpoint("bens", EndpointKind::Phone, BENS, "teammate:ben", true),
            endpoint("desk-link", EndpointKind::Link, DESK, "team:desk", true),
        ],
    }
}
