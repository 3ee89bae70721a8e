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

#[derive(Default)]
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

    /// Everything that a frame tells is something that this teammate may see now.
    pub(super) fn check(&self, who: &TeammateId, frame: &ServerFrame) {
        let mut about = BTreeSet::new();
        match frame {
            ServerFrame::Welcome { state, .. }
            | ServerFrame::CatchUp { state, .. }
            | ServerFrame::Resync { state, .. } => self.check_state(who, state, &mut about),
            ServerFrame::Push { push, .. } => self.check_push(who, push, &mut about),
            ServerFrame::Answer { answer, .. } => match answer {
                Answer::Told { told: Told::List { rows, .. } } => {
                    about.extend(rows.iter().map(|row| row.conversation.id.clone()));
                }
                Answer::Told { told: Told::Opened { row, items, .. } } => {
                    about.insert(row.conversation.id.clone());
                    about.extend(items.iter().map(|item| item.conversation.clone()));
                }
                Answer::Told { told: Told::History { items } }
                | Answer::Refused { refusal: Refusal::UnseenActivity { missed: items }, .. } => {
                    about.extend(items.iter().map(|item| item.conversation.clone()));
                }
                Answer::Told { told: Told::Counts { .. } | Told::Access { .. } }
                | Answer::Done { .. }
                | Answer::Renewed
                | Answer::Refused { .. } => {}
            },
            ServerFrame::Beat | ServerFrame::Freshness { .. } | ServerFrame::Closing { .. } => {}
        }
        for conversation in about {
            assert!(self.can_see(who, &conversation), "{who} was told of {conversation}: {frame:?}");
        }
    }

    fn check_state(&self, who: &TeammateId, state: &CatchUp, about: &mut BTreeSet<ConversationId>) {
        about.extend(state.conversations.iter().map(|row| row.conversation.id.clone()));
        about.extend(state.items.iter().map(|item| item.conversation.clone()));
        about.extend(state.marks.iter().map(|mark| mark.conversation.clone()));
        about.extend(state.presence.conversations.iter().map(|at| at.conversation.clone()));
        for endpoint in &state.endpoints {
            assert!(self.can_know(who, &endpoint.id), "{who} was told of endpoint {}", endpoint.id);
        }
        for teammate in &state.teammates {
            assert!(teammate.role.is_none() || self.admins.contains(who) || teammate.id == *who);
        }
    }

    fn check_push(&self, who: &TeammateId, push: &Push, about: &mut BTreeSet<ConversationId>) {
        match push {
            Push::Conversation { conversation, .. } => {
                about.insert(conversation.id.clone());
            }
            Push::Item { item } => {
                about.insert(item.conversation.clone());
            }
            Push::Presence(at) => {
                about.insert(at.conversation.clone());
            }
            Push::Mark(mark) => {
                about.insert(mark.conversation.clone());
            }
            Push::Endpoint { endpoint } => {
                assert!(self.can_know(who, &endpoint.id), "{who} was told of endpoint {}", endpoint.id);
            }
            Push::Scope { endpoints, .. } => {
                for endpoint in endpoints {
                    assert!(self.can_know(who, &endpoint.id), "{who} was told of endpoint {}", endpoint.id);
                }
            }
            Push::Teammate { teammate } => {
                assert!(teammate.role.is_none() || self.admins.contains(who) || teammate.id == *who);
            }
            Push::Gone { .. } | Push::Team { .. } | Push::Organization { .. } | Push::Here { .. } => {}
        }
    }

    /// Nobody is shown at a conversation who may not see it (B10).
    pub(super) fn check_present(&self, at: &ConversationPresence) {
        let typing = at.typing.iter().map(|typing| &typing.teammate);
        for teammate in at.viewing.iter().chain(typing) {
            assert!(self.can_see(teammate, &at.conversation), "{teammate} is shown at {}", at.conversation);
        }
    }
}
