//! A session after its handshake: waits for whoever has something to do, does it without waiting, and so on to
//! its end.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rotunda_protocol::Millis;
use rotunda_protocol::ask::Ask;
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::command::Command;
use rotunda_protocol::frame::{Answer, ClientFrame, Ref, Signal};
use rotunda_protocol::refusal::Refusal;
use tokio::time::{Instant, sleep_until};

use super::End;
use super::handshake::Seated;
use super::inbound::{self, Inbound};
use super::line::{Line, Turn};
use super::token::Subject;
use crate::clock;
use crate::hub::Seat;
use crate::hub::send_queue::{Next, Permit};
use crate::hub::wire;
use crate::metrics::Metrics;

/// Messages taken in one turn; then the other side has a turn.
const MESSAGES_MAX: usize = 16;
/// How often within a heartbeat a beat is tried that cannot be sent.
const BEAT_TRIES: u32 = 5;

/// The longest session without a renewal, whatever its token says: a year keeps the clock's arithmetic sound.
const SESSION_MAX: Duration = Duration::from_hours(365 * 24);

struct Running<C> {
    line: Line,
    seat: C,
    subject: Subject,
    expires_at: Instant,
    /// When the peer was last sent a beat; at first, when it said hello.
    beat_at: Instant,
}

/// Counts a session as open, however it ends.
struct Open(Arc<Metrics>);

