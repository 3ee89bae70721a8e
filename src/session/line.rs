//! A connection as the session drives it: the socket on one side, the send queue on the other, and what is to be
//! done next.

use std::future::poll_fn;
use std::io;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use governor::clock::DefaultClock;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::frame::{Answer, Ref, ServerFrame};
use rotunda_protocol::refusal::Refusal;
use tokio::time::{Instant, Sleep, timeout};

use super::connection::Connection;
use super::live::Admitted;
use super::socket::{Received, Socket};
use super::{End, Sessions, Upgraded, goodbye};
use crate::hub::send_queue::{About, Next, QueuedFrame, SendQueue};
use crate::hub::wire;

/// Vectored writes in one turn; then the other side has a turn.
const WRITES_MAX: usize = 8;

/// Messages read and forgotten in one turn; then the clock has a turn: a peer that floods does not stay for it.
const FORGOTTEN_MAX: usize = 16;

/// Which side has something to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// The queue, or the socket for the queue.
    Outbound,
    /// The peer.
    Inbound,
    /// The clock.
    Timer,
}

pub(super) struct Line {
    pub(super) sessions: Arc<Sessions>,
    pub(super) queue: Arc<SendQueue>,
    pub(super) codec: Codec,
    /// When the peer last gave a sign: something came, or it took something after it had taken nothing.
    pub(super) heard_at: Instant,
    socket: Socket,
    quota: RateLimiter<NotKeyed, InMemoryState, DefaultClock>,
    /// The socket takes nothing for now.
    blocked: bool,
    /// A long write has had its turn.
    inbound_first: bool,
    /// Answers that may wait before the peer has to read some of them to be heard.
    answers_max: u32,
    _admitted: Admitted,
}

