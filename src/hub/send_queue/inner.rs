//! The send queue's state and its steps, each under the queue's lock. Who calls what is said there.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::mem;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::refusal::Refusal;
use tokio::time::Instant;

use super::{About, Narrowed, Next, QueuedFrame};
use crate::domain::event::Seq;

/// What a waiting frame is to the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// May be dropped for a catch-up.
    Push,
    /// Somebody waits for it.
    Answer,
    /// Takes the place of dropped pushes, or is the welcome.
    CatchUp,
    /// Belongs to the WebSocket protocol.
    Control,
}

#[derive(Debug)]
struct Waiting {
    kind: Kind,
    frame: QueuedFrame,
}

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

/// What the session was told at its last write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    /// It has something to do, and will do it.
    No,
    /// It waits for frames.
    Idle,
    /// It waits for the socket.
    Blocked,
}

#[derive(Debug)]
pub(super) struct Inner {
    bytes_max: usize,
    state: State,
    stage: Stage,
    waiting: VecDeque<Waiting>,
    /// Bytes of the first waiting frame that have left. Above 0, the frame must be finished or the connection cut.
    front_written: usize,
    /// Bytes of all waiting pushes.
    push_bytes: usize,
    /// How many waiting frames are answers.
    answers: u32,
    /// The position of which everything is written.
    written: Option<Seq>,
    narrowed_at: Seq,
    stuck_since: Option<Instant>,
    catch_ups: u32,
    in_flight: u32,
    rest: Rest,
    waker: Option<Waker>,
}

