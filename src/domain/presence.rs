//! Who is here, who is viewing, who is typing: a value of its own, outside the log. Nothing of it is stored or
//! replayed, and who may see it is asked of the same predicate as everything else.

use std::collections::BTreeSet;

use imbl::{OrdMap, OrdSet};
use rotunda_protocol::Millis;
use rotunda_protocol::directory::Features;
use rotunda_protocol::id::{ConversationId, SessionId, TeammateId};
use rotunda_protocol::push::{self as wire, ConversationPresence, Typing, TypingMode};

use super::organization::Organization;

/// How long somebody is typing after they last said so.
pub const TYPING_FOR: Millis = 6_000;

/// One session at a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attendance {
    teammate: TeammateId,
    viewing: bool,
    typing: Option<(TypingMode, Millis)>,
}

/// Who is where. A clone is a snapshot and costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    here: OrdMap<TeammateId, u32>,
    at: OrdMap<ConversationId, OrdMap<SessionId, Attendance>>,
    /// Where each session is, for when it goes.
    of: OrdMap<SessionId, OrdSet<ConversationId>>,
    /// Who stops typing when, the earliest first: looked at after every batch of a room.
    due: OrdSet<(Millis, ConversationId, SessionId)>,
}

impl Presence {
    /// A session of a teammate came.
    pub fn arrive(&mut self, teammate: &TeammateId) {
        *self.here.entry(teammate.clone()).or_insert(0) += 1;
    }

    /// Who is at conversations, and who was last told to be here: what a session that comes now is told, so that the
    /// comings and goings it is told later continue from it.
    #[must_use]
    pub fn as_told(&self, told: &Self) -> Self {
        Self { here: told.here.clone(), ..self.clone() }
    }

    /// Who is here and was not in `before`, and who was and is not any more.
    pub fn moves_since(&self, before: &Self) -> (Vec<TeammateId>, Vec<TeammateId>) {
        let without = |of: &Self, other: &Self| -> Vec<TeammateId> {
            of.here.keys().filter(|id| !other.here.contains_key(*id)).cloned().collect()
        };
        (without(self, before), without(before, self))
    }

