//! What an organization consists of besides conversations, as its log has it.

use std::collections::BTreeSet;

use rotunda_protocol::directory as wire;
use rotunda_protocol::directory::{EndpointKind, Features, OrganizationKind, Policy, Role, TeammateStatus};
use rotunda_protocol::id::{EndpointId, TeamId, TeammateId};
use rotunda_protocol::principal::Principal;
use serde::{Deserialize, Serialize};

/// The organization's own settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it was set up as.
    pub kind: OrganizationKind,
    /// What is switched on.
    pub features: Features,
    /// How borderline cases are handled.
    pub policy: Policy,
}

/// A teammate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Teammate {
    /// Their id.
    pub id: TeammateId,
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// Where they are in their time here.
    pub status: TeammateStatus,
}

impl Teammate {
    /// May sign in and see what their memberships show.
    pub fn is_active(&self) -> bool {
        self.status == TeammateStatus::Active
    }

    /// May administer: active, and an admin.
    pub fn is_admin(&self) -> bool {
        self.is_active() && self.role == Role::Admin
    }

    /// As the roster shows them; the role only to those who may know it.
    pub fn to_wire(&self, with_role: bool) -> wire::Teammate {
        wire::Teammate {
            id: self.id.clone(),
            name: self.name.clone(),
            initials: initials(&self.name),
            status: self.status,
            role: with_role.then_some(self.role),
        }
    }
}

/// The first letters of the first and the last word of a name.
fn initials(name: &str) -> String {
    let mut words = name.split_whitespace();
    let first = words.next().and_then(|word| word.chars().next());
    let last = words.next_back().and_then(|word| word.chars().next());
    first.into_iter().chain(last).flat_map(char::to_uppercase).collect()
}

/// A team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name.
    pub name: String,
    /// Who is in it; empty once it is deleted.
    pub members: BTreeSet<TeammateId>,
    /// It no longer exists.
    pub deleted: bool,
}

impl Team {
    /// As every teammate sees it.
    pub fn to_wire(&self) -> wire::Team {
        wire::Team {
            id: self.id.clone(),
            name: self.name.clone(),
            members: self.members.iter().cloned().collect(),
            deleted: self.deleted,
        }
    }
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// What it is.
    pub kind: EndpointKind,
    /// Its address, normalised.
    pub address: String,
    /// What teammates call it.
    pub label: String,
    /// Who it belongs to; a member whatever `members` says (R56).
    pub owner: Principal,
    /// Who else is a member (R57).
    pub members: BTreeSet<Principal>,
    /// New conversations go to the owner's mailbox; never while the organization is the owner (R22).
    pub auto_assign: bool,
}

impl Endpoint {
    /// Everybody on its access list.
    pub fn principals(&self) -> impl Iterator<Item = &Principal> {
        std::iter::once(&self.owner).chain(&self.members)
    }

    /// As those who may use or administer it see it.
    pub fn to_wire(&self) -> wire::Endpoint {
        wire::Endpoint {
            id: self.id.clone(),
            kind: self.kind,
            address: self.address.clone(),
            label: self.label.clone(),
            owner: self.owner.clone(),
            members: self.members.iter().cloned().collect(),
            auto_assign: self.auto_assign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_come_from_the_first_and_the_last_word() {
        for (name, expected) in
            [("Ada Lovelace", "AL"), ("ada", "A"), ("Ana de la Cruz", "AC"), ("", ""), ("émile zola", "ÉZ")]
        {
            assert_eq!(initials(name), expected, "{name}");
        }
    }
}
