//! Who is here, who is viewing, who is typing: a value of its own, outside the log, merged from what this node's
//! sessions do and what other nodes report. Nothing of it is stored or replayed, and who may see it is asked of the
//! same predicate as everything else.

use std::collections::BTreeSet;

use imbl::{OrdMap, OrdSet};
use rotunda_protocol::Millis;
use rotunda_protocol::directory::Features;
use rotunda_protocol::id::{ConversationId, SessionId, TeammateId};
use rotunda_protocol::push::{self as wire, ConversationPresence, Typing, TypingMode};
use serde::{Deserialize, Serialize};

pub use super::crowd::TYPING_FOR;
use super::crowd::{Attendance, Crowd};
use super::node::NodeId;
use super::organization::Organization;

/// How often a node reports all of it, so that a lost report is made up for.
pub const REPORT_EVERY: Millis = 4_000;
/// How long a node's sessions are taken to be there after it last reported: two reports may get lost.
pub const REPORTED_FOR: Millis = 3 * REPORT_EVERY;

/// A session at a conversation, as its node reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attending {
    session: SessionId,
    teammate: TeammateId,
    viewing: bool,
    /// How, and for how long still: clocks differ.
    typing: Option<(TypingMode, Millis)>,
}

/// What a node says of its sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// It is all of it: whoever is not named is nowhere.
    pub whole: bool,
    /// Everybody who has a session there; none if that is as before.
    pub here: Option<BTreeSet<TeammateId>>,
    /// All who are at these conversations.
    pub at: Vec<(ConversationId, Vec<Attending>)>,
}

impl Report {
    /// Of a node that no longer has the organization in memory.
    pub fn gone() -> Self {
        Self { whole: true, here: Some(BTreeSet::new()), at: Vec::new() }
    }
}

/// What another node reported.
#[derive(Debug, Clone)]
struct Other {
    crowd: Crowd,
    /// The number of its newest report.
    number: u64,
    /// When it is taken to be gone.
    until: Millis,
}

/// What a report changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The node was not known.
    pub is_new: bool,
    /// Somebody may have come or gone.
    pub here: bool,
    /// Conversations at which something changed.
    pub at: BTreeSet<ConversationId>,
}

/// Who is where. A clone is a snapshot and costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Presence {
    own: Crowd,
    others: OrdMap<NodeId, Other>,
    /// Who everybody was last told to be here.
    told: OrdSet<TeammateId>,
}

impl Presence {
    /// A session of a teammate came.
    pub fn arrive(&mut self, teammate: &TeammateId) {
        self.own.arrive(teammate);
    }

    /// A session of a teammate went, from everywhere it was: the conversations at which something changed.
    pub fn depart(&mut self, teammate: &TeammateId, session: &SessionId) -> Vec<ConversationId> {
        self.own.depart(teammate, session)
    }

    /// Who came and who went since this was last asked: everybody is told now. A session that comes later is told
    /// what the others were told, so that the comings and goings it is told then continue from it.
    pub fn tell(&mut self) -> (Vec<TeammateId>, Vec<TeammateId>) {
        let here: OrdSet<TeammateId> = self.crowds().flat_map(|crowd| crowd.here.keys().cloned()).collect();
        let told = std::mem::replace(&mut self.told, here.clone());
        let without = |of: OrdSet<TeammateId>, other| of.relative_complement(other).into_iter().collect();
        (without(here.clone(), told.clone()), without(told, here))
    }

    /// A session has a conversation open.
    pub fn view(
        &mut self,
        conversation: &ConversationId,
        session: &SessionId,
        teammate: &TeammateId,
    ) -> bool {
        self.own.attend(conversation, session, teammate, |attendance| attendance.viewing = true)
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
        let there = self.own.at.get(conversation);
        let known = there.and_then(|who| who.get(session)).and_then(|who| who.typing);
        self.own.attend(conversation, session, teammate, |attendance| {
            attendance.typing = Some((mode, now + TYPING_FOR));
        });
        known.map(|(mode, _)| mode) != Some(mode)
    }

    /// A session has stopped typing.
    pub fn idle(&mut self, conversation: &ConversationId, session: &SessionId) -> bool {
        self.own.idle(conversation, session)
    }

