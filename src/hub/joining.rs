//! How a session gets its place in a room, and why it may not.

use std::sync::Arc;

use rotunda_protocol::codec::Codec;
use rotunda_protocol::frame::Cursor;
use rotunda_protocol::id::{ConversationId, OrganizationId, SessionId, TeammateId};
use tokio::sync::{mpsc, oneshot};

use super::place::Place;
use super::registry::Key;
use super::room::{self, Input, Join};
use super::send_queue::SendQueue;
use super::{Hub, MAILBOX_WAIT_MAX, OPENINGS_MAX, Seat};

/// A session that wants to join its organization.
pub struct Joining {
    /// The session.
    pub session: SessionId,
    /// Whose it is, by its token.
    pub teammate: TeammateId,
    /// What it runs on.
    pub device: Option<String>,
    /// How it wants its frames encoded.
    pub codec: Codec,
    /// Where its frames go.
    pub queue: Arc<SendQueue>,
    /// Where it resumes.
    pub cursor: Option<Cursor>,
    /// The conversations it has open.
    pub open: Vec<ConversationId>,
}

/// A room has given a session its place. Whoever drops it unused gives the place back.
pub(super) struct Joined {
    pub key: Key,
    /// Where to give it back; none once it is taken.
    pub room: Option<mpsc::Sender<Input>>,
}

impl Joined {
    /// The place is taken: whoever takes it gives it back.
    fn take(mut self) -> Key {
        self.room = None;
        self.key
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        if let Some(room) = &self.room {
            room::leave(room, self.key);
        }
    }
}

/// Why a session may not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotJoined {
    /// There is no such organization, or the subject is no active teammate of it. Not told apart on purpose.
    Unknown,
    /// The teammate has as many sessions here as one may have.
    TooManySessions,
    /// The store did not answer, or the room is too busy.
    Unavailable,
}

impl Hub {
    /// Gives a session its place and puts its `welcome` into its queue.
    pub async fn join(&self, organization: &OrganizationId, joining: Joining) -> Result<Seat, NotJoined> {
        let Joining { session, teammate, device, codec, queue, cursor, open } = joining;
        let mut looked = self.services.peers.is_none();
        for _ in 0..OPENINGS_MAX {
            let room = self.room(organization).await.map_err(|_unavailable| NotJoined::Unavailable)?;
            let (reply, joined) = oneshot::channel();
            let join = Join {
                session: session.clone(),
                teammate: teammate.clone(),
                codec,
                queue: queue.clone(),
                open: open.clone(),
            };
            let answer = match room.inputs.send_timeout(Input::Join(join, reply), MAILBOX_WAIT_MAX).await {
                Ok(()) => joined.await.ok(),
                Err(_) => None,
            };
            if let Some(Err(NotJoined::Unknown)) = answer
                && !looked
            {
                // Another node may have let them in just now.
                looked = true;
                room.look().await;
                continue;
            }
            if let Some(answer) = answer {
                let joined = answer?;
                tracing::debug!(%session, device, "joined");
                let seat = Seat::new(Place::new(room, joined.take(), session, teammate, codec, queue));
                seat.welcome(cursor.as_deref(), &open).await;
                return Ok(seat);
            }
        }
        Err(NotJoined::Unavailable)
    }
}
