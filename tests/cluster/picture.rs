//! What a client keeps, as the protocol tells it to: rows and marks by their `rev`, items of what is open, access.

use std::collections::{BTreeMap, BTreeSet};

use rotunda_protocol::ask::Told;
use rotunda_protocol::conversation::{Conversation, Listed, Mark};
use rotunda_protocol::frame::{Answer, ServerFrame, Start};
use rotunda_protocol::id::{ConversationId, TeammateId};
use rotunda_protocol::item::Item;
use rotunda_protocol::principal::Principal;
use rotunda_protocol::push::{Access, CatchUp, ConversationPresence, Push};

/// One teammate's picture.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub(super) teammate: TeammateId,
    pub(super) cursor: Option<String>,
    pub(super) rows: BTreeMap<ConversationId, Conversation>,
    pub(super) marks: BTreeMap<ConversationId, Mark>,
    pub(super) items: BTreeMap<ConversationId, BTreeSet<u32>>,
    pub(super) access: Access,
    pub(super) here: BTreeSet<TeammateId>,
    pub(super) presence: BTreeMap<ConversationId, ConversationPresence>,
    /// The lists that are shown have to be asked for.
    pub(super) must_list: bool,
    pub(super) fresh: bool,
}

impl Picture {
    pub(super) fn of(teammate: TeammateId) -> Self {
        Self {
            teammate,
            cursor: None,
            rows: BTreeMap::new(),
            marks: BTreeMap::new(),
            items: BTreeMap::new(),
            access: Access::default(),
            here: BTreeSet::new(),
            presence: BTreeMap::new(),
            must_list: false,
            fresh: true,
        }
    }

    /// Does what a frame says.
    pub(super) fn apply(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Welcome { start, state, cursor, .. } => {
                self.fresh = true;
                if *start != Start::Resumed {
                    self.start_over();
                }
                self.apply_state(state);
                self.cursor = Some(cursor.clone());
            }
            ServerFrame::CatchUp { state, cursor } => {
                self.apply_state(state);
                self.cursor = Some(cursor.clone());
            }
            ServerFrame::Resync { state, cursor } => {
                self.start_over();
                self.apply_state(state);
                self.cursor = Some(cursor.clone());
            }
            ServerFrame::Push { push, cursor } => {
                self.apply_push(push);
                self.cursor = cursor.clone().or(self.cursor.take());
            }
            ServerFrame::Answer { answer: Answer::Told { told }, .. } => self.apply_told(told),
            ServerFrame::Freshness { fresh } => self.fresh = *fresh,
            ServerFrame::Answer { .. } | ServerFrame::Beat | ServerFrame::Closing { .. } => {}
        }
    }

    fn start_over(&mut self) {
        self.rows.clear();
        self.marks.clear();
        self.items.clear();
        self.must_list = true;
    }

    fn apply_state(&mut self, state: &CatchUp) {
        self.set_access(&state.access);
        state.gone.iter().for_each(|gone| self.lose(gone));
        state.conversations.iter().for_each(|listed| self.put(listed));
        state.marks.iter().for_each(|marked| self.mark(&marked.conversation, marked.mark));
        self.put_items(&state.items);
        self.here = state.presence.here.iter().cloned().collect();
        let at = state.presence.conversations.iter();
        self.presence = at.map(|at| (at.conversation.clone(), at.clone())).collect();
    }

    fn apply_push(&mut self, push: &Push) {
        match push {
            Push::Conversation { conversation, .. } => self.put_row(conversation),
            Push::Item { item } => self.put_items(std::slice::from_ref(item)),
            Push::Gone { conversation } => self.lose(conversation),
            Push::Scope { access, .. } => self.set_access(access),
            Push::Mark(marked) => self.mark(&marked.conversation, marked.mark),
            Push::Presence(at) => drop(self.presence.insert(at.conversation.clone(), at.clone())),
            Push::Here { came, went } => {
                self.here.extend(came.iter().cloned());
                self.here.retain(|teammate| !went.contains(teammate));
            }
            Push::Teammate { .. } | Push::Team { .. } | Push::Endpoint { .. } | Push::Organization { .. } => {
            }
        }
    }

    fn apply_told(&mut self, told: &Told) {
        match told {
            Told::List { rows, .. } => rows.iter().for_each(|row| self.put(row)),
            Told::Opened { row, items, presence } => {
                self.put(row);
                self.put_items(items);
                self.presence.insert(presence.conversation.clone(), presence.clone());
            }
            Told::History { items } => self.put_items(items),
            Told::Counts { .. } | Told::Access { .. } => {}
        }
    }

    fn put(&mut self, listed: &Listed) {
        self.put_row(&listed.conversation);
        self.mark(&listed.conversation.id, listed.mark);
    }

    fn put_row(&mut self, row: &Conversation) {
        if self.rows.get(&row.id).is_none_or(|held| held.rev <= row.rev) {
            self.rows.insert(row.id.clone(), row.clone());
        }
    }

    fn mark(&mut self, conversation: &ConversationId, mark: Mark) {
        if self.marks.get(conversation).is_none_or(|held| held.rev <= mark.rev) {
            self.marks.insert(conversation.clone(), mark);
        }
    }

    fn put_items(&mut self, items: &[Item]) {
        for item in items {
            self.items.entry(item.conversation.clone()).or_default().insert(item.number);
        }
    }

    fn lose(&mut self, conversation: &ConversationId) {
        self.rows.remove(conversation);
        self.marks.remove(conversation);
        self.items.remove(conversation);
        self.presence.remove(conversation);
    }

    fn set_access(&mut self, access: &Access) {
        let old = std::mem::replace(&mut self.access, access.clone());
        let more = access.endpoints.iter().any(|id| !old.endpoints.contains(id))
            || access.teams.iter().any(|id| !old.teams.contains(id));
        self.must_list |= more;
        let outside: Vec<_> =
            self.rows.values().filter(|row| !self.keeps(row)).map(|row| row.id.clone()).collect();
        for id in &outside {
            self.lose(id);
        }
    }

    fn keeps(&self, row: &Conversation) -> bool {
        row.endpoint.as_ref().is_some_and(|endpoint| self.access.endpoints.contains(endpoint))
            || row.members.iter().any(|member| match member {
                Principal::Organization => true,
                Principal::Team(team) => self.access.teams.contains(team),
                Principal::Teammate(teammate) => *teammate == self.teammate,
            })
    }

    /// What is on the screen: rows with their marks, and how far the access goes.
    pub(super) fn shows(&self) -> (Vec<(Conversation, Mark)>, Access) {
        let mark = |id| self.marks.get(id).copied().unwrap_or_default();
        (self.rows.values().map(|row| (row.clone(), mark(&row.id))).collect(), self.access.clone())
    }
}
