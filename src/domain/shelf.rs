//! The open conversations of an organization, with the indexes that keep costs where they belong: a page
//! costs the page and the places one may look in, a count costs the places, what changed costs what changed.
//!
//! Archived conversations are not here; they are read from the store when somebody needs them.

use std::cmp::Reverse;
use std::ops::Bound;
use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};
use rotunda_protocol::Millis;
use rotunda_protocol::ask::RowKey;
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::id::{ConversationId, EndpointId, TeammateId};
use rotunda_protocol::principal::{Assignee, Mailbox, Principal};

use super::conversation::{Conversation, Counterpart};
use super::event::Seq;

/// Something, and the event that last changed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<T> {
    /// The thing.
    pub value: Arc<T>,
    /// The number of the event that made it so.
    pub changed: Seq,
}

/// Where a conversation's visibility comes from. Each conversation is in one place for its endpoint and one
/// for each of its own members.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Everything that came in through an endpoint.
    Endpoint(EndpointId),
    /// What this principal was added to, among what came in through this endpoint (none: team conversations).
    Member(Principal, Option<EndpointId>),
}

/// The order of lists: newest activity first, then the higher id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(Reverse<Millis>, Reverse<ConversationId>);

impl Rank {
    fn of(conversation: &Conversation) -> Self {
        Self(Reverse(conversation.activity_at), Reverse(conversation.id.clone()))
    }

    /// Which conversation stands there.
    pub fn conversation(&self) -> &ConversationId {
        &self.1.0
    }
}

impl From<&RowKey> for Rank {
    fn from(key: &RowKey) -> Self {
        Self(Reverse(key.activity_at), Reverse(key.conversation.clone()))
    }
}

/// The open conversations of an organization. A clone shares everything until one of the two changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelf {
    by_id: HashMap<ConversationId, Kept<Conversation>>,
    ranked: OrdMap<(Place, Mailbox), OrdSet<Rank>>,
    by_change: OrdSet<(Seq, ConversationId)>,
    held: OrdMap<Assignee, OrdSet<ConversationId>>,
    added: OrdMap<(EndpointId, Principal), u64>,
    threads: HashMap<(EndpointId, String), ConversationId>,
    marks: HashMap<ConversationId, OrdMap<TeammateId, Mark>>,
}

impl Shelf {
    /// An open conversation.
    pub fn get(&self, id: &ConversationId) -> Option<&Kept<Conversation>> {
        self.by_id.get(id)
    }

