//! What a watcher has learned of the organization: enough to call everything by its name.

use std::collections::HashMap;

use rotunda_protocol::ask::Told;
use rotunda_protocol::conversation::Conversation;
use rotunda_protocol::directory::{Endpoint, Organization, Team, Teammate};
use rotunda_protocol::frame::{Answer, ServerFrame};
use rotunda_protocol::id::{ConversationId, EndpointId, TeamId, TeammateId};
use rotunda_protocol::principal::{Actor, Assignee, Mailbox, Principal};
use rotunda_protocol::push::{CatchUp, Push};

/// How many conversations' names are kept; beyond it all are forgotten, and those that change are learned again.
const CONVERSATIONS_MAX: usize = 10_000;

/// A conversation's name, and the endpoint it comes in through.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Thread {
    name: String,
    endpoint: Option<EndpointId>,
}

/// Names of everything.
#[derive(Debug, Default)]
pub(super) struct Known {
    organization: Option<String>,
    teammates: HashMap<TeammateId, String>,
    teams: HashMap<TeamId, String>,
    endpoints: HashMap<EndpointId, String>,
    threads: HashMap<ConversationId, Thread>,
}

impl Known {
    /// Learns the names in a frame.
    pub(super) fn learn(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Welcome { state, .. }
            | ServerFrame::CatchUp { state, .. }
            | ServerFrame::Resync { state, .. } => self.state(state),
            ServerFrame::Push { push, .. } => self.push(push),
            ServerFrame::Answer { answer: Answer::Told { told: Told::List { rows, .. } }, .. } => {
                for row in rows {
                    self.thread(&row.conversation);
                }
            }
            ServerFrame::Answer { .. }
            | ServerFrame::Beat
            | ServerFrame::Freshness { .. }
            | ServerFrame::Closing { .. } => {}
        }
    }

    fn state(&mut self, state: &CatchUp) {
        state.organization.iter().for_each(|organization| self.organization(organization));
        state.teammates.iter().for_each(|teammate| self.teammate(teammate));
        state.teams.iter().for_each(|team| self.team(team));
        state.endpoints.iter().for_each(|endpoint| self.endpoint(endpoint));
        state.conversations.iter().for_each(|row| self.thread(&row.conversation));
    }

    fn push(&mut self, push: &Push) {
        match push {
            Push::Conversation { conversation, .. } => self.thread(conversation),
            Push::Teammate { teammate } => self.teammate(teammate),
            Push::Team { team } => self.team(team),
            Push::Endpoint { endpoint } => self.endpoint(endpoint),
            Push::Organization { organization } => self.organization(organization),
            Push::Scope { endpoints, .. } => endpoints.iter().for_each(|endpoint| self.endpoint(endpoint)),
            Push::Item { .. } | Push::Gone { .. } | Push::Mark(_) | Push::Here { .. } | Push::Presence(_) => {
            }
        }
    }

    fn organization(&mut self, organization: &Organization) {
        self.organization = Some(organization.name.clone());
    }

    fn teammate(&mut self, teammate: &Teammate) {
        self.teammates.insert(teammate.id.clone(), teammate.name.clone());
    }

    fn team(&mut self, team: &Team) {
        self.teams.insert(team.id.clone(), team.name.clone());
    }

    fn endpoint(&mut self, endpoint: &Endpoint) {
        self.endpoints.insert(endpoint.id.clone(), endpoint.label.clone());
    }

    fn thread(&mut self, conversation: &Conversation) {
        if self.threads.len() >= CONVERSATIONS_MAX {
            self.threads.clear();
        }
        let thread = Thread { name: name(conversation), endpoint: conversation.endpoint.clone() };
        self.threads.insert(conversation.id.clone(), thread);
    }

    /// The organization's name.
    pub(super) fn practice(&self) -> &str {
        self.organization.as_deref().unwrap_or("the organization")
    }

    /// A teammate's name.
    pub(super) fn person(&self, id: &TeammateId) -> String {
        self.teammates.get(id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// A team's name.
    pub(super) fn group(&self, id: &TeamId) -> String {
        self.teams.get(id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// An endpoint's label.
    pub(super) fn way_in(&self, id: &EndpointId) -> String {
        self.endpoints.get(id).cloned().unwrap_or_else(|| id.to_string())
    }

    /// A conversation's name with its endpoint's label.
    pub(super) fn thread_name(&self, id: &ConversationId) -> String {
        match self.threads.get(id) {
            Some(Thread { name, endpoint: Some(endpoint) }) => format!("{name} ({})", self.way_in(endpoint)),
            Some(Thread { name, endpoint: None }) => format!("{name} (team)"),
            None => format!("conversation {id}"),
        }
    }

    /// Who did something in a conversation.
    pub(super) fn actor(&self, actor: &Actor, conversation: &Conversation) -> String {
        match actor {
            Actor::Teammate(id) => self.person(id),
            Actor::Service(service) => service.clone(),
            Actor::Contact => name(conversation),
        }
    }

    /// Who holds a conversation.
    pub(super) fn assignee(&self, assignee: Option<&Assignee>) -> String {
        match assignee {
            Some(Assignee::Teammate(id)) => self.person(id),
            Some(Assignee::Team(id)) => self.group(id),
            None => "nobody".into(),
        }
    }

    /// A member of something.
    pub(super) fn principal(&self, principal: &Principal) -> String {
        match principal {
            Principal::Organization => "everybody".into(),
            Principal::Team(id) => self.group(id),
            Principal::Teammate(id) => self.person(id),
        }
    }

    /// A mailbox.
    pub(super) fn mailbox(&self, mailbox: &Mailbox) -> String {
        match mailbox {
            Mailbox::Shared => "shared".into(),
            Mailbox::Team(id) => self.group(id),
            Mailbox::Teammate(id) => self.person(id),
            Mailbox::Internal => "team conversations".into(),
            Mailbox::None => "archive".into(),
        }
    }
}

fn name(conversation: &Conversation) -> String {
    let contact = conversation.contact.as_ref().map(|contact| contact.name.clone());
    contact.or_else(|| conversation.title.clone()).unwrap_or_else(|| conversation.id.to_string())
}
