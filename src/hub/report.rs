//! Presence between nodes: what a room tells others of its sessions, and hears of theirs. Changes are told as they
//! happen, and now and then all of it, so that a lost report is made up for.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use rotunda_protocol::id::ConversationId;
use tokio::time::Instant;

use super::attendance::HERE_EVERY;
use super::keeper::Keeper;
use crate::bus::Topic;
use crate::bus::envelope::{self, Said};
use crate::clock;
use crate::domain::presence::{Heard, REPORT_EVERY, Report};

/// What is yet to be told to other nodes.
#[derive(Debug, Default)]
pub(super) struct Reporting {
    /// Conversations at which a session here has come or gone.
    pub at: BTreeSet<ConversationId>,
    /// Somebody has come or gone; told together with what the sessions here are told of it.
    pub here: bool,
    /// When all of it is told.
    pub whole_at: Option<Instant>,
}

impl Keeper {
    /// Tells other nodes what has changed here.
    pub(super) fn report(&mut self) {
        let now = clock::steady_millis();
        if self.reporting.whole_at.is_some_and(|at| at <= Instant::now()) {
            self.say(self.presence.report(now));
            let again = Duration::from_millis(REPORT_EVERY.unsigned_abs());
            // Of a room without sessions nobody needs to hear again.
            let whole_at = (!self.registry.is_empty()).then(|| Instant::now() + again);
            self.reporting = Reporting { whole_at, ..Reporting::default() };
        }
        let here = self.reporting.here && self.tell_at.is_none();
        if here || !self.reporting.at.is_empty() {
            let at = std::mem::take(&mut self.reporting.at);
            self.say(self.presence.report_of(&at, here, now));
            self.reporting.here &= !here;
        }
    }

    /// A session has come, or gone.
    pub(super) fn moved(&mut self) {
        self.tell_at.get_or_insert_with(|| Instant::now() + HERE_EVERY);
        if self.room.services.peers.is_some() {
            self.reporting.here = true;
            self.reporting.whole_at.get_or_insert_with(Instant::now);
        }
    }

    /// A session here has come to a conversation, or gone from it.
    pub(super) fn moved_at(&mut self, conversation: &ConversationId) {
        if self.room.services.peers.is_some() {
            self.reporting.at.insert(conversation.clone());
        }
    }

    /// Other nodes need not wait for what this one has said to expire.
    pub(super) fn say_goodbye(&self) {
        self.say(Report::gone());
    }

    fn say(&self, report: Report) {
        let (Some(peers), Some(cursors)) = (&self.room.services.peers, &self.cursors) else { return };
        let said = Said { epoch: cursors.epoch(), number: peers.next_number(), report };
        let message = envelope::encode(&peers.node, &said);
        peers.bus.publish(&Topic::Presence(self.room.organization.clone()), message);
    }

    /// What another node says of its sessions. What cannot be read is made up for when it expires.
    pub(super) fn hear_of_others(&mut self, message: &Bytes) {
        let Ok((by, said)) = envelope::decode::<Said>(message) else { return };
        if !self.cursors.as_ref().is_some_and(|cursors| cursors.are_of(said.epoch)) {
            return;
        }
        let organization = &self.organization;
        let may = |teammate: &_, id: &_| {
            organization.conversation(id).is_some_and(|open| organization.can_see(teammate, open))
        };
        let heard = self.presence.hear((&by, said.number), said.report, clock::steady_millis(), may);
        if heard.is_new && !self.registry.is_empty() {
            // It does not know who is here either.
            self.reporting.whole_at = Some(Instant::now());
        }
        self.tell_heard(&heard);
    }

    /// Tells the sessions here what became of others.
    pub(super) fn tell_heard(&mut self, heard: &Heard) {
        if heard.here {
            self.tell_at.get_or_insert_with(|| Instant::now() + HERE_EVERY);
        }
        if !heard.at.is_empty() {
            self.publish();
            for conversation in &heard.at {
                self.tell_presence(conversation, None);
            }
        }
    }
}