    /// How many conversations are open.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Nothing is open.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// All open conversations, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Kept<Conversation>> {
        self.by_id.values()
    }

    /// The open conversation with a contact's address through an endpoint (C16).
    pub fn thread(&self, endpoint: &EndpointId, address: &str) -> Option<&ConversationId> {
        self.threads.get(&(endpoint.clone(), address.to_owned()))
    }

    /// What somebody holds.
    pub fn held_by(&self, assignee: &Assignee) -> impl Iterator<Item = &ConversationId> {
        self.held.get(assignee).into_iter().flatten()
    }

    /// A teammate's mark on an open conversation.
    pub fn mark(&self, conversation: &ConversationId, teammate: &TeammateId) -> Mark {
        self.marks.get(conversation).and_then(|marks| marks.get(teammate)).copied().unwrap_or_default()
    }

    /// All marks on an open conversation that say something.
    pub fn marks(&self, conversation: &ConversationId) -> impl Iterator<Item = (&TeammateId, &Mark)> {
        self.marks.get(conversation).into_iter().flatten()
    }

    /// Open conversations that changed after a position, oldest change first.
    pub fn changed_since(&self, since: Seq) -> impl Iterator<Item = &Kept<Conversation>> {
        let from = (since.next(), lowest_id());
        self.by_change.range(from..).filter_map(|(_, id)| self.by_id.get(id))
    }

    /// The places of a principal's own memberships that hold conversations in a mailbox.
    pub fn member_places(&self, principal: &Principal, mailbox: &Mailbox) -> Vec<Place> {
        let from = (Place::Member(principal.clone(), None), Mailbox::Shared);
        self.ranked
            .range((Bound::Included(from), Bound::Unbounded))
            .map(|((place, in_mailbox), _)| (place, in_mailbox))
            .take_while(|(place, _)| matches!(place, Place::Member(of, _) if of == principal))
            .filter(|(_, in_mailbox)| *in_mailbox == mailbox)
            .map(|(place, _)| place.clone())
            .collect()
    }

    /// Who was added to open conversations of an endpoint one by one, and to how many.
    pub fn added(&self, endpoint: &EndpointId) -> impl Iterator<Item = (&Principal, u64)> {
        let from = (endpoint.clone(), Principal::Organization);
        let of_endpoint = self.added.range(from..).take_while(move |((of, _), _)| of == endpoint);
        of_endpoint.map(|((_, member), conversations)| (member, *conversations))
    }

    /// The conversations of one place and mailbox, in the order of lists.
    pub fn ranked(&self, place: &Place, mailbox: &Mailbox) -> Option<&OrdSet<Rank>> {
        self.ranked.get(&(place.clone(), mailbox.clone()))
    }

    /// Puts a conversation on the shelf as it is from now on, or takes it off when it was archived.
    /// `assignment` is the organization's switch.
    pub fn put(&mut self, conversation: Arc<Conversation>, changed: Seq, assignment: bool) {
        self.unindex(&conversation.id, assignment);
        if conversation.is_archived() {
            self.marks.remove(&conversation.id);
            return;
        }
        self.index(&conversation, changed, assignment);
        self.by_id.insert(conversation.id.clone(), Kept { value: conversation, changed });
    }

    /// Remembers a teammate's mark, if the conversation is open.
    pub fn put_mark(&mut self, conversation: &ConversationId, teammate: &TeammateId, mark: Mark) {
        if !self.by_id.contains_key(conversation) {
            return;
        }
        let marks = self.marks.entry(conversation.clone()).or_default();
        if mark == Mark::default() {
            marks.remove(teammate);
        } else {
            marks.insert(teammate.clone(), mark);
        }
        if marks.is_empty() {
            self.marks.remove(conversation);
        }
    }

    /// Builds the indexes anew, for an organization whose assignment switch was turned.
    #[must_use]
    pub fn reindexed(&self, assignment: bool) -> Self {
        let mut anew = Self { marks: self.marks.clone(), ..Self::default() };
        for kept in self.by_id.values() {
            anew.put(kept.value.clone(), kept.changed, assignment);
        }
        anew
    }

    fn index(&mut self, conversation: &Conversation, changed: Seq, assignment: bool) {
        let mailbox = conversation.mailbox(assignment);
        for place in places(conversation) {
            self.ranked.entry((place, mailbox.clone())).or_default().insert(Rank::of(conversation));
        }
        for added in added(conversation) {
            *self.added.entry(added).or_default() += 1;
        }
        self.by_change.insert((changed, conversation.id.clone()));
        if let Some(assignee) = conversation.assignee() {
            self.held.entry(assignee.clone()).or_default().insert(conversation.id.clone());
        }
        if let Counterpart::Contact { endpoint, contact } = &conversation.counterpart {
            self.threads.insert((endpoint.clone(), contact.address.clone()), conversation.id.clone());
        }
    }

    fn unindex(&mut self, id: &ConversationId, assignment: bool) {
        let Some(Kept { value: conversation, changed }) = self.by_id.remove(id) else { return };
        let mailbox = conversation.mailbox(assignment);
        for place in places(&conversation) {
            remove_from(&mut self.ranked, &(place, mailbox.clone()), &Rank::of(&conversation));
        }
        for added in added(&conversation) {
            match self.added.get(&added).copied() {
                Some(several @ 2..) => self.added.insert(added, several - 1),
                Some(_) | None => self.added.remove(&added),
            };
        }
        self.by_change.remove(&(changed, id.clone()));
        if let Some(assignee) = conversation.assignee() {
            remove_from(&mut self.held, assignee, id);
        }
        if let Counterpart::Contact { endpoint, contact } = &conversation.counterpart {
            self.threads.remove(&(endpoint.clone(), contact.address.clone()));
        }
    }

    /// Every index says the same as the conversations themselves.
    ///
    /// # Panics
    /// When one does not: a bug.
    pub fn check_invariants(&self, assignment: bool) {
        let mut anew = Self::default();
        for kept in self.by_id.values() {
            assert!(!kept.value.is_archived(), "an archived conversation is held in memory");
            anew.put(kept.value.clone(), kept.changed, assignment);
        }
        assert_eq!(anew.ranked, self.ranked, "ranks");
        assert_eq!(anew.by_change, self.by_change, "changes");
        assert_eq!(anew.held, self.held, "assignees");
        assert_eq!(anew.added, self.added, "additions");
        assert_eq!(anew.threads, self.threads, "threads");
        assert!(self.marks.keys().all(|id| self.by_id.contains_key(id)), "a mark on nothing");
    }
}

fn places(conversation: &Conversation) -> impl Iterator<Item = Place> + '_ {
    let endpoint = conversation.endpoint();
    let own = conversation.members.iter();
    endpoint
        .map(|endpoint| Place::Endpoint(endpoint.clone()))
        .into_iter()
        .chain(own.map(move |member| Place::Member(member.clone(), endpoint.cloned())))
}

fn added(conversation: &Conversation) -> impl Iterator<Item = (EndpointId, Principal)> + '_ {
    let endpoint = conversation.endpoint().into_iter();
    endpoint.flat_map(|endpoint| conversation.members.iter().map(|member| (endpoint.clone(), member.clone())))
}

fn remove_from<K: Ord + Clone, V: Ord + Clone>(sets: &mut OrdMap<K, OrdSet<V>>, key: &K, value: &V) {
    if let Some(set) = sets.get_mut(key) {
        set.remove(value);
        if set.is_empty() {
            sets.remove(key);
        }
    }
}

/// An id that sorts before, or as, any other.
fn lowest_id() -> ConversationId {
    "-".parse().expect("a single character is an id")
}
