//! The send queue's state and its steps, each under the queue's lock. Who calls what is said there.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::refusal::Refusal;
use tokio::time::Instant;

use super::lane::{Kind, Lane, Waiting, harmless};
use super::rest::{Rest, Resting};
use super::{About, Narrowed, Next, Outlet, Pushed, QueuedFrame};
use crate::domain::event::Seq;
use crate::hub::lease::Lease;

/// Frames joined in one vectored write. More gain nothing that is measurable, and the kernel takes at most 1,024.
pub(super) const SLICES_MAX: usize = 64;

/// Whether pushes are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Taken and written.
    Live,
    /// Dropped, until what is left has been written.
    Behind,
    /// Taken and kept, until the catch-up stands before them; dropped again if there were too many.
    CatchingUp { overflowed: bool },
}

/// How far the session is from its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// Ends when everything queued and in flight is written.
    Flushing(CloseCode),
    /// Ends at the next boundary between frames.
    Over(CloseCode),
    /// Ends within a frame.
    Cut(CloseCode),
    /// The last bytes are queued.
    Farewell,
}

pub(super) struct Inner {
    /// Without it only what is harmless is written. None until the session has joined.
    lease: Option<Arc<Lease>>,
    bytes_max: usize,
    state: State,
    stage: Stage,
    lane: Lane,
    /// The position of which everything is written.
    written: Option<Seq>,
    /// When something last left.
    wrote_at: Instant,
    narrowed_at: Seq,
    stuck_since: Option<Instant>,
    catch_ups: u32,
    in_flight: u32,
    resting: Resting,
    outlet: Option<Arc<dyn Outlet>>,
}

