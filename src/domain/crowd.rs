//! Who is where among the sessions of one node: each session at the conversations it has open, and until when it types.

use std::collections::BTreeSet;

use imbl::{OrdMap, OrdSet};
use rotunda_protocol::Millis;
use rotunda_protocol::id::{ConversationId, SessionId, TeammateId};
use rotunda_protocol::push::TypingMode;

/// How long somebody is typing after they last said so.
pub const TYPING_FOR: Millis = 6_000;

/// One session at a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attendance {
    pub(super) teammate: TeammateId,
    pub(super) viewing: bool,
    pub(super) typing: Option<(TypingMode, Millis)>,
}

/// Who is where among the sessions of one node. A clone is a snapshot and costs nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Crowd {
    pub(super) here: OrdMap<TeammateId, u32>,
    pub(super) at: OrdMap<ConversationId, OrdMap<SessionId, Attendance>>,
    /// Where each session is, for when it goes.
    of: OrdMap<SessionId, OrdSet<ConversationId>>,
    /// Who stops typing when, the earliest first: looked at after every batch of a room.
    due: OrdSet<(Millis, ConversationId, SessionId)>,
}

impl Crowd {
    pub(super) fn arrive(&mut self, teammate: &TeammateId) {
        *self.here.entry(teammate.clone()).or_insert(0) += 1;
    }

    /// The conversations at which something changed.
    pub(super) fn depart(&mut self, teammate: &TeammateId, session: &SessionId) -> Vec<ConversationId> {
        let at: Vec<_> = self.of.get(session).into_iter().flatten().cloned().collect();
        for conversation in &at {
            self.close(conversation, session);
        }
        match self.here.get_mut(teammate) {
            Some(sessions) if *sessions > 1 => *sessions -= 1,
            Some(_) | None => {
                self.here.remove(teammate);
            }
        }
        at
    }

    pub(super) fn idle(&mut self, conversation: &ConversationId, session: &SessionId) -> bool {
        let known = self.at.get(conversation).and_then(|who| who.get(session));
        let Some(before) = known.filter(|at| at.typing.is_some()).cloned() else { return false };
        let after = Attendance { typing: None, ..before };
        self.put(conversation, session, Some(after).filter(|at| at.viewing));
        true
    }

    /// True if it was there.
    pub(super) fn close(&mut self, conversation: &ConversationId, session: &SessionId) -> bool {
        self.put(conversation, session, None)
    }

    /// Nobody is at a conversation any more. True if somebody was.
    pub(super) fn clear(&mut self, conversation: &ConversationId) -> bool {
        let there: Vec<_> = self.at.get(conversation).into_iter().flat_map(OrdMap::keys).cloned().collect();
        for session in &there {
            self.close(conversation, session);
        }
        !there.is_empty()
    }

    /// Those at a conversation are these. True if that shows.
    pub(super) fn set(
        &mut self,
        conversation: &ConversationId,
        there: impl IntoIterator<Item = (SessionId, Attendance)>,
    ) -> bool {
        let shown = |of: &Self| -> BTreeSet<_> {
            let there = of.at.get(conversation).into_iter().flat_map(OrdMap::values);
            let shown = |at: &Attendance| (at.teammate.clone(), at.viewing, at.typing.map(|(mode, _)| mode));
            there.map(shown).collect()
        };
        let before = shown(self);
        self.clear(conversation);
        for (session, attendance) in there {
            self.put(conversation, &session, Some(attendance));
        }
        before != shown(self)
    }

    /// The conversations at which somebody stopped typing.
    pub(super) fn expire(&mut self, now: Millis) -> BTreeSet<ConversationId> {
        let due = self.due.iter().take_while(|(until, ..)| *until <= now);
        let due: Vec<_> = due.map(|(_, at, session)| (at.clone(), session.clone())).collect();
        let mut changed = BTreeSet::new();
        for (conversation, session) in due {
            self.idle(&conversation, &session);
            changed.insert(conversation);
        }
        changed
    }

