//! The connection manager of a room: which sessions are here, whose they are, what they have open.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use rotunda_protocol::codec::Codec;
use rotunda_protocol::id::{ConversationId, SessionId, TeammateId};

use super::send_queue::SendQueue;

/// Conversations that one session may have open; opening one more closes the one opened first.
pub(super) const OPEN_MAX: usize = 16;

/// A session's number in its room, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key(pub u64);

/// A session that is here.
pub(super) struct Member {
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub teammate: TeammateId,
    /// How its frames are encoded.
    pub codec: Codec,
    /// Where its frames go.
    pub queue: Arc<SendQueue>,
    open: VecDeque<ConversationId>,
}

/// The sessions of a room.
#[derive(Default)]
pub(super) struct Registry {
    /// In the order in which they came, which is about that of their sockets in memory: to go from one to the next is
    /// cheaper for the processor than to jump among them.
    members: BTreeMap<Key, Member>,
    by_teammate: HashMap<TeammateId, Vec<Key>>,
    by_open: HashMap<ConversationId, Vec<Key>>,
    next: u64,
}

impl Registry {
    /// How many sessions are here.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.members.len()
    }

    /// Nobody is here.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// A teammate has a session here.
    pub(super) fn is_here(&self, teammate: &TeammateId) -> bool {
        self.by_teammate.contains_key(teammate)
    }

    /// A session.
    pub(super) fn get(&self, key: Key) -> Option<&Member> {
        self.members.get(&key)
    }

    /// All sessions, in the order in which they came.
    pub(super) fn all(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// The keys of a teammate's sessions.
    pub(super) fn keys_of(&self, teammate: &TeammateId) -> &[Key] {
        self.by_teammate.get(teammate).map_or(&[], Vec::as_slice)
    }

    /// A teammate's sessions.
    pub(super) fn sessions_of(&self, teammate: &TeammateId) -> impl Iterator<Item = &Member> {
        self.keys_of(teammate).iter().filter_map(|key| self.members.get(key))
    }

    /// The keys of the sessions that have a conversation open.
    pub(super) fn keys_at(&self, conversation: &ConversationId) -> &[Key] {
        self.by_open.get(conversation).map_or(&[], Vec::as_slice)
    }

    /// The sessions that have a conversation open.
    pub(super) fn sessions_at(&self, conversation: &ConversationId) -> impl Iterator<Item = &Member> {
        self.keys_at(conversation).iter().filter_map(|key| self.members.get(key))
    }

    /// A session has a conversation open.
    pub(super) fn has_open(&self, key: Key, conversation: &ConversationId) -> bool {
        self.get(key).is_some_and(|member| member.open.contains(conversation))
    }

    /// A session comes.
    pub(super) fn join(
        &mut self,
        session: SessionId,
        teammate: TeammateId,
        codec: Codec,
        queue: Arc<SendQueue>,
    ) -> Key {
        let key = Key(self.next);
        self.next += 1;
        self.by_teammate.entry(teammate.clone()).or_default().push(key);
        self.members.insert(key, Member { session, teammate, codec, queue, open: VecDeque::new() });
        key
    }

    /// A session goes.
    pub(super) fn leave(&mut self, key: Key) -> Option<Member> {
        let member = self.members.remove(&key)?;
        remove_from(&mut self.by_teammate, &member.teammate, key);
        for conversation in &member.open {
            remove_from(&mut self.by_open, conversation, key);
        }
        Some(member)
    }

    /// A session opens a conversation. Returns the one that it closes by that.
    pub(super) fn open(&mut self, key: Key, conversation: &ConversationId) -> Option<ConversationId> {
        let member = self.members.get_mut(&key)?;
        if member.open.contains(conversation) {
            return None;
        }
        member.open.push_back(conversation.clone());
        self.by_open.entry(conversation.clone()).or_default().push(key);
        let closed = (member.open.len() > OPEN_MAX).then(|| member.open.pop_front()).flatten()?;
        remove_from(&mut self.by_open, &closed, key);
        Some(closed)
    }

    /// A session closes a conversation.
    pub(super) fn close(&mut self, key: Key, conversation: &ConversationId) {
        let Some(member) = self.members.get_mut(&key) else { return };
        if let Some(at) = member.open.iter().position(|open| open == conversation) {
            member.open.remove(at);
            remove_from(&mut self.by_open, conversation, key);
        }
    }

    /// What a session has open, the oldest first.
    #[cfg(test)]
    fn opened(&self, key: Key) -> Vec<ConversationId> {
        self.members.get(&key).into_iter().flat_map(|member| member.open.iter().cloned()).collect()
    }

    /// The indexes say what the members say.
    ///
    /// # Panics
    /// When they do not: a bug.
    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        let by_teammate: usize = self.by_teammate.values().map(Vec::len).sum();
        assert_eq!(by_teammate, self.members.len(), "each session is its teammate's once");
        let by_open: usize = self.by_open.values().map(Vec::len).sum();
        assert_eq!(by_open, self.members.values().map(|member| member.open.len()).sum::<usize>());
        for (key, member) in &self.members {
            assert!(self.keys_of(&member.teammate).contains(key));
            assert!(member.open.len() <= OPEN_MAX);
            assert!(member.open.iter().all(|open| self.by_open[open].contains(key)));
        }
        assert!(self.by_teammate.values().all(|keys| !keys.is_empty()), "nobody is here without a session");
        assert!(self.by_open.values().all(|keys| !keys.is_empty()));
    }
}

fn remove_from<K: std::hash::Hash + Eq>(index: &mut HashMap<K, Vec<Key>>, at: &K, key: Key) {
    if let Some(keys) = index.get_mut(at) {
        keys.retain(|other| *other != key);
        if keys.is_empty() {
            index.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id<T: std::str::FromStr>(text: &str) -> T
    where
        T::Err: std::fmt::Debug,
    {
        text.parse().unwrap()
    }

    fn join(registry: &mut Registry, teammate: &str) -> Key {
        let queue = Arc::new(SendQueue::new(1024));
        registry.join(id("s"), id(teammate), Codec::Json, queue)
    }

    #[test]
    fn sessions_are_found_by_whose_they_are_and_what_they_have_open() {
        let mut registry = Registry::default();
        let (web, phone, other) =
            (join(&mut registry, "ada"), join(&mut registry, "ada"), join(&mut registry, "ben"));
        registry.open(web, &id("c"));
        registry.open(other, &id("c"));
        registry.check_invariants();
        assert_eq!(registry.keys_of(&id("ada")), &[web, phone]);
        assert_eq!(registry.sessions_at(&id("c")).count(), 2);
        assert!(registry.leave(web).is_some());
        assert!(registry.leave(web).is_none(), "only once");
        registry.check_invariants();
        assert!(registry.is_here(&id("ada")));
        registry.leave(phone);
        registry.close(other, &id("c"));
        registry.check_invariants();
        assert!(!registry.is_here(&id("ada")));
        assert_eq!(registry.sessions_at(&id("c")).count(), 0);
        assert_eq!(registry.len(), 1);
    }

    #[test]
    fn opening_one_too_many_closes_the_one_opened_first() {
        let mut registry = Registry::default();
        let key = join(&mut registry, "ada");
        for n in 0..OPEN_MAX {
            assert_eq!(registry.open(key, &id(&format!("c{n}"))), None);
        }
        assert_eq!(registry.open(key, &id("c0")), None, "open already");
        assert_eq!(registry.open(key, &id("more")), Some(id("c0")));
        registry.check_invariants();
        assert_eq!(registry.opened(key).len(), OPEN_MAX);
    }
}
