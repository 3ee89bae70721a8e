//! All organizations of this process: who has a session here, and what each of them is told.

pub mod back_office;
pub mod send_queue;
pub mod wire;

use std::sync::Arc;

use rotunda_protocol::ask::{Ask, Told};
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::frame::{Cursor, Ref, Signal};
use rotunda_protocol::id::{ConversationId, OrganizationId, SessionId, TeammateId};
use rotunda_protocol::principal::Actor;
use rotunda_protocol::refusal::Refusal;

use self::send_queue::{Permit, SendQueue};
use crate::store::SharedStore;

/// All rooms of this process. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    _store: SharedStore,
}

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

/// Why a session may not join.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotJoined {
    /// There is no such organization, or the subject is no active teammate of it. Not told apart on purpose.
    Unknown,
    /// The teammate has as many sessions here as one may have.
    TooManySessions,
    /// The store did not answer.
    Unavailable,
}

/// A session's place in its room. Dropping it leaves the room.
pub struct Seat {
    _hub: Hub,
}

impl Hub {
    /// A hub on a store.
    pub fn new(store: SharedStore) -> Self {
        Self { _store: store }
    }

    /// Gives a session its place and puts its `welcome` into its queue.
    pub async fn join(&self, _organization: &OrganizationId, _joining: Joining) -> Result<Seat, NotJoined> {
        unimplemented!()
    }

    /// Does a command, once for each actor and `ref`, and returns when it is durable.
    pub async fn call(
        &self,
        _organization: &OrganizationId,
        _actor: Actor,
        _ref: Ref,
        _command: Command,
    ) -> Result<Done, Refusal> {
        unimplemented!()
    }

    /// Answers a question as the teammate may be told.
    pub async fn ask(
        &self,
        _organization: &OrganizationId,
        _teammate: &TeammateId,
        _ask: Ask,
    ) -> Result<Told, Refusal> {
        unimplemented!()
    }
}

impl Seat {
    /// Starts a command; its answer goes into the queue, and the permit is dropped after it.
    pub fn call(&self, _ref: Ref, _command: Command, _permit: Permit) {}

    /// Starts answering a question; the answer goes into the queue, and the permit is dropped after it.
    pub fn ask(&self, _ref: Ref, _ask: Ask, _permit: Permit) {}

    /// Passes on something fleeting.
    pub fn signal(&self, _signal: Signal) {}

    /// Starts a catch-up, once the socket has drained what was left of an overflowing queue.
    pub fn catch_up(&self) {}
}
