//! Who may see what. Everything that tells anybody anything asks [`Organization::can_see`], or one of the
//! questions here that are built on the same line: [`Organization::covers`].

use std::collections::BTreeSet;

use rotunda_protocol::directory::TeammateStatus;
use rotunda_protocol::id::{EndpointId, TeamId, TeammateId};
use rotunda_protocol::principal::{Assignee, Principal};
pub use rotunda_protocol::push::Access;

use super::conversation::Conversation;
use super::directory::Endpoint;
use super::event::Seq;
use super::organization::Organization;

/// A set of active teammates. There is no empty set that means everyone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Staff {
    /// Every active teammate.
    Everyone,
    /// These.
    These(BTreeSet<TeammateId>),
}

impl Organization {
    /// The single predicate: an active teammate whom the conversation's endpoint or its own member list covers.
    pub fn can_see(&self, teammate: &TeammateId, conversation: &Conversation) -> bool {
        self.is_active(teammate) && self.access_list_covers(teammate, conversation)
    }

    /// May write and call through an endpoint, and sees everything that comes in through it (R51, R58).
    pub fn can_use(&self, teammate: &TeammateId, endpoint: &Endpoint) -> bool {
        self.is_active(teammate) && endpoint.principals().any(|principal| self.covers(principal, teammate))
    }

    /// May see that an endpoint exists, and how it is set up: its members and the admins.
    pub fn can_view(&self, teammate: &TeammateId, endpoint: &Endpoint) -> bool {
        self.is_admin(teammate) || self.can_use(teammate, endpoint)
    }

    /// Owns an endpoint, in person or by a team. What the organization owns is for admins (R24).
    pub fn owns(&self, teammate: &TeammateId, endpoint: &Endpoint) -> bool {
        endpoint.owner != Principal::Organization && self.covers(&endpoint.owner, teammate)
    }

    /// Stands on a conversation's access list, whether they may sign in just now or not (E7).
    pub fn access_list_covers(&self, teammate: &TeammateId, conversation: &Conversation) -> bool {
        let endpoint = conversation.endpoint().and_then(|id| self.endpoint(id));
        endpoint.into_iter().flat_map(Endpoint::principals).any(|principal| self.covers(principal, teammate))
            || conversation.members.iter().any(|principal| self.covers(principal, teammate))
    }

    /// A principal stands for this teammate.
    pub fn covers(&self, principal: &Principal, teammate: &TeammateId) -> bool {
        match principal {
            Principal::Organization => self.works_here(teammate),
            Principal::Team(team) => {
                self.team(team).is_some_and(|known| !known.deleted && known.members.contains(teammate))
            }
            Principal::Teammate(id) => id == teammate && self.works_here(teammate),
        }
    }

    /// Was invited, and has not left.
    fn works_here(&self, teammate: &TeammateId) -> bool {
        self.teammate(teammate).is_some_and(|known| known.status != TeammateStatus::Removed)
    }

    /// Everybody who may see a conversation.
    pub fn staff(&self, conversation: &Conversation) -> Staff {
        let endpoint = conversation.endpoint().and_then(|id| self.endpoint(id));
        self.expand(endpoint.into_iter().flat_map(Endpoint::principals).chain(&conversation.members))
    }