    pub(super) fn next_expiry(&self) -> Option<Millis> {
        self.due.get_min().map(|(until, ..)| *until)
    }

    /// The conversations that somebody who is `gone` from them was at.
    pub(super) fn retain(
        &mut self,
        gone: &impl Fn(&TeammateId, &ConversationId) -> bool,
    ) -> BTreeSet<ConversationId> {
        let lost: Vec<(ConversationId, SessionId)> = self
            .at
            .iter()
            .flat_map(|(id, who)| who.iter().map(move |(session, attendance)| (id, session, attendance)))
            .filter(|(id, _, attendance)| gone(&attendance.teammate, id))
            .map(|(id, session, _)| (id.clone(), session.clone()))
            .collect();
        let mut changed = BTreeSet::new();
        for (conversation, session) in lost {
            self.close(&conversation, &session);
            changed.insert(conversation);
        }
        changed
    }

    /// Changes a session at a conversation; it is there from now on. True if that changed anything.
    pub(super) fn attend(
        &mut self,
        conversation: &ConversationId,
        session: &SessionId,
        teammate: &TeammateId,
        change: impl FnOnce(&mut Attendance),
    ) -> bool {
        let blank = Attendance { teammate: teammate.clone(), viewing: false, typing: None };
        let before = self.at.get(conversation).and_then(|who| who.get(session)).cloned();
        let mut after = before.clone().unwrap_or(blank);
        change(&mut after);
        let changed = before.as_ref() != Some(&after);
        self.put(conversation, session, Some(after));
        changed
    }

    /// The one place where somebody comes to be somewhere, or no longer is. True if they were there before.
    fn put(&mut self, conversation: &ConversationId, session: &SessionId, after: Option<Attendance>) -> bool {
        let due = |(_, until): (TypingMode, Millis)| (until, conversation.clone(), session.clone());
        let typing = after.as_ref().and_then(|after| after.typing);
        let is_there = after.is_some();
        let before = match after {
            Some(after) => self.at.entry(conversation.clone()).or_default().insert(session.clone(), after),
            None => {
                remove_from(&mut self.at, conversation, |who| (who.remove(session), who.is_empty())).flatten()
            }
        };
        if let Some(typed) = before.as_ref().and_then(|before| before.typing) {
            self.due.remove(&due(typed));
        }
        if let Some(types) = typing {
            self.due.insert(due(types));
        }
        if is_there {
            self.of.entry(session.clone()).or_default().insert(conversation.clone());
        } else {
            remove_from(&mut self.of, session, |at| (at.remove(conversation), at.is_empty()));
        }
        before.is_some()
    }
}

/// Removes from an entry of a map, and the entry once nothing is left in it.
fn remove_from<K: Ord + Clone, V: Clone, T>(
    map: &mut OrdMap<K, V>,
    key: &K,
    remove: impl FnOnce(&mut V) -> (T, bool),
) -> Option<T> {
    let (removed, empty) = remove(map.get_mut(key)?);
    if empty {
        map.remove(key);
    }
    Some(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_behind() {
        let id = |text: &str| text.parse::<ConversationId>().unwrap();
        let (ada, session): (TeammateId, SessionId) = ("ada".parse().unwrap(), "s".parse().unwrap());
        let mut crowd = Crowd::default();
        crowd.arrive(&ada);
        for conversation in ["c", "d", "e"] {
            crowd.attend(&id(conversation), &session, &ada, |at| at.typing = Some((TypingMode::Reply, 1)));
        }
        assert!(crowd.clear(&id("c")));
        assert!(!crowd.clear(&id("c")), "nobody is there any more");
        assert_eq!(crowd.expire(1).len(), 2);
        assert_eq!(crowd.next_expiry(), None);
        crowd.depart(&ada, &session);
        assert!(crowd.at.is_empty() && crowd.here.is_empty() && crowd.of.is_empty() && crowd.due.is_empty());
    }
}
