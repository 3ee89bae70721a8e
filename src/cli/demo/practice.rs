//! The demo's practice: who works there, and how patients reach them. Whoever it resembles does so by accident.

use rotunda_protocol::command::{NewEndpoint, NewOrganization, NewTeam, NewTeammate};
use rotunda_protocol::directory::{EndpointKind, OrganizationKind, Role};
use rotunda_protocol::id::{OrganizationId, TeammateId};
use rotunda_protocol::principal::Principal;

/// The practice's id.
pub(super) const ORGANIZATION: &str = "lakeside";

const TEAMMATES: [(&str, &str); 12] = [
    ("ada", "Ada Okafor"),
    ("ben", "Ben Ortiz"),
    ("cleo", "Cleo Marsh"),
    ("dara", "Dara Quinn"),
    ("eli", "Eli Novak"),
    ("faye", "Faye Lindgren"),
    ("gus", "Gus Petrov"),
    ("hana", "Hana Sato"),
    ("ivan", "Ivan Reyes"),
    ("june", "June Park"),
    ("kofi", "Kofi Mensah"),
    ("lena", "Lena Fischer"),
];

const ADMINS: [&str; 2] = ["ada", "hana"];

const CARE: &[&str] = &["ada", "cleo", "eli", "hana", "june", "kofi"];
const FRONT_DESK: &[&str] = &["ben", "faye", "gus", "ivan", "lena"];

/// A way in for patients.
pub(super) struct WayIn {
    id: &'static str,
    pub(super) kind: EndpointKind,
    pub(super) address: &'static str,
    label: &'static str,
    owner: &'static str,
    members: &'static [&'static str],
    pub(super) auto_assign: bool,
    /// How many of a hundred conversations come through it.
    pub(super) share: usize,
}

/// Two phone numbers that only one team sees, and links of three people: ada and ben see different inboxes.
pub(super) const WAYS_IN: [WayIn; 7] = [
    WayIn {
        id: "main-line",
        kind: EndpointKind::Phone,
        address: "+14155550100",
        label: "Main line",
        owner: "organization",
        members: &[],
        auto_assign: false,
        share: 35,
    },
    WayIn {
        id: "nurse-line",
        kind: EndpointKind::Phone,
        address: "+14155550101",
        label: "Nurse line",
        owner: "team:care",
        members: &[],
        auto_assign: false,
        share: 18,
    },
    WayIn {
        id: "billing-line",
        kind: EndpointKind::Phone,
        address: "+14155550102",
        label: "Billing",
        owner: "team:front-desk",
        members: &[],
        auto_assign: true,
        share: 12,
    },
    WayIn {
        id: "new-patients",
        kind: EndpointKind::Link,
        address: "lakeside",
        label: "New patients",
        owner: "organization",
        members: &[],
        auto_assign: false,
        share: 15,
    },
    WayIn {
        id: "dr-okafor",
        kind: EndpointKind::Link,
        address: "dr-okafor",
        label: "Dr. Okafor",
        owner: "teammate:ada",
        members: &[],
        auto_assign: true,
        share: 8,
    },
    WayIn {
        id: "travel-clinic",
        kind: EndpointKind::Link,
        address: "travel-clinic",
        label: "Travel clinic",
        owner: "teammate:cleo",
        members: &["teammate:ben", "teammate:june"],
        auto_assign: false,
        share: 7,
    },
    WayIn {
        id: "counselling",
        kind: EndpointKind::Link,
        address: "counselling",
        label: "Counselling",
        owner: "teammate:dara",
        members: &["teammate:eli"],
        auto_assign: false,
        share: 5,
    },
];

impl WayIn {
    /// Who may see what comes through it, in a fixed order.
    pub(super) fn staff(&self) -> Vec<TeammateId> {
        let lists = std::iter::once(&self.owner).chain(self.members);
        let mut staff: Vec<_> = lists
            .flat_map(|principal| match *principal {
                "organization" => TEAMMATES.map(|(id, _)| id).to_vec(),
                "team:care" => CARE.to_vec(),
                "team:front-desk" => FRONT_DESK.to_vec(),
                one => vec![one.trim_start_matches("teammate:")],
            })
            .collect();
        staff.sort_unstable();
        staff.into_iter().map(teammate).collect()
    }
}

/// The practice's id, read.
pub(super) fn organization() -> OrganizationId {
    ORGANIZATION.parse().expect("the demo's ids are ids")
}

/// A teammate's id, read.
pub(super) fn teammate(id: &str) -> TeammateId {
    id.parse().expect("the demo's ids are ids")
}

fn principal(text: &str) -> Principal {
    text.parse().expect("the demo's principals are principals")
}

/// The practice as it is set up.
pub(super) fn practice() -> NewOrganization {
    let role = |id| if ADMINS.contains(&id) { Role::Admin } else { Role::Member };
    let teammates = TEAMMATES.into_iter().map(|(id, name)| NewTeammate {
        id: Some(teammate(id)),
        name: name.into(),
        role: role(id),
        active: true,
    });
    let team = |id: &str, name: &str, members: &[&str]| NewTeam {
        id: Some(id.parse().expect("the demo's ids are ids")),
        name: name.into(),
        members: members.iter().map(|id| teammate(id)).collect(),
    };
    let endpoints = WAYS_IN.iter().map(|way_in| NewEndpoint {
        id: Some(way_in.id.parse().expect("the demo's ids are ids")),
        kind: way_in.kind,
        address: way_in.address.into(),
        label: way_in.label.into(),
        owner: principal(way_in.owner),
        members: way_in.members.iter().map(|member| principal(member)).collect(),
        auto_assign: way_in.auto_assign,
    });
    NewOrganization {
        name: "Lakeside Family Practice (demo)".into(),
        kind: OrganizationKind::Team,
        teammates: teammates.collect(),
        teams: vec![team("care", "Care team", CARE), team("front-desk", "Front desk", FRONT_DESK)],
        endpoints: endpoints.collect(),
    }
}