    /// A session is no longer at a conversation.
    pub fn close(&mut self, conversation: &ConversationId, session: &SessionId) -> bool {
        self.own.close(conversation, session)
    }

    /// Nobody is at a conversation any more. True if somebody was.
    pub fn clear(&mut self, conversation: &ConversationId) -> bool {
        self.change_all(|crowd| crowd.clear(conversation)).into_iter().any(|there| there)
    }

    /// Somebody is at a conversation.
    pub fn is_at(&self, conversation: &ConversationId) -> bool {
        self.crowds().any(|crowd| crowd.at.contains_key(conversation))
    }

    /// Where somebody is.
    pub fn attended(&self) -> BTreeSet<ConversationId> {
        self.crowds().flat_map(|crowd| crowd.at.keys().cloned()).collect()
    }

    /// Typing that was not renewed ends, and a node that does not report any more is gone. What changed by that.
    pub fn expire(&mut self, now: Millis) -> Heard {
        let mut heard = Heard::default();
        heard.at.extend(self.change_all(|crowd| crowd.expire(now)).into_iter().flatten());
        let gone: Vec<_> = self
            .others
            .iter()
            .filter(|(_, other)| other.until <= now)
            .map(|(node, _)| node.clone())
            .collect();
        for node in gone {
            self.lose(&node, &mut heard);
        }
        heard
    }

    /// When something expires next.
    pub fn next_expiry(&self) -> Option<Millis> {
        let typing = self.crowds().filter_map(Crowd::next_expiry);
        typing.chain(self.others.values().map(|other| other.until)).min()
    }

    /// Whoever may no longer see a conversation is no longer at it (B10). The conversations at which something
    /// changed. `gone` is asked for everybody who is somewhere.
    pub fn retain(
        &mut self,
        gone: impl Fn(&TeammateId, &ConversationId) -> bool,
    ) -> BTreeSet<ConversationId> {
        self.change_all(|crowd| crowd.retain(&gone)).into_iter().flatten().collect()
    }

    /// Who is at a conversation, as the organization's switches allow it to be shown (C5).
    pub fn of(&self, conversation: &ConversationId, features: Features) -> ConversationPresence {
        let everyone =
            || self.crowds().filter_map(|crowd| crowd.at.get(conversation)).flat_map(OrdMap::values);
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
        let visible = |id: &ConversationId| {
            organization.conversation(id).is_some_and(|open| organization.can_see(teammate, open))
        };
        let attended = self.attended().into_iter().filter(visible);
        let here: BTreeSet<_> = self.told.iter().chain([teammate]).cloned().collect();
        wire::Presence {
            here: here.into_iter().collect(),
            conversations: attended
                .map(|id| self.of(&id, profile.features))
                .filter(|at| !at.viewing.is_empty() || !at.typing.is_empty())
                .collect(),
        }
    }

    fn crowds(&self) -> impl Iterator<Item = &Crowd> {
        std::iter::once(&self.own).chain(self.others.values().map(|other| &other.crowd))
    }

    fn change_all<T>(&mut self, change: impl Fn(&mut Crowd) -> T) -> Vec<T> {
        let nodes: Vec<_> = self.others.keys().cloned().collect();
        let mut changes = vec![change(&mut self.own)];
        changes.extend(nodes.iter().filter_map(|node| Some(change(&mut self.others.get_mut(node)?.crowd))));
        changes
    }
}

/// Between nodes.
impl Presence {
    /// Everything about this node's sessions.
    pub fn report(&self, now: Millis) -> Report {
        let at = self.own.at.keys().map(|id| (id.clone(), self.attending(id, now)));
        Report { whole: true, here: Some(self.own.here.keys().cloned().collect()), at: at.collect() }
    }

    /// What has become of these conversations, and of who is here if `here`.
    pub fn report_of(&self, conversations: &BTreeSet<ConversationId>, here: bool, now: Millis) -> Report {
        let at = conversations.iter().map(|id| (id.clone(), self.attending(id, now)));
        let here = here.then(|| self.own.here.keys().cloned().collect());
        Report { whole: false, here, at: at.collect() }
    }