/// What a session needs of its seat in the hub. Nothing here waits.
pub(super) trait Counterpart: Send + 'static {
    /// Starts a command; the permit is dropped after its answer is queued.
    fn call(&self, r#ref: Ref, command: Command, permit: Permit);
    /// Starts answering a question; the permit is dropped after its answer is queued.
    fn ask(&self, r#ref: Ref, ask: Ask, permit: Permit);
    /// Passes on something fleeting.
    fn signal(&self, signal: Signal);
    /// Starts a catch-up, once what an overflow left is written.
    fn catch_up(&self);
}

impl Counterpart for Seat {
    fn call(&self, r#ref: Ref, command: Command, permit: Permit) {
        self.call(r#ref, command, permit);
    }

    fn ask(&self, r#ref: Ref, ask: Ask, permit: Permit) {
        self.ask(r#ref, ask, permit);
    }

    fn signal(&self, signal: Signal) {
        self.signal(signal);
    }

    fn catch_up(&self) {
        self.catch_up();
    }
}

impl Open {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.session_opened();
        Self(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.session_closed();
    }
}

/// Runs a session to its end.
pub(super) async fn run<C: Counterpart>(line: Line, seated: Seated<C>) {
    let Seated { seat, subject } = seated;
    let expires_at = instant(subject.ends_at);
    let open = Open::new(&line.sessions.metrics);
    let beat_at = line.heard_at;
    let mut running = Running { line, seat, subject, expires_at, beat_at };
    let end = running.until_end().await;
    let Running { line, seat, .. } = running;
    // The room need not wait for the goodbye, which is rare and large.
    drop((seat, open));
    Box::pin(line.finish(end)).await;
}

impl<C: Counterpart> Running<C> {
    async fn until_end(&mut self) -> End {
        let mut timer = pin!(sleep_until(self.due(Instant::now())));
        loop {
            let done = match self.line.turn(timer.as_mut()).await {
                Turn::Outbound => self.outbound(),
                Turn::Inbound => self.inbound(),
                Turn::Timer => {
                    let now = Instant::now();
                    let done = self.timer(now);
                    timer.as_mut().reset(self.due(now));
                    done
                }
            };
            if let Err(end) = done {
                return end;
            }
            if self.expires_at < timer.deadline() {
                timer.as_mut().reset(self.expires_at);
            }
        }
    }

    fn outbound(&mut self) -> Result<(), End> {
        match self.line.write() {
            Ok(Next::CatchUp) => self.seat.catch_up(),
            Ok(Next::End(code)) => return Err(End::Code(code)),
            Ok(Next::Cut(code)) => return Err(End::Cut(code)),
            Ok(Next::More | Next::Blocked | Next::Idle | Next::Done) => {}
            Err(_) => return Err(End::Gone),
        }
        Ok(())
    }

    fn inbound(&mut self) -> Result<(), End> {
        for _ in 0..MESSAGES_MAX {
            let Some((came_as, bytes)) = self.line.receive()? else { break };
            match inbound::read(self.line.codec, came_as, &bytes) {
                Inbound::Frame(frame) => self.apply(frame)?,
                Inbound::Refused(r#ref, refusal) => self.line.refuse(r#ref, refusal),
                Inbound::Ignored => {}
                Inbound::Broken(code) => return Err(End::Code(code)),
            }
        }
        Ok(())
    }

    fn apply(&mut self, frame: ClientFrame) -> Result<(), End> {
        let in_flight_max = self.line.sessions.limits.in_flight_max;
        match frame {
            ClientFrame::Call { r#ref, command } => match self.line.queue.permit(in_flight_max) {
                Ok(permit) => self.seat.call(r#ref, command, permit),
                Err(refusal) => self.line.refuse(r#ref, refusal),
            },
            ClientFrame::Ask { r#ref, ask } => match self.line.queue.permit(in_flight_max) {
                Ok(permit) => self.seat.ask(r#ref, ask, permit),
                Err(refusal) => self.line.refuse(r#ref, refusal),
            },
            ClientFrame::Signal { signal } => self.seat.signal(signal),
            ClientFrame::Renew { r#ref, token } => self.renew(r#ref, &token),
            // There is one to a connection.
            ClientFrame::Hello { .. } => return Err(End::Code(CloseCode::MalformedFrame)),
        }
        Ok(())
    }

    /// A token that cannot be used is refused, and the old one goes on being in force.
    fn renew(&mut self, r#ref: Ref, token: &str) {
        let renewed = self.line.sessions.tokens.verify(token, clock::now_millis());
        match renewed.ok().filter(|renewed| renewed.is_same_teammate(&self.subject)) {
            Some(renewed) => {
                self.expires_at = instant(renewed.ends_at);
                self.line.answer(r#ref, Answer::Renewed);
            }
            None => self.line.refuse(r#ref, Refusal::invalid("token", "is none for this teammate's session")),
        }
    }

    fn timer(&mut self, now: Instant) -> Result<(), End> {
        let limits = &self.line.sessions.limits;
        if now >= self.expires_at {
            return Err(End::Code(CloseCode::TokenExpired));
        }
        if now >= self.line.heard_at + limits.silence_max() {
            return Err(End::Code(CloseCode::HeartbeatMissed));
        }
        // What the node holds back is not the peer's fault; and a beat passes it, but for a frame that is written in part
        // and a catch-up that is being made.
        let held = self.line.queue.is_held();
        let stuck = self.line.queue.stuck_since().is_some_and(|since| now >= since + limits.behind_max);
        if stuck && !held {
            return Err(End::Code(CloseCode::Behind));
        }
        // While something waits for the socket or for a catch-up, a beat would wait behind it.
        if now >= self.beat_due() && (held || self.line.queue.bytes() == 0) {
            self.line.send(wire::beat(self.line.codec));
            self.beat_at = now;
        }
        Ok(())
    }

    /// When the peer has heard nothing for a heartbeat, or has said nothing: whoever is told news all the time and has
    /// nothing to say is asked by a beat's ping.
    fn beat_due(&self) -> Instant {
        let silent_since = self.line.queue.wrote_at().min(self.line.heard_at);
        silent_since.max(self.beat_at) + self.line.sessions.limits.heartbeat
    }

    /// When the clock has something to do next, as far as is known now. A beat that could not be sent is tried again soon.
    fn due(&self, now: Instant) -> Instant {
        let limits = &self.line.sessions.limits;
        let beat = self.beat_due();
        let beat = if beat > now { beat } else { now + limits.heartbeat / BEAT_TRIES };
        // What the node holds back is looked at again when it lets go.
        let stuck = self.line.queue.stuck_since().filter(|_| !self.line.queue.is_held());
        let stuck = stuck.map(|since| since + limits.behind_max);
        [Some(self.line.heard_at + limits.silence_max()), Some(self.expires_at), stuck]
            .into_iter()
            .flatten()
            .fold(beat, Instant::min)
    }
}

/// A time of the clock on the wall as one of the clock that timers go by.
fn instant(at: Millis) -> Instant {
    let left = u64::try_from(at - clock::now_millis()).unwrap_or(0);
    Instant::now() + Duration::from_millis(left).min(SESSION_MAX)
}
