//! What waits for one connection, bounded in bytes.
//!
//! The room offers frames and never waits; the session's task writes them, or fan-out for it. A queue that is
//! full is *behind*: its pushes are dropped, and once the socket has drained, one catch-up from the last position written
//! takes their place. A scope that is revoked is purged from the queue before the revoke is queued.
//!
//! A node whose lease has run out may not be up to date: what could show anything is held until it is.
//!
//! A session that rests need not be woken for a push: the queue is *due*, and whoever pushed has it written, many
//! sessions after one another. What such a write leaves is the session's to do, which then is woken; as it is for a push
//! that something waited before.
//!
//! A write happens with the lock held, and never blocks: so once `narrow` has returned, nothing that it
//! denied leaves any more.

mod inner;
mod lane;
mod rest;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use bytes::Bytes;
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::id::EndpointId;
use rotunda_protocol::refusal::Refusal;
use tokio::time::Instant;

use self::inner::Inner;
use super::lease::Lease;
use crate::domain::conversation::Conversation;
use crate::domain::event::Seq;

/// What a frame tells about, for deciding whether it may still be written after access has narrowed.
#[derive(Debug, Clone)]
pub enum About {
    /// Nothing that membership hides: directory, answers to commands, beats.
    Anyone,
    /// What only admins are told.
    Administration,
    /// These endpoints, all of them.
    Endpoints(Arc<[EndpointId]>),
    /// A conversation, as it was for the frame.
    Conversation(Arc<Conversation>),
    /// What cannot be looked through when access narrows: what a read found, or something archived.
    Reading,
}

/// A frame, encoded with its WebSocket header. A push is shared by all who get it.
#[derive(Debug, Clone)]
pub struct QueuedFrame {
    /// The bytes. Never empty.
    pub bytes: Bytes,
    /// The position it tells of; none for what is fleeting, and for answers. One event may make several
    /// pushes, all with its position.
    pub seq: Option<Seq>,
    /// What it tells about.
    pub about: About,
}

/// The session's access narrowed after the position that a read was made at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Narrowed;

/// What the session has to do after a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Write again: there is more.
    More,
    /// Write again when the socket takes more.
    Blocked,
    /// Wait for [`SendQueue::poll_ready`].
    Idle,
    /// What an overflow left is written: ask the hub for a catch-up, once.
    CatchUp,
    /// Say goodbye with this code: [`SendQueue::farewell`].
    End(CloseCode),
    /// Drop the connection without another byte. The code is what it would have been told.
    Cut(CloseCode),
    /// The farewell is written.
    Done,
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a queue that is due is not written to by itself"]
pub enum Pushed {
    /// Nobody has to do anything: it waits, or a catch-up will tell it.
    Done,
    /// It is the first that waits for a session that rests: [`SendQueue::write_due`] soon.
    Due,
    /// It did not fit. The queue is behind from here on.
    Overflowed,
}

/// The writing end of a connection.
pub trait Outlet: Send + Sync {
    /// One vectored write, which must not block. The slices are whole frames, but for the first, of which only the end
    /// may be left.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// What waits for one connection.
pub struct SendQueue {
    inner: Mutex<Inner>,
}

/// One command or question in flight. The hub drops it after it has queued the answer.
#[must_use = "dropping it says that the answer is queued"]
pub struct Permit(Arc<SendQueue>);

impl SendQueue {
    /// An empty queue for at most `bytes_max` of pushes, waiting for its first catch-up (the welcome).
    pub fn new(bytes_max: usize) -> Self {
        Self { inner: Mutex::new(Inner::new(bytes_max)) }
    }

    /// Room: the session joins. From now on what shows anything is written only while the room's lease is valid.
    pub(super) fn hold_to(&self, lease: Arc<Lease>) {
        self.lock().hold_to(lease);
    }

    /// Room: the lease goes on. What was held may be written.
    pub(super) fn release(&self) {
        self.change(Inner::release);
    }

    /// Room: a notice that shows nothing of what the hub knows. It goes before all that does, in place of one that
    /// still waits.
    pub(super) fn notice(&self, bytes: Bytes) {
        self.change(|inner| inner.notice(bytes));
    }

    /// Session: something waits that is not written because the node's lease has run out.
    pub fn is_held(&self) -> bool {
        self.lock().is_held()
    }

    /// Session: what is due may be written through this, without the session.
    pub fn plug(&self, outlet: Arc<dyn Outlet>) {
        self.lock().plug(outlet);
    }

    /// Session: nothing is written without the session any more, and the outlet is dropped.
    pub fn unplug(&self) {
        self.lock().unplug();
    }

    /// Room: a push. Appended while there is room; otherwise the queue is behind from here on.
    pub fn push(&self, frame: impl Into<Arc<QueuedFrame>>) -> Pushed {
        self.change(|inner| inner.push(frame.into()))
    }

    /// Room: the write that a push left due, unless the session has made it. It does not block.
    pub fn write_due(&self, now: Instant) {
        self.change(|inner| inner.write_due(now));
    }