    fn attending(&self, conversation: &ConversationId, now: Millis) -> Vec<Attending> {
        let there = self.own.at.get(conversation).into_iter().flatten();
        let attending = |(session, at): (&SessionId, &Attendance)| Attending {
            session: session.clone(),
            teammate: at.teammate.clone(),
            viewing: at.viewing,
            typing: at.typing.map(|(mode, until)| (mode, until - now)),
        };
        there.map(attending).collect()
    }

    /// What another node reports, its reports numbered. Late and doubled ones change nothing. Who `may` not see a
    /// conversation is not at it, whatever the node says: it may not have heard yet.
    pub fn hear(
        &mut self,
        (node, number): (&NodeId, u64),
        report: Report,
        now: Millis,
        may: impl Fn(&TeammateId, &ConversationId) -> bool,
    ) -> Heard {
        let mut heard = Heard { is_new: !self.others.contains_key(node), ..Heard::default() };
        let blank = || Other { crowd: Crowd::default(), number: 0, until: now };
        let other = self.others.entry(node.clone()).or_insert_with(blank);
        if number <= other.number && !heard.is_new {
            return heard;
        }
        (other.number, other.until) = (number, now + REPORTED_FOR);
        if let Some(here) = report.here {
            heard.here = !here.iter().eq(other.crowd.here.keys());
            other.crowd.here = here.into_iter().map(|teammate| (teammate, 1_u32)).collect();
        }
        let named: BTreeSet<_> = report.at.iter().map(|(id, _)| id.clone()).collect();
        let left = other.crowd.at.keys().filter(|id| report.whole && !named.contains(*id)).cloned();
        let left: Vec<_> = left.map(|id| (id, Vec::new())).collect();
        for (id, there) in report.at.into_iter().chain(left) {
            let there = there.into_iter().filter(|at| may(&at.teammate, &id)).map(|at| {
                let typing = at.typing.map(|(mode, left)| (mode, now + left.min(TYPING_FOR)));
                (at.session, Attendance { teammate: at.teammate, viewing: at.viewing, typing })
            });
            if other.crowd.set(&id, there) {
                heard.at.insert(id);
            }
        }
        heard
    }

