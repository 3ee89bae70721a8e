//! What waits for one connection, bounded in bytes.
//!
//! The room offers frames and never waits; the session's task writes them. A queue that is full is *behind*:
//! its pushes are dropped, and once the socket has drained, one catch-up from the last position written
//! takes their place. A scope that is revoked is purged from the queue before the revoke is queued.

use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::id::EndpointId;

use crate::domain::conversation::Conversation;
use crate::domain::event::Seq;

/// What a frame tells about, for deciding whether it may still be written after access has narrowed.
#[derive(Debug, Clone)]
pub enum About {
    /// Nothing that membership hides: directory, answers to commands, beats.
    Anyone,
    /// An endpoint.
    Endpoint(EndpointId),
    /// A conversation, as it was for the frame.
    Conversation(Arc<Conversation>),
    /// What a read found: too much to look through.
    Reading,
}

/// A frame, encoded with its WebSocket header.
#[derive(Debug, Clone)]
pub struct QueuedFrame {
    /// The bytes, shared by all who get the frame.
    pub bytes: Bytes,
    /// The position it tells of; none for what is fleeting, and for answers.
    pub seq: Option<Seq>,
    /// What it tells about.
    pub about: About,
}

/// The session's access narrowed after the position that a read was made at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Narrowed;

/// What waits for one connection.
pub struct SendQueue {}

impl SendQueue {
    /// An empty queue for at most `bytes_max` of pushes, waiting for its first catch-up (the welcome).
    pub fn new(_bytes_max: usize) -> Self {
        Self {}
    }

    /// Room: a push. Appended while there is room; otherwise the queue is behind from here on.
    pub fn push(&self, _frame: QueuedFrame) {
        unimplemented!()
    }

    /// Room: the subject's access narrows at `seq`. Drops every push that `visible` denies. If an unwritten read
    /// answer or catch-up is queued, or a denied frame is written in part, the connection ends instead with
    /// a code that says reconnect (a frame written in part is cut off).
    pub fn narrow(&self, _seq: Seq, _visible: &dyn Fn(&About) -> bool) {
        unimplemented!()
    }

    /// Hub: an answer. Never dropped: their number is bounded by the commands and questions in flight.
    /// Refused if access narrowed after `as_of`; an answer that read nothing passes none.
    pub fn answer(&self, _frame: QueuedFrame, _as_of: Option<Seq>) -> Result<(), Narrowed> {
        unimplemented!()
    }

    /// Hub: a catch-up (or the welcome) is about to be made from a snapshot taken after this call. Pushes that come
    /// meanwhile are kept behind it. Returns the last position written.
    pub fn begin_catch_up(&self) -> Option<Seq> {
        unimplemented!()
    }

    /// Hub: the catch-up, as of a position. Goes to the front; kept pushes up to the position are dropped.
    /// If the queue overflowed meanwhile it stays behind and the frame is still sent.
    pub fn finish_catch_up(&self, _frame: QueuedFrame, _as_of: Seq) -> Result<(), Narrowed> {
        unimplemented!()
    }

    /// Room or hub: the session is to end with this code, after what is queued when `flush`, else at once.
    pub fn close(&self, _code: CloseCode, _flush: bool) {
        unimplemented!()
    }

    /// Session: writes what is queued with one vectored write, never waiting.
    pub fn write(&self, _write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<()> {
        unimplemented!()
    }
}