    /// Every active teammate whom one of these principals stands for.
    pub fn expand<'a>(&self, principals: impl IntoIterator<Item = &'a Principal>) -> Staff {
        let mut these = BTreeSet::new();
        for principal in principals {
            match principal {
                Principal::Organization => return Staff::Everyone,
                Principal::Team(id) => {
                    let members = self.team(id).into_iter().flat_map(|team| &team.members);
                    these.extend(members.filter(|id| self.is_active(id)).cloned());
                }
                Principal::Teammate(id) => {
                    if self.is_active(id) {
                        these.insert(id.clone());
                    }
                }
            }
        }
        Staff::These(these)
    }

    /// Every teammate whom one of these principals stands for, whether they may sign in just now or not (E7).
    pub fn listed<'a>(&self, principals: impl IntoIterator<Item = &'a Principal>) -> BTreeSet<TeammateId> {
        let mut listed = BTreeSet::new();
        for principal in principals {
            match principal {
                Principal::Organization => {
                    let ids = self.teammates().map(|kept| &kept.value.id);
                    listed.extend(ids.filter(|id| self.covers(principal, id)).cloned());
                }
                Principal::Team(id) => {
                    let members = self.team(id).into_iter().flat_map(|team| &team.members);
                    listed.extend(members.cloned());
                }
                Principal::Teammate(id) => listed.extend(self.covers(principal, id).then(|| id.clone())),
            }
        }
        listed
    }

    /// The members of a staff, one by one.
    pub fn members_of(&self, staff: Staff) -> BTreeSet<TeammateId> {
        match staff {
            Staff::These(these) => these,
            Staff::Everyone => self.active_teammates().map(|teammate| teammate.id.clone()).collect(),
        }
    }

    /// Nobody is left who may see it.
    pub fn is_orphan<'a>(&self, principals: impl IntoIterator<Item = &'a Principal>) -> bool {
        match self.expand(principals) {
            Staff::Everyone => self.active_teammates().next().is_none(),
            Staff::These(these) => these.is_empty(),
        }
    }

    /// What a teammate may see as a whole.
    pub fn access(&self, teammate: &TeammateId) -> Access {
        if !self.is_active(teammate) {
            return Access::default();
        }
        Access {
            endpoints: self.endpoints_of(teammate).map(|endpoint| endpoint.id.clone()).collect(),
            teams: self.teams_of(teammate).cloned().collect(),
        }
    }

    /// The endpoints a teammate may use.
    pub fn endpoints_of(&self, teammate: &TeammateId) -> impl Iterator<Item = &Endpoint> {
        let teammate = teammate.clone();
        self.endpoints().filter(move |endpoint| self.can_use(&teammate, endpoint))
    }

    /// The principals that stand for a teammate (R29).
    pub fn principals_of(&self, teammate: &TeammateId) -> Vec<Principal> {
        let teams = self.teams_of(teammate).cloned().map(Principal::Team);
        [Principal::Organization, Principal::Teammate(teammate.clone())].into_iter().chain(teams).collect()
    }

    /// A team of theirs changed after a position. Who left it and came back, while a conversation ceased to be the
    /// team's, was never told that it is gone: a client of theirs that knows only that position starts over.
    pub fn rejoined_since(&self, teammate: &TeammateId, since: Seq) -> bool {
        self.teams().any(|kept| kept.changed > since && kept.value.members.contains(teammate))
    }

    /// Whether an assignee may hold a conversation (invariant 1): a teammate who may see it, or a team of which
    /// somebody may.
    pub fn can_hold(&self, assignee: &Assignee, conversation: &Conversation) -> bool {
        match assignee {
            Assignee::Teammate(id) => self.can_see(id, conversation),
            Assignee::Team(id) => self.team(id).is_some_and(|team| {
                !team.deleted && team.members.iter().any(|member| self.can_see(member, conversation))
            }),
        }
    }

    /// Whether an assignee may go on holding it: somebody suspended keeps what they hold (E7).
    pub fn can_keep(&self, assignee: &Assignee, conversation: &Conversation) -> bool {
        match assignee {
            Assignee::Teammate(id) => self.access_list_covers(id, conversation),
            Assignee::Team(id) => self.team(id).is_some_and(|team| {
                !team.deleted
                    && team.members.iter().any(|member| self.access_list_covers(member, conversation))
            }),
        }
    }
}

/// What is in one and not in the other.
pub fn difference(of: &Access, without: &Access) -> Access {
    fn less<T: Ord + Clone>(of: &[T], without: &[T]) -> Vec<T> {
        of.iter().filter(|item| without.binary_search(item).is_err()).cloned().collect()
    }
    Access {
        endpoints: less::<EndpointId>(&of.endpoints, &without.endpoints),
        teams: less::<TeamId>(&of.teams, &without.teams),
    }
}
