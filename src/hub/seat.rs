//! A session's place in its room: what the session's task can ask of the hub without ever waiting for it.

use std::sync::Arc;

use rotunda_protocol::ask::{Ask, Told};
use rotunda_protocol::command::{Command, Outcome};
use rotunda_protocol::frame::{Answer, Ref, Signal};
use rotunda_protocol::id::{ConversationId, TeammateId};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::push::ConversationPresence;
use rotunda_protocol::refusal::Refusal;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::place::Place;
use super::registry::OPEN_MAX;
use super::room::{Input, Pending};
use super::send_queue::Permit;
use super::{ANSWERS_MAX, commit, greeting, read, refused, room};
use crate::domain::event::Seq;

/// A session's place in its room. Dropping it leaves the room.
pub struct Seat(Arc<Place>);

impl Place {
    async fn tell(&self, r#ref: Ref, ask: Ask) {
        let mut refusal = Refusal::AccessChanged;
        for _ in 0..ANSWERS_MAX {
            match self.read(&ask).await {
                // The row was newer than the snapshot: the room is about to publish it, or has yet to hear of it.
                Err(Refusal::AccessChanged) => self.room.look().await,
                Err(other) => {
                    refusal = other;
                    break;
                }
                Ok((told, as_of)) => {
                    let shown =
                        if let Told::Opened { presence, .. } = &told { Some(presence.clone()) } else { None };
                    if self.answer(r#ref.clone(), Answer::Told { told }, Some(as_of)).is_ok() {
                        if let Some(shown) = shown {
                            self.view(shown).await;
                        }
                        return;
                    }
                }
            }
        }
        self.room.services.metrics.refused(&refusal);
        self.refuse(r#ref, refusal);
        if let Ask::Open { conversation, .. } = ask {
            self.shut(conversation).await;
        }
    }

    async fn read(&self, ask: &Ask) -> Result<(Told, Seq), Refusal> {
        let view = self.room.fresh_view()?;
        let told = read::answer(&self.room, &view, &self.teammate, ask).await?;
        Ok((told, view.organization.seq()))
    }

    /// Registers that the session wants the items of a conversation; none if the room is too busy.
    fn open_at_room(&self, conversation: &ConversationId) -> Option<oneshot::Receiver<()>> {
        let (done, so) = oneshot::channel();
        self.room.inputs.try_send(Input::Open(self.key, conversation.clone(), done)).ok()?;
        self.remember(conversation, true);
        Some(so)
    }

    /// The others see that the session is at the conversation, of which it was answered who was there.
    async fn view(&self, shown: ConversationPresence) {
        // A room that is gone has told the session to come back.
        drop(self.room.inputs.send(Input::View(self.key, shown)).await);
    }

    /// The session is not at the conversation, because it may not see it.
    async fn shut(&self, conversation: ConversationId) {
        self.remember(&conversation, false);
        drop(self.room.inputs.send(Input::Signal(self.key, Signal::Close { conversation })).await);
    }
}

impl Seat {
    /// A seat at a place.
    pub(super) fn new(place: Place) -> Self {
        Self(Arc::new(place))
    }

    /// Whose seat it is.
    pub fn teammate(&self) -> &TeammateId {
        &self.0.teammate
    }

    /// Greets the session.
    pub async fn welcome(&self, cursor: Option<&str>, open: &[ConversationId]) {
        for conversation in open.iter().take(OPEN_MAX) {
            self.0.remember(conversation, true);
        }
        greeting::welcome(&self.0, cursor, open).await;
    }

    /// Starts a command; its answer goes into the queue. Commands of one seat reach the room in their order.
    pub fn call(&self, r#ref: Ref, command: Command, permit: Permit) {
        let (reply, result) = oneshot::channel();
        let actor = Actor::Teammate(self.0.teammate.clone());
        let pending = Pending {
            actor: actor.clone(),
            r#ref: r#ref.clone(),
            fingerprint: commit::fingerprint(&command),
            command: command.clone(),
            reply,
        };
        match self.0.room.inputs.try_send(Input::Command(pending)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
                return self.0.refuse(r#ref, Refusal::Unavailable);
            }
        }
        let place = self.0.clone();
        let began = std::time::Instant::now();
        tokio::spawn(async move {
            let _permit = permit;
            let result = result.await.unwrap_or(Err(Refusal::Unavailable));
            place.room.services.metrics.command_answered(result.as_ref().err(), began.elapsed());
            match result {
                Ok(Outcome { done, revoked }) => place.done(&r#ref, done, revoked),
                Err(refusal) => {
                    let view = place.room.view();
                    let refusal = refused::as_of(&place.room, &view, &actor, &command, refusal).await;
                    place.refuse_as_of(r#ref, refusal, view.organization.seq());
                }
            }
        });
    }

    /// Starts answering a question; the answer goes into the queue.
    pub fn ask(&self, r#ref: Ref, ask: Ask, permit: Permit) {
        let place = self.0.clone();
        // Here, so that opening and closing reach the room in their order.
        let opened = match &ask {
            Ask::Open { conversation, .. } => match place.open_at_room(conversation) {
                Some(opened) => Some(opened),
                None => return place.refuse(r#ref, Refusal::Unavailable),
            },
            Ask::List { .. } | Ask::Counts { .. } | Ask::History { .. } | Ask::Access { .. } => None,
        };
        tokio::spawn(async move {
            let _permit = permit;
            if let Some(opened) = opened {
                // It is so before anything is read, so that no item between the two is missed. Dropping the other
                // end is the answer.
                drop(opened.await);
            }
            place.tell(r#ref, ask).await;
        });
    }

    /// Passes on something fleeting. If the room is too busy it is lost, as fleeting things may be; but not that
    /// something is no longer open, which would stay so.
    pub fn signal(&self, signal: Signal) {
        let closes = match &signal {
            Signal::Close { conversation } => {
                self.0.remember(conversation, false);
                true
            }
            Signal::Typing { .. } | Signal::Idle { .. } => false,
        };
        match self.0.room.inputs.try_send(Input::Signal(self.0.key, signal)) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(signal)) if closes => {
                let inputs = self.0.room.inputs.clone();
                tokio::spawn(async move { drop(inputs.send(signal).await) });
            }
            Err(TrySendError::Full(_)) => tracing::debug!("a busy room missed a signal"),
        }
    }

    /// Starts a catch-up, once the socket has drained what was left of an overflowing queue.
    pub fn catch_up(&self) {
        let place = self.0.clone();
        tokio::spawn(async move {
            let open = place.open();
            greeting::catch_up_slow(&place, &open).await;
        });
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        room::leave(&self.0.room.inputs, self.0.key);
    }
}
