//! A practice: its people, its teams, and the lines and links that patients reach it by.

use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{NewEndpoint, NewOrganization, NewTeam, NewTeammate};
use rotunda_protocol::directory::{EndpointKind, OrganizationKind, Role};
use rotunda_protocol::id::{EndpointId, OrganizationId, TeamId, TeammateId};
use rotunda_protocol::principal::Principal;
use serde::{Deserialize, Serialize};

/// Teammates of whom one has a link of their own.
const OWN_LINK_EVERY: usize = 4;
/// The size of a team, about.
const TEAM: usize = 8;

/// The id of a teammate by their number.
pub(crate) fn teammate(number: usize) -> TeammateId {
    format!("t{number}").parse().expect("an id")
}

/// The id of a team by its number.
pub(crate) fn team(number: usize) -> TeamId {
    format!("team{number}").parse().expect("an id")
}

/// The id of an endpoint by its number.
pub(crate) fn endpoint(number: usize) -> EndpointId {
    format!("e{number}").parse().expect("an id")
}

/// A process's part in an organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Share {
    pub(crate) id: OrganizationId,
    pub(crate) practice: Practice,
    /// The sessions here: whose, and how they speak.
    pub(crate) seats: Vec<Seat>,
    /// This process sets the organization up and makes things happen in it. Of several that share one, one does.
    pub(crate) drives: bool,
}

/// A session to be.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Seat {
    /// The teammate's number.
    pub(crate) teammate: usize,
    /// It speaks JSON, not MessagePack.
    pub(crate) json: bool,
}

impl Seat {
    pub(crate) fn codec(self) -> Codec {
        if self.json { Codec::Json } else { Codec::MessagePack }
    }
}

/// How an organization is made.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Practice {
    pub(crate) teammates: usize,
    pub(crate) kind: PracticeKind,
    /// Conversations that are there from the start.
    pub(crate) conversations: usize,
}

/// Who may see what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PracticeKind {
    /// One line that everybody answers.
    Open,
    /// A line for everybody, a link for each team, and some teammates with links of their own.
    Real,
}

impl Practice {
    /// How many teams there are.
    pub(crate) fn teams(self) -> usize {
        match self.kind {
            PracticeKind::Open => 0,
            PracticeKind::Real if self.teammates < 3 => 0,
            PracticeKind::Real => self.teammates.div_ceil(TEAM).max(2),
        }
    }

    fn own_links(self) -> usize {
        match self.kind {
            PracticeKind::Open => 0,
            PracticeKind::Real => self.teammates.div_ceil(OWN_LINK_EVERY),
        }
    }

    /// How many endpoints there are: the line first, then the teams' links, then teammates' own.
    pub(crate) fn endpoints(self) -> usize {
        1 + self.teams() + self.own_links()
    }

    /// Where patients reach an endpoint.
    pub(crate) fn address(number: usize) -> String {
        if number == 0 { "+14155550100".into() } else { format!("link-{number}") }
    }

    /// Where a patient writes from to an endpoint.
    pub(crate) fn patient(number: usize, patient: usize) -> String {
        if number == 0 { format!("+1628{patient:07}") } else { format!("patient{patient}@example.org") }
    }

    /// Everybody is in the team of their number, and every fourth in the next one as well: people cover for each other.
    fn members(self, number: usize) -> Vec<TeammateId> {
        let teams = self.teams();
        let is_in = |teammate: &usize| {
            teammate % teams == number || teammate.is_multiple_of(4) && (teammate + 1) % teams == number
        };
        (0..self.teammates).filter(is_in).map(teammate).collect()
    }

    /// What it is set up with.
    pub(crate) fn provision(self) -> NewOrganization {
        let teammates = (0..self.teammates).map(|number| NewTeammate {
            id: Some(teammate(number)),
            name: format!("Teammate Number{number}"),
            role: if number == 0 { Role::Admin } else { Role::Member },
            active: true,
        });
        let teams = (0..self.teams()).map(|number| NewTeam {
            id: Some(team(number)),
            name: format!("Team {number}"),
            members: self.members(number),
        });
        NewOrganization {
            name: "A practice of a load test".into(),
            kind: OrganizationKind::Team,
            teammates: teammates.collect(),
            teams: teams.collect(),
            endpoints: (0..self.endpoints()).map(|number| self.new_endpoint(number)).collect(),
        }
    }

    fn new_endpoint(self, number: usize) -> NewEndpoint {
        let teams = self.teams();
        let (label, owner, auto_assign) = match number {
            0 => ("Main line".into(), Principal::Organization, false),
            number if number <= teams => {
                (format!("Team {}", number - 1), Principal::Team(team(number - 1)), number % 2 == 0)
            }
            number => {
                let owner = (number - 1 - teams) * OWN_LINK_EVERY;
                (format!("Own link of {owner}"), Principal::Teammate(teammate(owner)), true)
            }
        };
        NewEndpoint {
            id: Some(endpoint(number)),
            kind: if number == 0 { EndpointKind::Phone } else { EndpointKind::Link },
            address: Self::address(number),
            label,
            owner,
            members: vec![],
            auto_assign,
        }
    }
}