    fn lose(&mut self, node: &NodeId, heard: &mut Heard) {
        if let Some(other) = self.others.remove(node) {
            heard.here |= !other.crowd.here.is_empty();
            heard.at.extend(other.crowd.at.keys().cloned());
        }
    }
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
        assert_eq!(presence.expire(2_000 + TYPING_FOR - 1), Heard::default());
        assert_eq!(presence.expire(2_000 + TYPING_FOR).at, BTreeSet::from([conversation.clone()]));
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
        assert_eq!(presence.tell(), (vec![ada.clone()], vec![]));
        presence.arrive(&ada);
        presence.view(&conversation, &web, &ada);
        presence.view(&conversation, &phone, &ada);
        assert_eq!(presence.depart(&ada, &web), vec![conversation.clone()]);
        assert_eq!(presence.tell(), (vec![], vec![]));
        assert_eq!(presence.of(&conversation, ALL).viewing, vec![ada.clone()]);
        assert_eq!(presence.depart(&ada, &phone), vec![conversation.clone()]);
        assert_eq!(presence.tell(), (vec![], vec![ada.clone()]));
        assert!(presence.of(&conversation, ALL).viewing.is_empty());
        assert!(presence.own.at.is_empty() && presence.own.here.is_empty());
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
        assert!(presence.own.at.is_empty());
    }

    #[test]
    fn b10_whoever_lost_access_is_no_longer_there() {
        let (conversation, session, ada): (ConversationId, _, TeammateId) = (id("c"), id("s"), id("ada"));
        let mut presence = Presence::default();
        presence.view(&conversation, &session, &ada);
        assert!(presence.retain(|_, _| false).is_empty());
        assert_eq!(presence.retain(|who, _| *who == ada), BTreeSet::from([conversation.clone()]));
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

    fn everybody(_: &TeammateId, _: &ConversationId) -> bool {
        true
    }

    /// Two nodes: ben views `c` and types in `d` on the one; what the other hears of it.
    fn two() -> (Presence, Presence, NodeId) {
        let (mut here, there) = (Presence::default(), Presence::default());
        here.arrive(&id("ben"));
        here.view(&id("c"), &id("s"), &id("ben"));
        here.typing(&id("d"), &id("s"), &id("ben"), TypingMode::Reply, 1_000);
        (here, there, NodeId::new("n"))
    }

    fn conversations(names: &[&str]) -> BTreeSet<ConversationId> {
        names.iter().map(|name| id(name)).collect()
    }

    #[test]
    fn what_another_node_reports_is_merged_and_late_reports_change_nothing() {
        let (mut here, mut there, node) = two();
        let first = here.report(1_000);
        // A clock that is a minute ahead: what counts is how long is left.
        let heard = there.hear((&node, 1), first.clone(), 61_000, everybody);
        assert_eq!(heard, Heard { is_new: true, here: true, at: conversations(&["c", "d"]) });
        assert_eq!(there.tell(), (vec![id("ben")], vec![]));
        assert_eq!(there.of(&id("c"), ALL).viewing, vec![id("ben")]);
        assert_eq!(there.of(&id("d"), ALL).typing.len(), 1);
        assert_eq!(there.next_expiry(), Some(61_000 + TYPING_FOR));
        assert_eq!(there.hear((&node, 1), first.clone(), 61_000, everybody), Heard::default(), "doubled");

        here.close(&id("c"), &id("s"));
        here.depart(&id("ben"), &id("s"));
        let second = here.report_of(&conversations(&["c", "d"]), true, 2_000);
        let heard = there.hear((&node, 2), second, 62_000, everybody);
        assert_eq!(heard, Heard { is_new: false, here: true, at: conversations(&["c", "d"]) });
        assert_eq!(there.hear((&node, 1), first, 62_000, everybody), Heard::default(), "late");
        assert_eq!(there.tell(), (vec![], vec![id("ben")]));
        assert!(there.attended().is_empty());
    }

    #[test]
    fn a_whole_report_ends_what_it_does_not_name_and_one_that_repeats_changes_nothing() {
        let (mut here, mut there, node) = two();
        there.hear((&node, 1), here.report(1_000), 1_000, everybody);
        assert_eq!(there.hear((&node, 2), here.report(2_000), 2_000, everybody), Heard::default());
        here.close(&id("c"), &id("s"));
        let heard = there.hear((&node, 3), here.report(3_000), 3_000, everybody);
        assert_eq!(heard.at, conversations(&["c"]));
    }

    #[test]
    fn a_node_that_reports_no_more_is_gone_with_its_sessions() {
        let (here, mut there, node) = two();
        there.hear((&node, 1), here.report(1_000), 1_000, everybody);
        assert_eq!(there.expire(1_000 + REPORTED_FOR - 1).at, conversations(&["d"]), "typing ends before");
        let heard = there.expire(1_000 + REPORTED_FOR);
        assert_eq!(heard, Heard { is_new: false, here: true, at: conversations(&["c"]) });
        assert_eq!((there.next_expiry(), there.attended()), (None, BTreeSet::new()));
        there.hear((&node, 2), here.report(1_000), 2_000, everybody);
        let gone = there.hear((&node, 4), Report::gone(), 2_000, everybody);
        assert_eq!((gone.here, gone.at), (true, conversations(&["c", "d"])), "it said so itself");
        let late = there.hear((&node, 3), here.report(1_000), 2_000, everybody);
        assert_eq!(late, Heard::default(), "what it said before comes too late");
    }

    #[test]
    fn b10_whoever_may_not_see_a_conversation_is_not_at_it_whatever_another_node_says() {
        let (here, mut there, node) = two();
        let heard = there.hear((&node, 1), here.report(0), 0, |_, conversation| *conversation == id("d"));
        assert_eq!(heard.at, conversations(&["d"]));
        assert!(there.of(&id("c"), ALL).viewing.is_empty());
        assert_eq!(there.retain(|_, _| true), conversations(&["d"]));
        assert!(there.attended().is_empty());
        there.hear((&node, 2), here.report(0), 0, everybody);
        assert!(there.clear(&id("c")), "an archived conversation has nobody at it on any node");
    }
}
