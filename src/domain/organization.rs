//! An organization as its log has made it up to a position. A clone is a snapshot and costs nothing:
//! the copies share everything until one of them changes.

use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};
use rotunda_protocol::directory as wire;
use rotunda_protocol::id::{ConversationId, EndpointId, OrganizationId, TeamId, TeammateId};

use super::conversation::Conversation;
use super::directory::{Endpoint, Profile, Team, Teammate};
use super::event::{Change, ConversationChange, Event, Seq};
use super::shelf::{Kept, Shelf};
use super::tag;

/// An organization, as of a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    id: OrganizationId,
    seq: Seq,
    profile: Option<Kept<Profile>>,
    /// The newest event from which a client cannot be caught up: every row changed without a change of its own.
    reset: Seq,
    teammates: OrdMap<TeammateId, Kept<Teammate>>,
    active: OrdSet<TeammateId>,
    teams: OrdMap<TeamId, Kept<Team>>,
    memberships: HashMap<TeammateId, OrdSet<TeamId>>,
    endpoints: OrdMap<EndpointId, Kept<Endpoint>>,
    addresses: HashMap<String, EndpointId>,
    tags: HashMap<String, String>,
    shelf: Shelf,
}

/// How much an organization has of what is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Teammates.
    pub teammates: usize,
    /// Teams.
    pub teams: usize,
    /// Endpoints.
    pub endpoints: usize,
    /// Words used as tags.
    pub tags: usize,
}

impl Organization {
    /// An organization whose log is empty: it does not exist yet.
    pub fn empty(id: OrganizationId) -> Self {
        Self {
            id,
            seq: Seq(0),
            profile: None,
            reset: Seq(0),
            teammates: OrdMap::new(),
            active: OrdSet::new(),
            teams: OrdMap::new(),
            memberships: HashMap::new(),
            endpoints: OrdMap::new(),
            addresses: HashMap::new(),
            tags: HashMap::new(),
            shelf: Shelf::default(),
        }
    }

    /// How many of each it has, those who left and what was deleted included.
    pub fn sizes(&self) -> Sizes {
        Sizes {
            teammates: self.teammates.len(),
            teams: self.teams.len(),
            endpoints: self.endpoints.len(),
            tags: self.tags.len(),
        }
    }

    /// Its id.
    pub fn id(&self) -> &OrganizationId {
        &self.id
    }

    /// The number of the newest event in it.
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// Its settings; none until it was provisioned.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref().map(|kept| &*kept.value)
    }

    /// Conversations can be claimed and assigned (R14).
    pub fn assignment(&self) -> bool {
        self.profile().is_some_and(|profile| profile.features.assignment)
    }

    /// A client whose position is older than this has to start over.
    pub fn reset(&self) -> Seq {
        self.reset
    }

    /// A teammate, whatever their status.
    pub fn teammate(&self, id: &TeammateId) -> Option<&Teammate> {
        self.teammates.get(id).map(|kept| &*kept.value)
    }

    /// All teammates that ever were, with their last change.
    pub fn teammates(&self) -> impl Iterator<Item = &Kept<Teammate>> {
        self.teammates.values()
    }

    /// Those who may sign in.
    pub fn active_teammates(&self) -> impl Iterator<Item = &Teammate> {
        self.active.iter().filter_map(|id| self.teammate(id))
    }

    /// May sign in.
    pub fn is_active(&self, id: &TeammateId) -> bool {
        self.active.contains(id)
    }

    /// May administer.
    pub fn is_admin(&self, id: &TeammateId) -> bool {
        self.teammate(id).is_some_and(Teammate::is_admin)
    }

    /// A team, deleted ones too.
    pub fn team(&self, id: &TeamId) -> Option<&Team> {
        self.teams.get(id).map(|kept| &*kept.value)
    }

    /// All teams that ever were, with their last change.
    pub fn teams(&self) -> impl Iterator<Item = &Kept<Team>> {
        self.teams.values()
    }

    /// The teams a teammate is in.
    pub fn teams_of(&self, teammate: &TeammateId) -> impl Iterator<Item = &TeamId> {
        self.memberships.get(teammate).into_iter().flatten()
    }

    /// An endpoint.
    pub fn endpoint(&self, id: &EndpointId) -> Option<&Endpoint> {
        self.endpoints.get(id).map(|kept| &*kept.value)
    }

    /// All endpoints.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints.values().map(|kept| &*kept.value)
    }

    /// The endpoint with a normalised address.
    pub fn endpoint_at(&self, address: &str) -> Option<&Endpoint> {
        self.addresses.get(address).and_then(|id| self.endpoint(id))
    }

    /// A tag as it was first written, whatever its case.
    pub fn tag(&self, word: &str) -> Option<&str> {
        self.tags.get(&tag::fold(word)).map(String::as_str)
    }

    /// The open conversations.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// An open conversation.
    pub fn conversation(&self, id: &ConversationId) -> Option<&Arc<Conversation>> {
        self.shelf.get(id).map(|kept| &kept.value)
    }

    /// As its teammates see it; none until it was provisioned.
    pub fn to_wire(&self) -> Option<wire::Organization> {
        let profile = self.profile()?;
        Some(wire::Organization {
            id: self.id.clone(),
            name: profile.name.clone(),
            kind: profile.kind,
            features: profile.features,
            policy: profile.policy,
            multi_teammate: self.active.len() > 1,
        })
    }

    /// When what [`Self::to_wire`] shows last changed: the settings, or whether there is more than one teammate.
    pub fn profile_changed(&self) -> Seq {
        let settings = self.profile.as_ref().map_or(Seq(0), |kept| kept.changed);
        let roster = self.teammates.values().map(|kept| kept.changed).max().unwrap_or_default();
        settings.max(roster)
    }

    /// Applies the next event of the log.
    pub fn apply(&mut self, event: &Event) {
        self.advance();
        for change in &event.changes {
            self.apply_change(change);
        }
    }

    /// The event that follows begins: what changes from now on carries its number.
    pub fn advance(&mut self) {
        self.seq = self.seq.next();
    }

    /// Applies one change of the event that began last.
    pub fn apply_change(&mut self, change: &Change) {
        match change {
            Change::Organization(profile) => self.put_profile(profile.clone()),
            Change::Teammate(teammate) => self.put_teammate(teammate.clone(), self.seq),
            Change::Team(team) => self.put_team(team.clone(), self.seq),
            Change::Endpoint(endpoint) => self.put_endpoint(endpoint.clone(), self.seq),
            Change::Tag { name } => self.put_tag(name.clone()),
            Change::Conversation(change) => self.put_conversation(change),
            Change::Mark { teammate, conversation, mark } => {
                self.shelf.put_mark(conversation, teammate, *mark);
            }
            Change::Contact(_) | Change::Item(_) => {}
        }
    }

    fn put_profile(&mut self, profile: Profile) {
        let before = self.assignment();
        let existed = self.profile.is_some();
        self.load_profile(profile, self.seq);
        if existed && before != self.assignment() {
            self.shelf = self.shelf.reindexed(self.assignment());
            self.reset = self.seq;
        }
    }

    fn put_conversation(&mut self, change: &ConversationChange) {
        self.load_conversation(change.after.clone(), self.seq);
        for (teammate, mark) in &change.marks {
            self.shelf.put_mark(&change.after.id, teammate, *mark);
        }
    }
}