    /// A session of a teammate went, from everywhere it was: the conversations at which something changed.
    pub fn depart(&mut self, teammate: &TeammateId, session: &SessionId) -> Vec<ConversationId> {
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

    /// A session has a conversation open.
    pub fn view(
        &mut self,
        conversation: &ConversationId,
        session: &SessionId,
        teammate: &TeammateId,
    ) -> bool {
        self.attend(conversation, session, teammate, |attendance| attendance.viewing = true)
    }

    /// A session types in a conversation.
    pub fn typing(
        &mut self,
        conversation: &ConversationId,
        session: &SessionId,
        teammate: &TeammateId,
        mode: TypingMode,
        now: Millis,
    ) -> bool {
        let known = self.at.get(conversation).and_then(|who| who.get(session)).and_then(|who| who.typing);
        self.attend(conversation, session, teammate, |attendance| {
            attendance.typing = Some((mode, now + TYPING_FOR));
        });
        known.map(|(mode, _)| mode) != Some(mode)
    }

    /// A session has stopped typing.
    pub fn idle(&mut self, conversation: &ConversationId, session: &SessionId) -> bool {
        let known = self.at.get(conversation).and_then(|who| who.get(session));
        let Some(before) = known.filter(|at| at.typing.is_some()).cloned() else { return false };
        let after = Attendance { typing: None, ..before };
        self.put(conversation, session, Some(after).filter(|at| at.viewing));
        true
    }

    /// A session is no longer at a conversation.
    pub fn close(&mut self, conversation: &ConversationId, session: &SessionId) -> bool {
        self.put(conversation, session, None)
    }

    /// Nobody is at a conversation any more. True if somebody was.
    pub fn clear(&mut self, conversation: &ConversationId) -> bool {
        let there: Vec<_> = self.at.get(conversation).into_iter().flat_map(OrdMap::keys).cloned().collect();
        for session in &there {
            self.close(conversation, session);
        }
        !there.is_empty()
    }

    /// Somebody is at a conversation.
    pub fn is_at(&self, conversation: &ConversationId) -> bool {
        self.at.contains_key(conversation)
    }

    /// Where somebody is.
    pub fn attended(&self) -> Vec<ConversationId> {
        self.at.keys().cloned().collect()
    }

    /// Typing that was not renewed ends. The conversations at which something changed.
    pub fn expire(&mut self, now: Millis) -> Vec<ConversationId> {
        let due = self.due.iter().take_while(|(until, ..)| *until <= now);
        let due: Vec<_> = due.map(|(_, at, session)| (at.clone(), session.clone())).collect();
        let mut changed = BTreeSet::new();
        for (conversation, session) in due {
            self.idle(&conversation, &session);
            changed.insert(conversation);
        }
        changed.into_iter().collect()
    }

    /// When something expires next.
    pub fn next_expiry(&self) -> Option<Millis> {
        self.due.get_min().map(|(until, ..)| *until)
    }

    /// Whoever may no longer see a conversation is no longer at it (B10). The conversations at which something
    /// changed. `gone` is asked for everybody who is somewhere.
    pub fn retain(&mut self, gone: impl Fn(&TeammateId, &ConversationId) -> bool) -> Vec<ConversationId> {
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
        changed.into_iter().collect()
    }

    /// Who is at a conversation, as the organization's switches allow it to be shown (C5).
    pub fn of(&self, conversation: &ConversationId, features: Features) -> ConversationPresence {
        let who = self.at.get(conversation);
        let everyone = || who.into_iter().flat_map(OrdMap::values);
        let viewing: BTreeSet<_> =
            everyone().filter(|at| features.viewing && at.viewing).map(|at| at.teammate.clone()).collect();
        let typing: BTreeSet<_> = everyone()
            .filter(|_| features.typing)
            .filter_map(|at| at.typing.map(|(mode, _)| (at.teammate.clone(), mode)))
            .collect();
        ConversationPresence {
            conversation: conversation.clone(),
            viewing: viewing.into_iter().collect(),
            typing: typing.into_iter().map(|(teammate, mode)| Typing { teammate, mode }).collect(),
        }
    }

    /// Everything of it that a teammate may see. They are here themselves: it is for a session of theirs.
    pub fn seen_by(&self, organization: &Organization, teammate: &TeammateId) -> wire::Presence {
        let Some(profile) = organization.profile() else { return wire::Presence::default() };
        let visible = |id: &&ConversationId| {
            organization.conversation(id).is_some_and(|open| organization.can_see(teammate, open))
        };
        let conversations = self.at.keys().filter(visible).map(|id| self.of(id, profile.features));
        let here: BTreeSet<_> = self.here.keys().chain([teammate]).cloned().collect();
        wire::Presence {
            here: here.into_iter().collect(),
            conversations: conversations
                .filter(|at| !at.viewing.is_empty() || !at.typing.is_empty())
                .collect(),
        }
    }

    fn attend(
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

    const ALL: Features = Features { assignment: true, viewing: true, typing: true };

    fn id<T: std::str::FromStr>(text: &str) -> T
    where
        T::Err: std::fmt::Debug,
    {
        text.parse().unwrap()
    }

    #[test]
    fn typing_ends_by_itself_and_viewing_does_not() {
        let (conversation, session, ada) = (id("c"), id("s"), id("ada"));
        let mut presence = Presence::default();
        assert!(presence.view(&conversation, &session, &ada));
        assert!(!presence.view(&conversation, &session, &ada), "nothing new");
        assert!(presence.typing(&conversation, &session, &ada, TypingMode::Reply, 1_000));
        assert!(!presence.typing(&conversation, &session, &ada, TypingMode::Reply, 2_000), "renewed");
        assert_eq!(presence.next_expiry(), Some(2_000 + TYPING_FOR));
        assert!(presence.expire(2_000 + TYPING_FOR - 1).is_empty());
        assert_eq!(presence.expire(2_000 + TYPING_FOR), vec![conversation.clone()]);
        let now = presence.of(&conversation, ALL);
        assert_eq!((now.viewing, now.typing), (vec![ada], vec![]));
        assert_eq!(presence.next_expiry(), None);
    }

    #[test]
    fn b40_presence_is_kept_for_each_session_and_goes_with_it() {
        let (conversation, ada) = (id("c"), id("ada"));
        let (web, phone) = (id("web"), id("phone"));
        let mut presence = Presence::default();
        presence.arrive(&ada);
        assert_eq!(presence.moves_since(&Presence::default()), (vec![ada.clone()], vec![]));
        presence.arrive(&ada);
        let both = presence.clone();
        presence.view(&conversation, &web, &ada);
        presence.view(&conversation, &phone, &ada);
        assert_eq!(presence.depart(&ada, &web), vec![conversation.clone()]);
        assert_eq!(presence.moves_since(&both), (vec![], vec![]));
        assert_eq!(presence.of(&conversation, ALL).viewing, vec![ada.clone()]);
        assert_eq!(presence.depart(&ada, &phone), vec![conversation.clone()]);
        assert_eq!(presence.moves_since(&both), (vec![], vec![ada.clone()]));
        assert!(presence.of(&conversation, ALL).viewing.is_empty());
        assert!(presence.at.is_empty() && presence.here.is_empty());
        assert!(presence.of.is_empty() && presence.due.is_empty());
    }

    #[test]
    fn the_next_end_of_typing_is_known_however_many_are_here_and_nothing_of_it_is_left_behind() {
        let mut presence = Presence::default();
        let sessions: Vec<SessionId> = (0..3).map(|n| id(&format!("s{n}"))).collect();
        let (conversation, other): (ConversationId, ConversationId) = (id("c"), id("d"));
        for (n, session) in (0..).zip(&sessions) {
            presence.view(&conversation, session, &id("ada"));
            presence.typing(&conversation, session, &id("ada"), TypingMode::Reply, n);
            presence.typing(&other, session, &id("ada"), TypingMode::Note, n);
        }
        // Renewed, stopped, gone, archived.
        presence.typing(&conversation, &sessions[0], &id("ada"), TypingMode::Reply, 10);
        assert_eq!(presence.next_expiry(), Some(TYPING_FOR), "of the other conversation");
        assert!(presence.idle(&other, &sessions[0]));
        assert_eq!(presence.next_expiry(), Some(1 + TYPING_FOR));
        assert_eq!(presence.depart(&id("ada"), &sessions[1]), [conversation.clone(), other.clone()]);
        assert_eq!(presence.next_expiry(), Some(2 + TYPING_FOR));
        assert!(presence.clear(&other) && presence.clear(&conversation));
        assert_eq!(presence.next_expiry(), None);
        assert!(presence.at.is_empty() && presence.of.is_empty());
    }

    #[test]
    fn b10_whoever_lost_access_is_no_longer_there() {
        let (conversation, session, ada): (ConversationId, _, TeammateId) = (id("c"), id("s"), id("ada"));
        let mut presence = Presence::default();
        presence.view(&conversation, &session, &ada);
        assert!(presence.retain(|_, _| false).is_empty());
        assert_eq!(presence.retain(|who, _| *who == ada), vec![conversation.clone()]);
        assert!(presence.of(&conversation, ALL).viewing.is_empty());
    }

    #[test]
    fn c5_the_switches_hide_viewing_and_typing() {
        let (conversation, session, ada) = (id("c"), id("s"), id("ada"));
        let mut presence = Presence::default();
        presence.view(&conversation, &session, &ada);
        presence.typing(&conversation, &session, &ada, TypingMode::Note, 0);
        let off = presence.of(&conversation, Features { viewing: false, typing: false, ..ALL });
        assert!(off.viewing.is_empty() && off.typing.is_empty());
    }
}
