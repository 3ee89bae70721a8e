//! Where a session sits: its room, its number there, its queue, and what it has open.

use std::sync::{Arc, Mutex};

use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Done, Revoked};
use rotunda_protocol::frame::{Answer, Ref, ServerFrame};
use rotunda_protocol::id::{ConversationId, SessionId, TeammateId};
use rotunda_protocol::refusal::Refusal;

use super::ANSWERS_MAX;
use super::refused;
use super::registry::{Key, OPEN_MAX};
use super::room::Room;
use super::send_queue::{About, Narrowed, QueuedFrame, SendQueue};
use super::wire;
use crate::domain::event::Seq;
use crate::domain::organization::Organization;

/// Where a session sits.
pub(super) struct Place {
    /// Its room.
    pub room: Arc<Room>,
    /// Its number there.
    pub key: Key,
    /// The session.
    pub session: SessionId,
    /// Whose it is.
    pub teammate: TeammateId,
    /// How its frames are encoded.
    pub codec: Codec,
    /// Where its frames go.
    pub queue: Arc<SendQueue>,
    open: Mutex<Vec<ConversationId>>,
}

impl Place {
    /// A place that the room has given.
    pub(super) fn new(
        room: Arc<Room>,
        key: Key,
        session: SessionId,
        teammate: TeammateId,
        codec: Codec,
        queue: Arc<SendQueue>,
    ) -> Self {
        Self { room, key, session, teammate, codec, queue, open: Mutex::default() }
    }

    /// The conversations that the session has open, as it said itself.
    pub(super) fn open(&self) -> Vec<ConversationId> {
        self.open.lock().expect("nothing panics while it holds this").clone()
    }

    pub(super) fn remember(&self, conversation: &ConversationId, opened: bool) {
        let mut open = self.open.lock().expect("nothing panics while it holds this");
        // As the room does it: opening again does not make it the one opened last.
        if opened && !open.contains(conversation) {
            open.push(conversation.clone());
            if open.len() > OPEN_MAX {
                open.remove(0);
            }
        } else if !opened {
            open.retain(|other| other != conversation);
        }
    }

    pub(super) fn answer(&self, r#ref: Ref, answer: Answer, read: Option<Seq>) -> Result<(), Narrowed> {
        let about = if read.is_some() { About::Reading } else { About::Anyone };
        let bytes = wire::encode(self.codec, &ServerFrame::Answer { r#ref, answer });
        self.queue.answer(QueuedFrame { bytes, seq: None, about }, read)
    }

    /// What a command did. Who else still sees conversations of an endpoint is told only to who may still view it, and
    /// how many lost something only to who still is an admin: the answer may have waited for other nodes.
    pub(super) fn done(&self, r#ref: &Ref, done: Done, revoked: Option<Revoked>) {
        let answers = |done, revoked, about, reads| {
            let frame = ServerFrame::Answer { r#ref: r#ref.clone(), answer: Answer::Done { done, revoked } };
            let bytes = wire::encode(self.codec, &frame);
            self.queue.answer(QueuedFrame { bytes, seq: None, about }, reads)
        };
        for _ in 0..ANSWERS_MAX {
            let organization = &self.room.view().organization;
            let (done, revoked, about) = self.fit(organization, done.clone(), revoked);
            let reads = (!matches!(about, About::Anyone)).then(|| organization.seq());
            if answers(done, revoked, about, reads).is_ok() {
                return;
            }
        }
        // Access narrows again and again: without what might be lost.
        let queued = answers(without_still(done), None, About::Anyone, None);
        debug_assert_eq!(queued, Ok(()));
    }

    /// What of it may be told, and what that is about.
    fn fit(
        &self,
        organization: &Organization,
        done: Done,
        revoked: Option<Revoked>,
    ) -> (Done, Option<Revoked>, About) {
        // Admins view all endpoints.
        if organization.is_admin(&self.teammate) && revoked.is_some() {
            return (done, revoked, About::Administration);
        }
        if let Done::Endpoint { endpoint, still } = &done
            && !still.is_empty()
            && organization.endpoint(endpoint).is_some_and(|it| organization.can_view(&self.teammate, it))
        {
            let about = About::Endpoints([endpoint.clone()].into());
            return (done, None, about);
        }
        (without_still(done), None, About::Anyone)
    }

    /// A refusal that was found to be fit to be told as of a position.
    pub(super) fn refuse_as_of(&self, r#ref: Ref, refusal: Refusal, as_of: Seq) {
        let read = refused::tells(&refusal).then_some(as_of);
        if self.answer(r#ref.clone(), refusal.into(), read).is_err() {
            self.refuse(r#ref, Refusal::AccessChanged);
        }
    }

    pub(super) fn refuse(&self, r#ref: Ref, refusal: Refusal) {
        // A refusal reads nothing, so nothing can have narrowed.
        let queued = self.answer(r#ref, refusal.into(), None);
        debug_assert_eq!(queued, Ok(()));
    }
}

/// Without who else still sees conversations of an endpoint.
fn without_still(mut done: Done) -> Done {
    if let Done::Endpoint { still, .. } = &mut done {
        still.clear();
    }
    done
}