    /// Room: the subject's access narrows at `seq`. Nothing that `visible` denies leaves any more; it is asked
    /// about administration, endpoints and conversations, and must not use the queue. If it denies a push of the log, the queue
    /// is behind from here on: a catch-up tells what may still be told. If an unwritten read answer or catch-up
    /// is queued, or a denied frame is written in part, the connection ends instead with a code that says
    /// reconnect (a frame written in part is cut off).
    pub fn narrow(&self, seq: Seq, visible: &dyn Fn(&About) -> bool) {
        self.change(|inner| inner.narrow(seq, visible));
    }

    /// Room: everything changed at once. Drops every push; the catch-up to come has no position to resume from.
    pub fn restart(&self) {
        self.change(Inner::restart);
    }

    /// Room: an answer has overtaken what was pushed before it. The queue is behind from here on.
    pub(super) fn overtaken(&self) {
        self.change(Inner::fall_behind);
    }

    /// Hub: an answer. Never dropped: their number is bounded by the commands and questions in flight.
    /// Refused if access narrowed after `as_of`; an answer that read nothing passes none.
    pub fn answer(&self, frame: QueuedFrame, as_of: Option<Seq>) -> Result<(), Narrowed> {
        self.change(|inner| inner.answer(frame.into(), as_of))
    }

    /// Hub: a catch-up (or the welcome) is about to be made from a snapshot taken after this call. Pushes that come
    /// meanwhile are kept behind it. Returns the last position of which everything was written, as far as the
    /// queue can know: an event may make several pushes, so a push says only that all *before* its event is.
    pub fn begin_catch_up(&self) -> Option<Seq> {
        self.change(Inner::begin_catch_up)
    }

    /// Hub: the catch-up, as of a position. Goes to the front; kept pushes up to the position are dropped.
    /// If the queue overflowed meanwhile it stays behind and the frame is still sent. When refused, begin again.
    pub fn finish_catch_up(&self, frame: QueuedFrame, as_of: Seq) -> Result<(), Narrowed> {
        self.change(|inner| inner.finish_catch_up(frame, as_of))
    }

    /// Room or hub: the session is to end with this code. With `flush` after what is queued and in flight (pushes
    /// that come later are dropped); else at once: of what is queued nothing leaves any more, and a frame
    /// written in part is finished only if it is about nothing that membership hides.
    pub fn close(&self, code: CloseCode, flush: bool) {
        self.change(|inner| if flush { inner.flush(code) } else { inner.end(code) });
    }

    /// Session: what a command or question needs to start. Refused at `in_flight_max`, and when the session is ending.
    pub fn permit(self: &Arc<Self>, in_flight_max: u32) -> Result<Permit, Refusal> {
        self.lock().begin_flight(in_flight_max)?;
        Ok(Permit(Arc::clone(self)))
    }

    /// Session: a frame of the WebSocket protocol, to leave at the next boundary between frames, even before a
    /// catch-up. It replaces one that is still waiting: of several pings, only the latest needs its pong.
    pub fn control(&self, bytes: Bytes) {
        self.change(|inner| inner.control(bytes));
    }

    /// Session: the last bytes of this connection. Whatever else was queued is dropped.
    pub fn farewell(&self, bytes: Bytes) {
        self.change(|inner| inner.farewell(bytes));
    }

    /// Session: one vectored write of what is queued, which must not block, and what to do then.
    pub fn write(
        &self,
        now: Instant,
        write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<Next> {
        let mut inner = self.lock();
        match inner.write(now, write) {
            Ok(()) => Ok(inner.next()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                inner.blocked();
                Ok(Next::Blocked)
            }
            Err(error) => Err(error),
        }
    }

    /// Session: ready when a write has something to do after it said that it was idle, or when the session is to end
    /// after it said that it was blocked.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        self.lock().poll_ready(context)
    }

    /// Session: when something last left; at first, when the queue was made.
    pub fn wrote_at(&self) -> Instant {
        self.lock().wrote_at()
    }

    /// Session: since when the peer has kept a catch-up or the end from getting through; none if nothing is stuck.
    pub fn stuck_since(&self) -> Option<Instant> {
        self.lock().stuck_since()
    }

    /// How often the session was behind: catch-ups made, the welcome not counted.
    pub fn catch_ups(&self) -> u32 {
        self.lock().catch_ups()
    }

    /// How many answers wait to be written.
    pub fn answers_waiting(&self) -> u32 {
        self.lock().lane().answers()
    }

    /// Bytes that wait, of all kinds.
    pub fn bytes(&self) -> usize {
        self.lock().lane().bytes()
    }

    /// Asserts what must hold after each step.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        self.lock().check_invariants();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic within a purge must not let the rest be written.
        self.inner.lock().expect("nothing panics while it holds a queue")
    }

    /// Wakes the session after the lock is free again, so that it does not run into it.
    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let done = change(&mut inner);
        let waker = inner.wake();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        done
    }
}

impl fmt::Debug for SendQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendQueue").finish_non_exhaustive()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.change(Inner::end_flight);
    }
}