impl Inner {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            lease: None,
            bytes_max,
            state: State::CatchingUp { overflowed: false },
            stage: Stage::Open,
            lane: Lane::default(),
            written: None,
            wrote_at: Instant::now(),
            narrowed_at: Seq(0),
            stuck_since: None,
            catch_ups: 0,
            in_flight: 0,
            resting: Resting::new(),
            outlet: None,
        }
    }

    pub(super) fn plug(&mut self, outlet: Arc<dyn Outlet>) {
        self.outlet = Some(outlet);
    }

    pub(super) fn unplug(&mut self) {
        self.outlet = None;
    }

    pub(super) fn hold_to(&mut self, lease: Arc<Lease>) {
        self.lease = Some(lease);
    }

    /// What was held was not the peer's fault: its time to catch up begins now.
    pub(super) fn release(&mut self) {
        self.stuck_since = self.stuck_since.map(|_| Instant::now());
    }

    pub(super) fn notice(&mut self, bytes: Bytes) {
        if self.taking() {
            self.lane.set_notice(bytes);
        }
    }

    pub(super) fn push(&mut self, frame: Arc<QueuedFrame>) -> Pushed {
        let taken = matches!(self.state, State::Live | State::CatchingUp { overflowed: false });
        if self.stage != Stage::Open || !taken {
            return Pushed::Done;
        }
        if self.lane.push_bytes() + frame.bytes.len() > self.bytes_max {
            self.fall_behind();
            return Pushed::Overflowed;
        }
        self.lane.append(Kind::Push, frame);
        // Whatever waits besides has been held: the session may not listen until it has gone, and is to be woken.
        let alone = self.lane.len() == 1;
        if alone && self.resting.rest() == Rest::Idle && self.outlet.is_some() && self.peek() == Next::More {
            self.resting.begin(Rest::Due);
            return Pushed::Due;
        }
        Pushed::Done
    }

    pub(super) fn write_due(&mut self, now: Instant) {
        if self.resting.rest() != Rest::Due {
            return;
        }
        // Whatever is left to do makes the session wake.
        self.resting.begin(Rest::Idle);
        // Taken out and put back, for it writes what lies beside it.
        if let Some(outlet) = self.outlet.take() {
            if let Err(error) = self.write(now, |slices| outlet.write(slices)) {
                // The session meets it too, and knows what to do.
                tracing::trace!(%error, "what is due is not written");
            }
            self.outlet = Some(outlet);
        }
    }

    pub(super) fn answer(&mut self, frame: Arc<QueuedFrame>, as_of: Option<Seq>) -> Result<(), Narrowed> {
        if as_of.is_some_and(|as_of| self.narrowed_at > as_of) {
            return Err(Narrowed);
        }
        if !self.taking() {
            return Ok(());
        }
        if matches!(frame.about, About::Anyone) && self.holds() {
            self.lane.insert_harmless(Kind::Answer, frame);
        } else {
            self.lane.append(Kind::Answer, frame);
        }
        Ok(())
    }

    pub(super) fn begin_catch_up(&mut self) -> Option<Seq> {
        // What an answer has overtaken while this was on its way stays so: the catch-up goes before the answer.
        let overflowed = self.state == State::CatchingUp { overflowed: true } && self.lane.answers() > 0;
        self.state = State::CatchingUp { overflowed };
        self.written
    }

    pub(super) fn finish_catch_up(&mut self, mut frame: QueuedFrame, as_of: Seq) -> Result<(), Narrowed> {
        if self.narrowed_at > as_of {
            return Err(Narrowed);
        }
        if !self.taking() {
            return Ok(());
        }
        let overflowed = matches!(self.state, State::Behind | State::CatchingUp { overflowed: true });
        self.state = if overflowed { State::Behind } else { State::Live };
        self.lane
            .retain(|waiting| waiting.kind != Kind::Push || waiting.frame.seq.is_none_or(|seq| seq > as_of));
        self.catch_ups += u32::from(self.written.is_some());
        frame.seq = Some(as_of);
        self.lane.insert_catch_up(frame.into());
        Ok(())
    }

    pub(super) fn narrow(&mut self, seq: Seq, visible: &dyn Fn(&About) -> bool) {
        self.narrowed_at = self.narrowed_at.max(seq);
        let denied = |waiting: &Waiting| match &waiting.frame.about {
            About::Anyone => waiting.kind == Kind::CatchUp,
            About::Reading => true,
            about @ (About::Administration | About::Endpoints(_) | About::Conversation(_)) => !visible(about),
        };
        if self.lane.partial().is_some_and(denied) {
            self.cut(CloseCode::Behind);
        } else if self.lane.any(|waiting| waiting.kind != Kind::Push && denied(waiting)) {
            self.over(CloseCode::Behind);
        } else if self.lane.any(|waiting| waiting.frame.seq.is_some() && denied(waiting)) {
            // A denied push may hold what is still theirs to know: whose row it was, for who goes by an older row
            // would keep it; that a colleague left, as admins hear it. A catch-up tells what is left of it.
            self.fall_behind();
        } else {
            self.lane.retain(|waiting| !denied(waiting));
        }
    }

    /// Nothing that was written counts any more: the catch-up to come has to start over.
    pub(super) fn restart(&mut self) {
        self.written = None;
        self.fall_behind();
    }

    /// Drops the pushes for a catch-up to come.
    pub(super) fn fall_behind(&mut self) {
        self.state = match self.state {
            State::Live | State::Behind => State::Behind,
            State::CatchingUp { .. } => State::CatchingUp { overflowed: true },
        };
        self.stuck_since.get_or_insert_with(Instant::now);
        self.lane.retain(|waiting| waiting.kind != Kind::Push);
    }

    pub(super) fn flush(&mut self, code: CloseCode) {
        if self.stage == Stage::Open {
            self.stage = Stage::Flushing(code);
            self.stuck_since.get_or_insert_with(Instant::now);
        }
    }

    pub(super) fn end(&mut self, code: CloseCode) {
        if !self.taking() {
            return;
        }
        let hides = |partial: &Waiting| {
            partial.kind == Kind::CatchUp || !matches!(partial.frame.about, About::Anyone)
        };
        if self.lane.partial().is_some_and(hides) {
            self.cut(code);
        } else {
            self.over(code);
        }
    }

    /// Ends the session behind the frame that is written in part.
    fn over(&mut self, code: CloseCode) {
        if self.taking() {
            self.stage = Stage::Over(code);
            self.lane.retain(|_| false);
        }
    }

    /// Whether answers are still taken.
    fn taking(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Flushing(_))
    }

    fn cut(&mut self, code: CloseCode) {
        self.stage = Stage::Cut(code);
        self.lane = Lane::default();
    }

    pub(super) fn farewell(&mut self, bytes: Bytes) {
        if matches!(self.stage, Stage::Cut(_) | Stage::Farewell) {
            return;
        }
        self.stage = Stage::Farewell;
        self.lane.retain(|_| false);
        self.lane.append(Kind::Control, harmless(bytes));
    }

    pub(super) fn control(&mut self, bytes: Bytes) {
        if !matches!(self.stage, Stage::Cut(_) | Stage::Farewell) {
            self.lane.set_control(bytes);
        }
    }

    pub(super) fn begin_flight(&mut self, in_flight_max: u32) -> Result<(), Refusal> {
        if self.stage != Stage::Open {
            return Err(Refusal::Unavailable);
        }
        if self.in_flight >= in_flight_max {
            return Err(Refusal::TooManyInFlight);
        }
        self.in_flight += 1;
        Ok(())
    }

    pub(super) fn end_flight(&mut self) {
        self.in_flight -= 1;
    }

    /// One vectored write of what may be written, if anything may.
    pub(super) fn write(
        &mut self,
        now: Instant,
        write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let filled = self.lane.slices(self.writable(), &mut slices);
        if filled == 0 {
            return Ok(());
        }
        match write(&slices[..filled]) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(bytes) => {
                self.wrote_at = now;
                self.advance(bytes);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// This many bytes have left.
    fn advance(&mut self, bytes: usize) {
        for Waiting { kind, frame } in self.lane.advance(bytes) {
            match kind {
                Kind::Push => {
                    self.written = self.written.max(frame.seq.map(|seq| Seq(seq.0.saturating_sub(1))));
                }
                Kind::CatchUp => {
                    self.written = self.written.max(frame.seq);
                    if self.stage == Stage::Open {
                        self.stuck_since = (self.state != State::Live).then(Instant::now);
                    }
                }
                Kind::Answer | Kind::Control | Kind::Notice => {}
            }
        }
        self.lane.give_back();
    }

    pub(super) fn next(&mut self) -> Next {
        let next = self.peek();
        if next == Next::CatchUp {
            // From here on pushes are kept: the snapshot will be taken later.
            self.state = State::CatchingUp { overflowed: false };
        }
        self.resting.begin(if next == Next::Idle { Rest::Idle } else { Rest::No });
        next
    }

    fn peek(&self) -> Next {
        match self.stage {
            Stage::Cut(code) => Next::Cut(code),
            _ if self.writable() > 0 => Next::More,
            Stage::Over(code) => Next::End(code),
            Stage::Flushing(code) if self.lane.len() == 0 && self.in_flight == 0 => Next::End(code),
            Stage::Farewell => Next::Done,
            Stage::Open if self.state == State::Behind && self.lane.len() == 0 => Next::CatchUp,
            Stage::Open | Stage::Flushing(_) => Next::Idle,
        }
    }

    pub(super) fn blocked(&mut self) {
        self.resting.begin(Rest::Blocked);
    }

    pub(super) fn poll_ready(&mut self, context: &Context<'_>) -> Poll<()> {
        self.resting.poll(context)
    }

    /// Whom to wake after a step, if it made something to do for a session that rests.
    pub(super) fn wake(&mut self) -> Option<Waker> {
        let is_here = match self.resting.rest() {
            Rest::No | Rest::Due => false,
            Rest::Idle => self.peek() != Next::Idle,
            Rest::Blocked => matches!(self.stage, Stage::Over(_) | Stage::Cut(_)),
        };
        if is_here { self.resting.end() } else { None }
    }

    pub(super) fn wrote_at(&self) -> Instant {
        self.wrote_at
    }

    pub(super) fn stuck_since(&self) -> Option<Instant> {
        self.stuck_since
    }

    pub(super) fn catch_ups(&self) -> u32 {
        self.catch_ups
    }

    pub(super) fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Something waits that is not written because the node's lease has run out.
    pub(super) fn is_held(&self) -> bool {
        self.lane.len() > 0 && self.holds()
    }

    fn holds(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| !lease.is_valid())
    }

    fn writable(&self) -> usize {
        let most = match (self.stage, self.state) {
            (Stage::Open | Stage::Flushing(_), State::CatchingUp { .. }) => self.lane.urgent(),
            _ => self.lane.len(),
        };
        if self.holds() { most.min(self.lane.harmless()) } else { most }
    }

    #[cfg(test)]
    pub(super) fn is_due(&self) -> bool {
        self.resting.rest() == Rest::Due
    }

    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        assert!(
            self.resting.rest() != Rest::Idle || self.peek() == Next::Idle,
            "a session rests that has something to do"
        );
        self.lane.check_invariants();
        assert!(self.lane.push_bytes() <= self.bytes_max);
        match (self.stage, self.state) {
            (Stage::Over(_) | Stage::Cut(_) | Stage::Farewell, _) => {
                assert!(self.lane.unwritten().all(|waiting| waiting.kind == Kind::Control));
            }
            (_, State::Behind | State::CatchingUp { overflowed: true }) => {
                assert!(self.lane.unwritten().all(|waiting| waiting.kind != Kind::Push));
            }
            (_, State::Live | State::CatchingUp { overflowed: false }) => {}
        }
        if self.state == State::Behind {
            assert!(self.stuck_since.is_some());
        }
    }
}