/// How a room fills an organization with what the store holds.
impl Organization {
    /// The position that everything loaded holds for.
    pub fn load_seq(&mut self, seq: Seq) {
        self.seq = seq;
    }

    /// The settings. Loaded before any conversation.
    pub fn load_profile(&mut self, profile: Profile, changed: Seq) {
        self.profile = Some(Kept { value: Arc::new(profile), changed });
    }

    /// From this position back, no client can be caught up.
    pub fn load_reset(&mut self, seq: Seq) {
        self.reset = seq;
    }

    /// A teammate.
    pub fn put_teammate(&mut self, teammate: Teammate, changed: Seq) {
        if teammate.is_active() {
            self.active.insert(teammate.id.clone());
        } else {
            self.active.remove(&teammate.id);
        }
        self.teammates.insert(teammate.id.clone(), Kept { value: Arc::new(teammate), changed });
    }

    /// A team.
    pub fn put_team(&mut self, team: Team, changed: Seq) {
        let before = self.teams.get(&team.id).map(|kept| kept.value.clone());
        for gone in before.iter().flat_map(|before| before.members.difference(&team.members)) {
            if let Some(teams) = self.memberships.get_mut(gone) {
                teams.remove(&team.id);
                if teams.is_empty() {
                    self.memberships.remove(gone);
                }
            }
        }
        for member in &team.members {
            self.memberships.entry(member.clone()).or_default().insert(team.id.clone());
        }
        self.teams.insert(team.id.clone(), Kept { value: Arc::new(team), changed });
    }

    /// An endpoint.
    pub fn put_endpoint(&mut self, endpoint: Endpoint, changed: Seq) {
        self.addresses.insert(endpoint.address.clone(), endpoint.id.clone());
        self.endpoints.insert(endpoint.id.clone(), Kept { value: Arc::new(endpoint), changed });
    }

    /// A tag, as it was first written.
    pub fn put_tag(&mut self, name: String) {
        self.tags.insert(tag::fold(&name), name);
    }

    /// A conversation.
    pub fn load_conversation(&mut self, conversation: Conversation, changed: Seq) {
        self.shelf.put(Arc::new(conversation), changed, self.assignment());
    }

    /// A mark on an open conversation.
    pub fn load_mark(
        &mut self,
        conversation: &ConversationId,
        teammate: &TeammateId,
        mark: rotunda_protocol::conversation::Mark,
    ) {
        self.shelf.put_mark(conversation, teammate, mark);
    }
}

/// What must hold after every event (product 2.1).
impl Organization {
    /// Everything in it agrees with everything else.
    ///
    /// # Panics
    /// When something does not: a bug.
    pub fn check_invariants(&self) {
        self.shelf.check_invariants(self.assignment());
        for kept in self.shelf.iter() {
            if let Some(assignee) = kept.value.assignee() {
                assert!(self.can_keep(assignee, &kept.value), "1: {assignee} holds what they may not see");
            }
        }
        for endpoint in self.endpoints() {
            let by_organization = endpoint.owner == rotunda_protocol::principal::Principal::Organization;
            assert!(!(by_organization && endpoint.auto_assign), "3: auto-assignment without an assignee");
        }
        let anybody = !self.active.is_empty();
        assert!(!anybody || self.active_teammates().any(Teammate::is_admin), "5: nobody administers");
        for kept in self.teams.values() {
            assert!(!kept.value.deleted || kept.value.members.is_empty(), "a deleted team has members");
            for member in &kept.value.members {
                assert!(
                    self.teams_of(member).any(|team| *team == kept.value.id),
                    "teams and memberships differ"
                );
            }
        }
    }
}