impl Inner {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            state: State::CatchingUp { overflowed: false },
            stage: Stage::Open,
            waiting: VecDeque::new(),
            front_written: 0,
            push_bytes: 0,
            answers: 0,
            written: None,
            narrowed_at: Seq(0),
            stuck_since: None,
            catch_ups: 0,
            in_flight: 0,
            rest: Rest::No,
            waker: None,
        }
    }

    pub(super) fn push(&mut self, frame: QueuedFrame) {
        let taken = matches!(self.state, State::Live | State::CatchingUp { overflowed: false });
        if self.stage != Stage::Open || !taken {
            return;
        }
        if self.push_bytes + frame.bytes.len() > self.bytes_max {
            self.fall_behind();
            return;
        }
        self.push_bytes += frame.bytes.len();
        self.append(Kind::Push, frame);
    }

    pub(super) fn answer(&mut self, frame: QueuedFrame, as_of: Option<Seq>) -> Result<(), Narrowed> {
        if as_of.is_some_and(|as_of| self.narrowed_at > as_of) {
            return Err(Narrowed);
        }
        if self.taking() {
            self.answers += 1;
            self.append(Kind::Answer, frame);
        }
        Ok(())
    }

    pub(super) fn begin_catch_up(&mut self) -> Option<Seq> {
        self.state = State::CatchingUp { overflowed: false };
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
        self.retain(|waiting| waiting.kind != Kind::Push || waiting.frame.seq.is_none_or(|seq| seq > as_of));
        self.catch_ups += u32::from(self.written.is_some());
        frame.seq = Some(as_of);
        // One that was made before, and not written yet, goes before: it may be the welcome.
        let place = self.urgent();
        let before = self.waiting.iter().skip(place).take_while(|next| next.kind == Kind::CatchUp).count();
        self.insert(place + before, Kind::CatchUp, frame);
        Ok(())
    }

    pub(super) fn narrow(&mut self, seq: Seq, visible: &dyn Fn(&About) -> bool) {
        self.narrowed_at = self.narrowed_at.max(seq);
        let denied = |waiting: &Waiting| match &waiting.frame.about {
            About::Anyone => waiting.kind == Kind::CatchUp,
            About::Reading => true,
            about @ (About::Administration | About::Endpoint(_) | About::Conversation(_)) => !visible(about),
        };
        if self.front_written > 0 && self.waiting.front().is_some_and(denied) {
            self.cut(CloseCode::Behind);
        } else if self.waiting.iter().any(|waiting| waiting.kind != Kind::Push && denied(waiting)) {
            self.over(CloseCode::Behind);
        } else if self.waiting.iter().any(|waiting| matches!(waiting.frame.about, About::Reading)) {
            // A push that cannot be looked through may hold what is still theirs to know.
            self.fall_behind();
        } else {
            self.retain(|waiting| !denied(waiting));
        }
    }

    /// Nothing that was written counts any more: the catch-up to come has to start over.
    pub(super) fn restart(&mut self) {
        self.written = None;
        self.fall_behind();
    }

    /// Drops the pushes for a catch-up to come.
    fn fall_behind(&mut self) {
        self.state = match self.state {
            State::Live | State::Behind => State::Behind,
            State::CatchingUp { .. } => State::CatchingUp { overflowed: true },
        };
        self.stuck_since.get_or_insert_with(Instant::now);
        self.retain(|waiting| waiting.kind != Kind::Push);
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
        let front = self.waiting.front().filter(|_| self.front_written > 0);
        if front
            .is_some_and(|front| front.kind == Kind::CatchUp || !matches!(front.frame.about, About::Anyone))
        {
            self.cut(code);
        } else {
            self.over(code);
        }
    }

    /// Ends the session behind the frame that is written in part.
    fn over(&mut self, code: CloseCode) {
        if self.taking() {
            self.stage = Stage::Over(code);
            self.retain(|_| false);
        }
    }

    /// Whether answers are still taken.
    fn taking(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Flushing(_))
    }

    fn cut(&mut self, code: CloseCode) {
        self.stage = Stage::Cut(code);
        self.front_written = 0;
        self.retain(|_| false);
    }

    pub(super) fn farewell(&mut self, bytes: Bytes) {
        if matches!(self.stage, Stage::Cut(_) | Stage::Farewell) {
            return;
        }
        self.stage = Stage::Farewell;
        self.retain(|_| false);
        self.append(Kind::Control, QueuedFrame { bytes, seq: None, about: About::Anyone });
    }

    pub(super) fn control(&mut self, bytes: Bytes) {
        if matches!(self.stage, Stage::Cut(_) | Stage::Farewell) {
            return;
        }
        let place = self.partial();
        match self.waiting.get_mut(place).filter(|next| next.kind == Kind::Control) {
            Some(next) => next.frame.bytes = bytes,
            None => self.insert(place, Kind::Control, QueuedFrame { bytes, seq: None, about: About::Anyone }),
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

    /// Puts what may be written into the slices, and says how many that were.
    pub(super) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, waiting) in slices.iter_mut().zip(self.waiting.iter().take(self.writable())) {
            let written = if filled == 0 { self.front_written } else { 0 };
            *slice = IoSlice::new(&waiting.frame.bytes[written..]);
            filled += 1;
        }
        filled
    }

    /// This many bytes have left.
    pub(super) fn advance(&mut self, mut bytes: usize) {
        while let Some(front) = self.waiting.front() {
            let left = front.frame.bytes.len() - self.front_written;
            if bytes < left {
                self.front_written += bytes;
                break;
            }
            bytes -= left;
            self.front_written = 0;
            self.pop();
        }
        self.give_back();
    }

    fn pop(&mut self) {
        let Some(Waiting { kind, frame }) = self.waiting.pop_front() else { return };
        match kind {
            Kind::Push => {
                self.push_bytes -= frame.bytes.len();
                self.written = self.written.max(frame.seq.map(|seq| Seq(seq.0.saturating_sub(1))));
            }
            Kind::CatchUp => {
                self.written = self.written.max(frame.seq);
                if self.stage == Stage::Open {
                    self.stuck_since = (self.state != State::Live).then(Instant::now);
                }
            }
            Kind::Answer => self.answers -= 1,
            Kind::Control => {}
        }
    }

    pub(super) fn next(&mut self) -> Next {
        let next = self.peek();
        if next == Next::CatchUp {
            // From here on pushes are kept: the snapshot will be taken later.
            self.state = State::CatchingUp { overflowed: false };
        }
        self.rest = if next == Next::Idle { Rest::Idle } else { Rest::No };
        next
    }

    fn peek(&self) -> Next {
        match self.stage {
            Stage::Cut(code) => Next::Cut(code),
            _ if self.writable() > 0 => Next::More,
            Stage::Over(code) => Next::End(code),
            Stage::Flushing(code) if self.waiting.is_empty() && self.in_flight == 0 => Next::End(code),
            Stage::Farewell => Next::Done,
            Stage::Open if self.state == State::Behind => Next::CatchUp,
            Stage::Open | Stage::Flushing(_) => Next::Idle,
        }
    }

    pub(super) fn blocked(&mut self) {
        self.rest = Rest::Blocked;
    }

    pub(super) fn poll_ready(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.rest == Rest::No {
            return Poll::Ready(());
        }
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Whom to wake after a step, if it made something to do for a session that rests.
    pub(super) fn wake(&mut self) -> Option<Waker> {
        let awake = match self.rest {
            Rest::No => false,
            Rest::Idle => self.peek() != Next::Idle,
            Rest::Blocked => matches!(self.stage, Stage::Over(_) | Stage::Cut(_)),
        };
        if !awake {
            return None;
        }
        self.rest = Rest::No;
        self.waker.take()
    }

    pub(super) fn stuck_since(&self) -> Option<Instant> {
        self.stuck_since
    }

    pub(super) fn catch_ups(&self) -> u32 {
        self.catch_ups
    }

    pub(super) fn answers(&self) -> u32 {
        self.answers
    }

    pub(super) fn bytes(&self) -> usize {
        self.waiting.iter().map(|waiting| waiting.frame.bytes.len()).sum::<usize>() - self.front_written
    }

    /// How many frames at the front are written in part: none or one.
    fn partial(&self) -> usize {
        usize::from(self.front_written > 0)
    }

    /// How many frames at the front go before a catch-up: the one written in part, and the WebSocket protocol's own.
    fn urgent(&self) -> usize {
        let place = self.partial();
        place + usize::from(self.waiting.get(place).is_some_and(|next| next.kind == Kind::Control))
    }

    fn writable(&self) -> usize {
        match (self.stage, self.state) {
            (Stage::Open | Stage::Flushing(_), State::CatchingUp { .. }) => self.urgent(),
            _ => self.waiting.len(),
        }
    }

    fn append(&mut self, kind: Kind, frame: QueuedFrame) {
        self.insert(self.waiting.len(), kind, frame);
    }

    fn insert(&mut self, place: usize, kind: Kind, frame: QueuedFrame) {
        debug_assert!(!frame.bytes.is_empty(), "an empty frame would never be written");
        self.waiting.insert(place, Waiting { kind, frame });
    }

    /// Drops what is not to be kept, but never the frame that is written in part.
    fn retain(&mut self, keep: impl Fn(&Waiting) -> bool) {
        let mut partial = self.front_written > 0;
        self.waiting.retain(|waiting| mem::take(&mut partial) || keep(waiting));
        (self.push_bytes, self.answers) =
            self.waiting.iter().fold((0, 0), |(bytes, answers), waiting| match waiting.kind {
                Kind::Push => (bytes + waiting.frame.bytes.len(), answers),
                Kind::Answer => (bytes, answers + 1),
                Kind::CatchUp | Kind::Control => (bytes, answers),
            });
        self.give_back();
    }

    /// An idle session must cost nothing here.
    fn give_back(&mut self) {
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
    }

    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        let pushes = || self.waiting.iter().filter(|waiting| waiting.kind == Kind::Push);
        assert_eq!(self.push_bytes, pushes().map(|push| push.frame.bytes.len()).sum::<usize>());
        assert!(self.push_bytes <= self.bytes_max);
        let answers = self.waiting.iter().filter(|waiting| waiting.kind == Kind::Answer).count();
        assert_eq!(self.answers as usize, answers);
        assert!(self.waiting.iter().all(|waiting| !waiting.frame.bytes.is_empty()));
        match self.waiting.front() {
            Some(front) => assert!(self.front_written < front.frame.bytes.len()),
            None => assert_eq!((self.front_written, self.waiting.capacity()), (0, 0)),
        }
        let mut unwritten = self.waiting.iter().skip(self.partial());
        match (self.stage, self.state) {
            (Stage::Over(_) | Stage::Cut(_) | Stage::Farewell, _) => {
                assert!(unwritten.all(|waiting| waiting.kind == Kind::Control));
            }
            (_, State::Behind | State::CatchingUp { overflowed: true }) => {
                assert!(unwritten.all(|waiting| waiting.kind != Kind::Push));
            }
            (_, State::Live | State::CatchingUp { overflowed: false }) => {}
        }
        assert!(pushes().filter_map(|push| push.frame.seq).is_sorted());
        if self.state == State::Behind {
            assert!(self.stuck_since.is_some());
        }
    }
}
