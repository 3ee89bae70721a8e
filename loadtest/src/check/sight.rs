//! Who can see what at each position of an organization's log, by rules of a few lines. Knows nothing of how the hub
//! decides.
//!
//! Conversations with the same endpoint and the same members are seen by the same people: what changes is noted once
//! for each such *list*, however many conversations have it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rotunda_protocol::directory::{Role, TeammateStatus};
use rotunda_protocol::id::{EndpointId, TeamId, TeammateId};
use rotunda_protocol::principal::Principal;
use rotunda_protocol::push::Access;

/// An event's number in its organization's log.
pub(crate) type Seq = u64;

/// The number of a list.
pub(crate) type ListNumber = usize;

/// What lets teammates see a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct List {
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) members: Vec<Principal>,
}

/// A teammate, as far as it decides what they see.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    active: bool,
    admin: bool,
}

/// The directory as of the last event, and who could see what before.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    teammates: BTreeMap<TeammateId, Standing>,
    teams: BTreeMap<TeamId, BTreeSet<TeammateId>>,
    endpoints: BTreeMap<EndpointId, Vec<Principal>>,
    lists: Vec<List>,
    numbers: HashMap<List, ListNumber>,
    /// From when on a teammate can, or cannot, see what has a list. In order; before the first they cannot.
    turns: HashMap<TeammateId, Vec<Vec<(Seq, bool)>>>,
    /// Who may know of an endpoint at some time.
    known: BTreeSet<(TeammateId, EndpointId)>,
}

impl Sight {
    pub(crate) fn teammate(&mut self, id: TeammateId, role: Role, status: TeammateStatus) {
        let active = status == TeammateStatus::Active;
        self.teammates.insert(id, Standing { active, admin: active && role == Role::Admin });
    }

    pub(crate) fn team(&mut self, id: TeamId, members: Vec<TeammateId>, deleted: bool) {
        let members = if deleted { BTreeSet::new() } else { members.into_iter().collect() };
        self.teams.insert(id, members);
    }

    pub(crate) fn endpoint(&mut self, id: EndpointId, owner: Principal, mut members: Vec<Principal>) {
        members.push(owner);
        self.endpoints.insert(id, members);
    }

    /// The number of a list. A new one is looked at from this event on.
    pub(crate) fn list(&mut self, list: List, seq: Seq) -> ListNumber {
        if let Some(number) = self.numbers.get(&list) {
            return *number;
        }
        let number = self.lists.len();
        self.numbers.insert(list.clone(), number);
        self.lists.push(list);
        self.look_at(number, seq);
        number
    }

    /// Notes who can see what from this event on. To be called after each that changed teammates, teams or endpoints.
    pub(crate) fn look_around(&mut self, seq: Seq) {
        for number in 0..self.lists.len() {
            self.look_at(number, seq);
        }
        for (teammate, standing) in &self.teammates {
            for (endpoint, principals) in &self.endpoints {
                let may = standing.admin || standing.active && self.covers(principals, teammate);
                if may {
                    self.known.insert((teammate.clone(), endpoint.clone()));
                }
            }
        }
    }

    fn look_at(&mut self, number: ListNumber, seq: Seq) {
        let sees: Vec<(TeammateId, bool)> =
            self.teammates.keys().map(|id| (id.clone(), self.sees_now(id, &self.lists[number]))).collect();
        for (teammate, sees) in sees {
            let turns = self.turns.entry(teammate).or_default();
            turns.resize_with(turns.len().max(number + 1), Vec::new);
            if turns[number].last().map_or(sees, |(_, before)| *before != sees) {
                turns[number].push((seq, sees));
            }
        }
    }

    fn sees_now(&self, teammate: &TeammateId, list: &List) -> bool {
        let none = Vec::new();
        let by_endpoint = list.endpoint.as_ref().and_then(|id| self.endpoints.get(id)).unwrap_or(&none);
        self.teammates.get(teammate).is_some_and(|standing| standing.active)
            && (self.covers(by_endpoint, teammate) || self.covers(&list.members, teammate))
    }

    fn covers(&self, principals: &[Principal], teammate: &TeammateId) -> bool {
        principals.iter().any(|principal| match principal {
            Principal::Organization => true,
            Principal::Team(team) => self.teams.get(team).is_some_and(|team| team.contains(teammate)),
            Principal::Teammate(only) => only == teammate,
        })
    }

    /// A teammate could see what had a list, right after an event.
    pub(crate) fn saw_at(&self, teammate: &TeammateId, list: ListNumber, seq: Seq) -> bool {
        let turns = self.turns_of(teammate, list);
        let after = turns.partition_point(|(from, _)| *from <= seq);
        after > 0 && turns[after - 1].1
    }

    /// A teammate could see what had a list at some time from one event on, and before another.
    pub(crate) fn saw_within(&self, teammate: &TeammateId, list: ListNumber, from: Seq, before: Seq) -> bool {
        self.any_within(teammate, list, from, before, true)
    }

    /// A teammate could at some time in between not see it.
    pub(crate) fn missed_within(
        &self,
        teammate: &TeammateId,
        list: ListNumber,
        from: Seq,
        before: Seq,
    ) -> bool {
        self.any_within(teammate, list, from, before, false)
    }

    fn any_within(
        &self,
        teammate: &TeammateId,
        list: ListNumber,
        from: Seq,
        before: Seq,
        wanted: bool,
    ) -> bool {
        self.saw_at(teammate, list, from) == wanted
            || self
                .turns_of(teammate, list)
                .iter()
                .any(|(seq, sees)| *sees == wanted && from < *seq && *seq < before)
    }

    fn turns_of(&self, teammate: &TeammateId, list: ListNumber) -> &[(Seq, bool)] {
        self.turns.get(teammate).and_then(|turns| turns.get(list)).map_or(&[], Vec::as_slice)
    }

    /// A teammate may have known of an endpoint at some time.
    pub(crate) fn knew_of(&self, teammate: &TeammateId, endpoint: &EndpointId) -> bool {
        self.known.contains(&(teammate.clone(), endpoint.clone()))
    }

    /// The endpoints and teams by which a teammate sees what they see, as of the last event.
    pub(crate) fn access(&self, teammate: &TeammateId) -> Access {
        if !self.teammates.get(teammate).is_some_and(|standing| standing.active) {
            return Access::default();
        }
        let endpoints = self.endpoints.iter().filter(|(_, principals)| self.covers(principals, teammate));
        let teams = self.teams.iter().filter(|(_, members)| members.contains(teammate));
        Access {
            endpoints: endpoints.map(|(id, _)| id.clone()).collect(),
            teams: teams.map(|(id, _)| id.clone()).collect(),
        }
    }
}
