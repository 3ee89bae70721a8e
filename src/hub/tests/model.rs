//! Who may see what, by plain maps, written without a look at the domain: from the log, as the back office reads it.

use std::collections::{BTreeMap, BTreeSet};

use rotunda_protocol::ask::Told;
use rotunda_protocol::directory::{Role, TeammateStatus};
use rotunda_protocol::frame::{Answer, ServerFrame};
use rotunda_protocol::id::{ConversationId, EndpointId, TeamId, TeammateId};
use rotunda_protocol::principal::Principal;
use rotunda_protocol::push::{CatchUp, ConversationPresence, Push};
use rotunda_protocol::refusal::Refusal;

use crate::domain::event::{Change, Event};

#[derive(Clone, Default)]
pub(super) struct Model {
    active: BTreeSet<TeammateId>,
    admins: BTreeSet<TeammateId>,
    teams: BTreeMap<TeamId, BTreeSet<TeammateId>>,
    endpoints: BTreeMap<EndpointId, Vec<Principal>>,
    conversations: BTreeMap<ConversationId, (Option<EndpointId>, Vec<Principal>)>,
}

impl Model {
    pub(super) fn apply(&mut self, event: &Event) {
        for change in &event.changes {
            match change {
                Change::Teammate(teammate) => {
                    self.active.remove(&teammate.id);
                    self.admins.remove(&teammate.id);
                    if teammate.status == TeammateStatus::Active {
                        self.active.insert(teammate.id.clone());
                        if teammate.role == Role::Admin {
                            self.admins.insert(teammate.id.clone());
                        }
                    }
                }
                Change::Team(team) => {
                    self.teams.insert(team.id.clone(), team.members.clone());
                }
                Change::Endpoint(endpoint) => {
                    let list = endpoint.members.iter().chain([&endpoint.owner]).cloned().collect();
                    self.endpoints.insert(endpoint.id.clone(), list);
                }
                Change::Conversation(change) => {
                    let of =
                        (change.after.endpoint().cloned(), change.after.members.iter().cloned().collect());
                    self.conversations.insert(change.after.id.clone(), of);
                }
                Change::Organization(_)
                | Change::Contact(_)
                | Change::Tag { .. }
                | Change::Item(_)
                | Change::Mark { .. } => {}
            }
        }
    }

    fn listed(&self, who: &TeammateId, list: &[Principal]) -> bool {
        self.active.contains(who)
            && list.iter().any(|entry| match entry {
                Principal::Organization => true,
                Principal::Team(team) => self.teams.get(team).is_some_and(|members| members.contains(who)),
                Principal::Teammate(id) => id == who,
            })
    }

    pub(super) fn can_see(&self, who: &TeammateId, conversation: &ConversationId) -> bool {
        let Some((endpoint, own)) = self.conversations.get(conversation) else { return false };
        let through = endpoint.as_ref().and_then(|id| self.endpoints.get(id));
        through.is_some_and(|list| self.listed(who, list)) || self.listed(who, own)
    }

    fn can_know(&self, who: &TeammateId, endpoint: &EndpointId) -> bool {
        self.admins.contains(who) || self.endpoints.get(endpoint).is_some_and(|list| self.listed(who, list))
    }

    /// The first of what a frame tells that this teammate may not see.
    pub(super) fn hidden(&self, who: &TeammateId, tells: &Tells) -> Option<String> {
        let mut conversations = tells.conversations.iter().filter(|id| !self.can_see(who, id));
        let mut endpoints = tells.endpoints.iter().filter(|id| !self.can_know(who, id));
        let mut roles = tells.roles.iter().filter(|id| !self.admins.contains(who) && *id != who);
        let hidden = conversations.next().map(|id| format!("conversation {id}"));
        hidden
            .or_else(|| endpoints.next().map(|id| format!("endpoint {id}")))
            .or_else(|| roles.next().map(|id| format!("the role of {id}")))
    }

    /// Nobody is shown at a conversation who may not see it (B10).
    pub(super) fn check_present(&self, at: &ConversationPresence) {
        let typing = at.typing.iter().map(|typing| &typing.teammate);
        for teammate in at.viewing.iter().chain(typing) {
            assert!(self.can_see(teammate, &at.conversation), "{teammate} is shown at {}", at.conversation);
        }
    }
}

/// What a frame tells of that is not for everybody.
#[derive(Default)]
pub(super) struct Tells {
    conversations: BTreeSet<ConversationId>,
    endpoints: BTreeSet<EndpointId>,
    roles: BTreeSet<TeammateId>,
}

impl Tells {
    pub(super) fn of(frame: &ServerFrame) -> Self {
        let mut tells = Self::default();
        match frame {
            ServerFrame::Welcome { state, .. }
            | ServerFrame::CatchUp { state, .. }
            | ServerFrame::Resync { state, .. } => tells.state(state),
            ServerFrame::Push { push, .. } => tells.push(push),
            ServerFrame::Answer { answer, .. } => tells.answer(answer),
            ServerFrame::Beat | ServerFrame::Freshness { .. } | ServerFrame::Closing { .. } => {}
        }
        tells
    }

    fn state(&mut self, state: &CatchUp) {
        let Self { conversations, endpoints, roles } = self;
        conversations.extend(state.conversations.iter().map(|row| row.conversation.id.clone()));
        conversations.extend(state.items.iter().map(|item| item.conversation.clone()));
        conversations.extend(state.marks.iter().map(|mark| mark.conversation.clone()));
        conversations.extend(state.presence.conversations.iter().map(|at| at.conversation.clone()));
        endpoints.extend(state.endpoints.iter().map(|endpoint| endpoint.id.clone()));
        let with_roles = state.teammates.iter().filter(|teammate| teammate.role.is_some());
        roles.extend(with_roles.map(|teammate| teammate.id.clone()));
    }

    fn push(&mut self, push: &Push) {
        match push {
            Push::Conversation { conversation, .. } => {
                self.conversations.insert(conversation.id.clone());
            }
            Push::Item { item } => {
                self.conversations.insert(item.conversation.clone());
            }
            Push::Presence(at) => {
                self.conversations.insert(at.conversation.clone());
            }
            Push::Mark(mark) => {
                self.conversations.insert(mark.conversation.clone());
            }
            Push::Endpoint { endpoint } => {
                self.endpoints.insert(endpoint.id.clone());
            }
            Push::Scope { endpoints, .. } => {
                self.endpoints.extend(endpoints.iter().map(|endpoint| endpoint.id.clone()));
            }
            Push::Teammate { teammate } => {
                self.roles.extend(teammate.role.is_some().then(|| teammate.id.clone()));
            }
            Push::Gone { .. } | Push::Team { .. } | Push::Organization { .. } | Push::Here { .. } => {}
        }
    }

    fn answer(&mut self, answer: &Answer) {
        match answer {
            Answer::Told { told: Told::List { rows, .. } } => {
                self.conversations.extend(rows.iter().map(|row| row.conversation.id.clone()));
            }
            Answer::Told { told: Told::Opened { row, items, .. } } => {
                self.conversations.insert(row.conversation.id.clone());
                self.conversations.extend(items.iter().map(|item| item.conversation.clone()));
            }
            Answer::Told { told: Told::History { items } }
            | Answer::Refused { refusal: Refusal::UnseenActivity { missed: items }, .. } => {
                self.conversations.extend(items.iter().map(|item| item.conversation.clone()));
            }
            Answer::Told { told: Told::Counts { .. } | Told::Access { .. } }
            | Answer::Done { .. }
            | Answer::Renewed
            | Answer::Refused { .. } => {}
        }
    }
}
