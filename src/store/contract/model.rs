//! What a store has to hold, in the plainest form: maps that events are applied to.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rotunda_protocol::conversation::Mark;
use rotunda_protocol::id::{ConversationId, EndpointId, TeamId, TeammateId};
use rotunda_protocol::item::Item;

use crate::domain::conversation::Conversation;
use crate::domain::directory::{Endpoint, Profile, Team, Teammate};
use crate::domain::event::{Change, Event, Seq};
use crate::store::{ArchivedQuery, ChangedSince, Image};

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) head: Seq,
    pub(crate) events: Vec<(Seq, Event)>,
    pub(crate) profile: Option<(Profile, Seq)>,
    pub(crate) teammates: BTreeMap<TeammateId, (Teammate, Seq)>,
    pub(crate) teams: BTreeMap<TeamId, (Team, Seq)>,
    pub(crate) endpoints: BTreeMap<EndpointId, (Endpoint, Seq)>,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) conversations: BTreeMap<ConversationId, (Conversation, Seq)>,
    pub(crate) items: BTreeMap<(ConversationId, u32), (Item, Seq)>,
    pub(crate) marks: BTreeMap<(ConversationId, TeammateId), (Mark, Seq)>,
    pub(crate) departures: Vec<(TeammateId, Seq, ConversationId)>,
}

impl Model {
    pub(crate) fn apply(&mut self, seq: Seq, event: &Event) {
        self.head = seq;
        self.events.push((seq, event.clone()));
        for change in &event.changes {
            match change.clone() {
                Change::Organization(profile) => self.profile = Some((profile, seq)),
                Change::Teammate(teammate) => {
                    self.teammates.insert(teammate.id.clone(), (teammate, seq));
                }
                Change::Team(team) => {
                    self.teams.insert(team.id.clone(), (team, seq));
                }
                Change::Endpoint(endpoint) => {
                    self.endpoints.insert(endpoint.id.clone(), (endpoint, seq));
                }
                Change::Contact(_) => {}
                Change::Tag { name } => {
                    self.tags.insert(name);
                }
                Change::Conversation(change) => {
                    let id = change.after.id.clone();
                    self.departures.extend(change.departed.into_iter().map(|who| (who, seq, id.clone())));
                    self.conversations.insert(id, (change.after, seq));
                }
                Change::Item(item) => {
                    self.items.insert((item.conversation.clone(), item.number), (item, seq));
                }
                Change::Mark { teammate, conversation, mark } => {
                    self.marks.insert((conversation, teammate), (mark, seq));
                }
            }
        }
    }

    /// The image, but for what is random.
    pub(crate) fn image(&self, like: &Image) -> Image {
        let open = |id: &ConversationId| !self.conversations[id].0.is_archived();
        let (profile, profile_changed) =
            self.profile.clone().unwrap_or_else(|| (like.profile.clone(), Seq(0)));
        Image {
            epoch: like.epoch,
            cursor_key: like.cursor_key,
            head: self.head,
            profile,
            profile_changed,
            teammates: self.teammates.values().cloned().collect(),
            teams: self.teams.values().cloned().collect(),
            endpoints: self.endpoints.values().cloned().collect(),
            tags: self.tags.iter().cloned().collect(),
            conversations: self.conversations.values().filter(|(row, _)| open(&row.id)).cloned().collect(),
            marks: self
                .marks
                .iter()
                .filter(|((id, _), _)| open(id))
                .map(|((id, teammate), (mark, _))| (id.clone(), teammate.clone(), *mark))
                .collect(),
        }
    }

    pub(crate) fn mark(&self, conversation: &ConversationId, teammate: &TeammateId) -> Mark {
        self.marks
            .get(&(conversation.clone(), teammate.clone()))
            .map_or_else(Mark::default, |(mark, _)| *mark)
    }

    pub(crate) fn archived(&self, query: &ArchivedQuery) -> Vec<(Conversation, Seq, Mark)> {
        let visible = |row: &Conversation| {
            row.endpoint().is_some_and(|endpoint| query.endpoints.contains(endpoint))
                || query.members.iter().any(|member| row.members.contains(member))
        };
        let mut rows: Vec<_> = self
            .conversations
            .values()
            .filter(|(row, _)| row.is_archived() && visible(row))
            .filter(|(row, _)| query.only_endpoint.as_ref().is_none_or(|only| row.endpoint() == Some(only)))
            .filter(|(row, _)| {
                let key = (row.activity_at, row.id.clone());
                query.after.as_ref().is_none_or(|after| key < (after.activity_at, after.conversation.clone()))
            })
            .map(|(row, changed)| (row.clone(), *changed, self.mark(&row.id, &query.teammate)))
            .collect();
        rows.sort_by_key(|(row, ..)| Reverse((row.activity_at, row.id.clone())));
        rows.truncate(query.limit as usize);
        rows
    }

    pub(crate) fn changed_since(&self, teammate: &TeammateId, since: Seq) -> ChangedSince {
        let departed: BTreeSet<_> = self
            .departures
            .iter()
            .filter(|(who, seq, _)| who == teammate && *seq > since)
            .map(|(_, _, id)| id.clone())
            .collect();
        ChangedSince {
            head: self.head,
            archived: self
                .conversations
                .values()
                .filter(|(row, changed)| row.is_archived() && *changed > since)
                .map(|(row, changed)| (row.clone(), *changed, self.mark(&row.id, teammate)))
                .collect(),
            departed: departed.into_iter().collect(),
            marked: self
                .marks
                .iter()
                .filter(|((_, who), (_, changed))| who == teammate && *changed > since)
                .map(|((id, _), (mark, _))| (id.clone(), *mark))
                .collect(),
        }
    }
}