impl Line {
    pub(super) fn new(upgraded: Upgraded, mut admitted: Admitted, sessions: Arc<Sessions>) -> Self {
        let Upgraded { stream, read, codec } = upgraded;
        let limits = &sessions.limits;
        let queue = Arc::new(SendQueue::new(limits.queue_bytes_max));
        admitted.reach(&queue);
        let connection = Arc::new(Connection::new(stream, &sessions.metrics));
        queue.plug(connection.clone());
        let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(limits.frames_per_second))
            .allow_burst(at_least_one(limits.frames_burst));
        Self {
            queue,
            codec,
            heard_at: Instant::now(),
            socket: Socket::new(connection, read, limits),
            quota: RateLimiter::direct(quota),
            blocked: false,
            inbound_first: true,
            answers_max: 2 * limits.in_flight_max,
            _admitted: admitted,
            sessions,
        }
    }

    /// Waits until somebody has something to do. What goes out comes first: it empties what the hub fills.
    pub(super) async fn turn(&mut self, mut timer: Pin<&mut Sleep>) -> Turn {
        let turn = poll_fn(|context| {
            if std::mem::take(&mut self.inbound_first) && self.poll_inbound(context).is_ready() {
                Poll::Ready(Turn::Inbound)
            } else if self.poll_outbound(context).is_ready() {
                Poll::Ready(Turn::Outbound)
            } else if self.poll_inbound(context).is_ready() {
                Poll::Ready(Turn::Inbound)
            } else {
                timer.as_mut().poll(context).map(|()| Turn::Timer)
            }
        })
        .await;
        if turn == Turn::Inbound {
            self.heard_at = Instant::now();
        }
        turn
    }

    fn poll_outbound(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.blocked && self.socket.poll_writable(context).is_ready() {
            return Poll::Ready(());
        }
        self.queue.poll_ready(context)
    }

    fn poll_inbound(&self, context: &mut Context<'_>) -> Poll<()> {
        // A peer that asks and does not read is not listened to: its answers would pile up here. Nor is one whose
        // answers the node holds back.
        let waits = self.blocked || self.queue.is_held();
        if waits && self.queue.answers_waiting() >= self.answers_max {
            return Poll::Pending;
        }
        self.socket.poll_readable(context)
    }

    /// Writes what is queued, as far as the socket takes it.
    pub(super) fn write(&mut self) -> io::Result<Next> {
        for _ in 0..WRITES_MAX {
            let mut wrote = false;
            let now = Instant::now();
            let next = self.queue.write(now, |slices| {
                let bytes = self.socket.connection.try_write(slices)?;
                wrote = true;
                Ok(bytes)
            })?;
            if wrote && self.blocked {
                self.heard_at = now;
            }
            self.blocked = next == Next::Blocked;
            if next != Next::More {
                return Ok(next);
            }
        }
        self.inbound_first = true;
        Ok(Next::More)
    }

    /// The next message that came, if there is one; pings are answered along the way. Each counts, and so does a
    /// lot of fragments that make no message.
    pub(super) fn receive(&mut self) -> Result<Option<(Codec, Bytes)>, End> {
        loop {
            let received = self.socket.read();
            if let Some(control) = self.socket.take_control() {
                if received == Received::Closing {
                    self.queue.farewell(control);
                } else {
                    self.queue.control(control);
                }
            }
            match received {
                Received::Message(came_as, bytes) => {
                    self.sessions.metrics.frame_in(bytes.len());
                    self.check_quota()?;
                    return Ok(Some((came_as, bytes)));
                }
                Received::Control => self.check_quota()?,
                Received::Unfinished => {
                    self.check_quota()?;
                    return Ok(None);
                }
                Received::Nothing => return Ok(None),
                Received::Closing => return Err(End::Peer),
                Received::Gone => return Err(End::Gone),
                Received::Broken(code) => return Err(End::Broken(code)),
            }
        }
    }

    fn check_quota(&self) -> Result<(), End> {
        // How long it would have to wait does not matter: it is told with the close.
        self.quota.check().or(Err(End::Code(CloseCode::QuotaExceeded)))
    }

    /// Queues an answer that read nothing.
    pub(super) fn answer(&self, r#ref: Ref, answer: Answer) {
        self.send(wire::encode(self.codec, &ServerFrame::Answer { r#ref, answer }));
    }

    /// Queues a no that the hub was not asked for.
    pub(super) fn refuse(&self, r#ref: Ref, refusal: Refusal) {
        self.sessions.metrics.refused(&refusal);
        self.answer(r#ref, refusal.into());
    }

    /// Queues a frame that tells nothing that membership hides.
    pub(super) fn send(&self, bytes: Bytes) {
        let frame = QueuedFrame { bytes, seq: None, about: About::Anyone };
        self.queue.answer(frame, None).expect("what read nothing is not refused");
    }

    /// Says goodbye, and waits a little for the peer to agree.
    pub(super) async fn finish(mut self, end: End) {
        tracing::debug!(?end, "connection ends");
        let metrics = &self.sessions.metrics;
        match end {
            End::Gone => return metrics.closed_by_client(),
            End::Peer => metrics.closed_by_client(),
            End::Cut(code) => return metrics.closed(code),
            End::Code(code) | End::Broken(code) => {
                metrics.closed(code);
                self.queue.farewell(goodbye::bytes(self.codec, &mut self.socket, code));
            }
        }
        if timeout(self.sessions.limits.linger, self.part(end)).await.is_err() {
            tracing::debug!("the peer did not agree to the close in time");
        }
    }

    async fn part(&mut self, end: End) {
        loop {
            match self.write() {
                Ok(Next::Done) => break,
                Ok(Next::More) => tokio::task::yield_now().await,
                Ok(Next::Blocked) => poll_fn(|context| self.poll_outbound(context)).await,
                Ok(Next::Cut(_) | Next::End(_) | Next::CatchUp | Next::Idle) | Err(_) => return,
            }
        }
        if matches!(end, End::Broken(_)) && self.socket.connection.end_writing().is_err() {
            return;
        }
        while !matches!(end, End::Peer) && !self.peer_has_gone(end) {
            poll_fn(|context| self.socket.poll_readable(context)).await;
        }
    }

    /// Reads some of what still comes, and forgets it.
    fn peer_has_gone(&mut self, end: End) -> bool {
        if matches!(end, End::Broken(_)) {
            return self.socket.discard();
        }
        for _ in 0..FORGOTTEN_MAX {
            match self.socket.read() {
                Received::Message(..) | Received::Control => {}
                Received::Unfinished | Received::Nothing => return false,
                Received::Closing | Received::Gone | Received::Broken(_) => return true,
            }
        }
        false
    }
}

impl Drop for Line {
    /// The socket closes with the session, though the queue may be known for a little longer.
    fn drop(&mut self) {
        self.queue.unplug();
    }
}
