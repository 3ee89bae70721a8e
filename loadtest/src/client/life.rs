//! How a session lives: it connects, reads, does what it is told, loses its connection, and comes back as the protocol
//! says.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use rotunda_protocol::command::Outcome;
use rotunda_protocol::frame::ClientFrame;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::line::{Ended, Line, NoLine};
use super::news::{Answer, News, Told};
use super::session::{Order, Session, Waiting, What, page};
use crate::check::picture;
use crate::clock::Nanos;

/// The wait before a second attempt to connect; it doubles with every further one.
const WAIT_MIN: Duration = Duration::from_millis(100);
/// The longest wait. The protocol allows half a minute; a load test is not that patient.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Why a connection is over.
enum Over {
    /// It was told to lose it.
    Cut { away: Duration, forget: bool },
    /// The hub, or the network.
    Ended(Ended),
    /// Nobody tells it anything any more.
    Dismissed,
}

/// Lives until nobody tells it anything any more.
pub(crate) async fn live(session: Rc<Session>, mut told: mpsc::Receiver<Order>) {
    loop {
        match told.recv().await {
            Some(Order::Come) => break,
            Some(_) => {}
            None => return,
        }
    }
    let mut lost_at = None;
    loop {
        let Some(line) = session.connect().await else { return };
        let now = Nanos::now();
        if let Some(lost_at) = lost_at.take() {
            session.came_back(now, lost_at);
        }
        let over = session.stay(line, &mut told).await;
        session.leave();
        let away = match over {
            Over::Dismissed => return,
            Over::Cut { away, forget } => {
                if forget {
                    session.held.borrow_mut().cursor = None;
                }
                away
            }
            Over::Ended(code) => session.wait_after(code),
        };
        sleep(away).await;
        lost_at = Some(Nanos::now());
    }
}

impl Session {
    /// Connects and is greeted, however long that takes. None if that can never be.
    async fn connect(&self) -> Option<Line> {
        let mut wait = WAIT_MIN;
        let mut attempt = self.number;
        loop {
            let why = match self.greeted(attempt).await {
                Ok(line) => return Some(line),
                Err(NoLine::Stranger(why)) => {
                    self.world.fail(why);
                    return None;
                }
                Err(NoLine::Unreachable(why)) => why,
                Err(NoLine::Busy) => "the hub is full or about to end (503): ask for fewer sessions, or raise its --connections-max".into(),
            };
            *self.world.no_line.borrow_mut() = Some(why);
            attempt += 1;
            let half = wait / 2;
            sleep(half + half.mul_f64(self.world.chance.borrow_mut().f64())).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    async fn greeted(&self, attempt: usize) -> Result<Line, NoLine> {
        let world = &self.world;
        let _turn = world.handshakes.acquire().await.expect("handshakes are never closed");
        let to = world.addresses[attempt % world.addresses.len()];
        let mut line = Line::open(to, world.source, self.codec).await?;
        let token = world.token(&self.organization.id, &self.teammate);
        let (cursor, open) = {
            let held = self.held.borrow();
            let cursor = held.cursor.as_ref().and_then(|frame| frame.cursor.clone());
            let reader = self.organization.reader.borrow();
            let open = held.picture.open.filter(|_| cursor.is_some());
            (cursor, open.map(|place| reader.rows.id(place).clone()))
        };
        line.send(&ClientFrame::Hello { token, cursor, device: None, open: open.into_iter().collect() })
            .await;
        let greeted = tokio::time::timeout(Duration::from_secs(15), self.read_welcome(&mut line)).await;
        greeted.unwrap_or_else(|_| Err(NoLine::Unreachable(format!("{to} does not greet"))))?;
        Ok(line)
    }

    async fn read_welcome(&self, line: &mut Line) -> Result<(), NoLine> {
        loop {
            let bytes = line.next().await.map_err(refused)?;
            let frame = self.read(&bytes).map_err(NoLine::Stranger)?;
            match &frame.news {
                News::Freshness => {}
                News::Welcome { resumed, .. } => {
                    let mut meter = self.world.meter.borrow_mut();
                    meter.resets += u64::from(!resumed && self.held.borrow().cursor.is_some());
                    drop(meter);
                    self.take(&frame, Nanos::now());
                    let mut held = self.held.borrow_mut();
                    held.connected = true;
                    self.world.connected.set(self.world.connected.get() + 1);
                    return Ok(());
                }
                News::Closing { code, .. } => return Err(refused(Some(code.number()))),
                _ => return Err(NoLine::Stranger("the hub's first frame is no welcome".into())),
            }
        }
    }

    fn read(&self, bytes: &Bytes) -> Result<Rc<super::news::Frame>, String> {
        self.organization.reader.borrow_mut().read(self.codec, bytes)
    }

    fn came_back(&self, now: Nanos, lost_at: Nanos) {
        let mut meter = self.world.meter.borrow_mut();
        if meter.on {
            meter.reconnects += 1;
            meter.reconnect.record(now.since(lost_at));
        }
    }

    /// Stays connected for as long as it lasts.
    async fn stay(&self, mut line: Line, told: &mut mpsc::Receiver<Order>) -> Over {
        let again: Vec<ClientFrame> = {
            let held = self.held.borrow();
            held.waiting.values().filter_map(|waiting| waiting.again.clone()).collect()
        };
        for frame in &again {
            line.send(frame).await;
        }
        let silence = sleep_until(Instant::now() + self.silence());
        tokio::pin!(silence);
        let mut heard_at = Instant::now();
        loop {
            self.show_lists(&mut line).await;
            tokio::select! {
                read = line.next() => {
                    let bytes = match read {
                        Ok(bytes) => bytes,
                        Err(ended) => return Over::Ended(ended),
                    };
                    heard_at = Instant::now();
                    if let Err(over) = self.hear(&bytes, &mut line).await {
                        return over;
                    }
                }
                order = told.recv() => match order {
                    Some(Order::Come) => {}
                    Some(Order::Send(frame)) => line.send(&frame).await,
                    Some(Order::Cut { away, forget }) => return Over::Cut { away, forget },
                    Some(Order::Deaf(time)) => sleep(time).await,
                    None => return Over::Dismissed,
                },
                () = &mut silence => {
                    let until = heard_at + self.silence();
                    if until <= Instant::now() {
                        return Over::Ended(None);
                    }
                    silence.as_mut().reset(until);
                }
            }
        }
    }

    fn silence(&self) -> Duration {
        self.held.borrow().heartbeat * 2
    }

    /// One frame.
    async fn hear(&self, bytes: &Bytes, line: &mut Line) -> Result<(), Over> {
        let frame = match self.read(bytes) {
            Ok(frame) => frame,
            Err(why) => {
                self.world.fail(format!("the hub sent {why}: is it of another version?"));
                return Err(Over::Ended(None));
            }
        };
        let now = Nanos::now();
        self.world.heard_at.set(now);
        self.take(&frame, now);
        match &frame.news {
            News::Answer { r#ref, answer } => self.answered(r#ref, answer, now, line).await,
            News::Row(..) => {
                let mut meter = self.world.meter.borrow_mut();
                meter.rows += 1;
                meter.row_bytes += bytes.len() as u64;
            }
            News::Closing { retry_after_ms, .. } => {
                let least = Duration::from_millis(retry_after_ms.unwrap_or(0).into());
                self.held.borrow_mut().wait_least = least;
            }
            News::CatchUp(_) => self.world.meter.borrow_mut().catch_ups += 1,
            News::Resync(_) => self.world.meter.borrow_mut().resyncs += 1,
            _ => {}
        }
        if self.held.borrow().notes.len() > self.organization.notes_max {
            self.organization.full.notify_one();
        }
        Ok(())
    }

    /// Asks for the lists that are shown, if they have to be.
    async fn show_lists(&self, line: &mut Line) {
        if !std::mem::take(&mut self.held.borrow_mut().picture.must_list) {
            return;
        }
        for mailbox in self.shown_lists() {
            self.held.borrow_mut().lists_due += 1;
            self.ask_now(page(mailbox.clone(), None), What::Shown(mailbox), line).await;
        }
    }

    async fn ask_now(&self, ask: rotunda_protocol::ask::Ask, what: What, line: &mut Line) {
        let number = self.world.next_ref();
        self.expect(number, Waiting { again: None, meant: Nanos::now(), what });
        line.send(&ClientFrame::Ask { r#ref: self.world.name_of_ref(number), ask }).await;
    }

    async fn answered(&self, r#ref: &str, answer: &Answer, now: Nanos, line: &mut Line) {
        let number = self.world.number_of_ref(r#ref);
        let Some(waiting) = number.and_then(|number| self.held.borrow_mut().waiting.remove(&number)) else {
            return;
        };
        match (waiting.what, answer) {
            (What::Command { revokes, answered }, answer) => {
                self.command_answered(waiting.meant, now, revokes, answer);
                if let Some(to) = answered {
                    tell(to, now);
                }
            }
            (What::Shown(mailbox), Answer::Told(told @ Told::List { next, .. })) => {
                self.take_told(told);
                match next {
                    Some(next) => {
                        self.ask_now(page(mailbox.clone(), Some(next.clone())), What::Shown(mailbox), line)
                            .await;
                    }
                    None => self.held.borrow_mut().lists_due -= 1,
                }
            }
            // What one may see changed meanwhile: the same again.
            (What::Shown(mailbox), _) => {
                self.ask_now(page(mailbox.clone(), None), What::Shown(mailbox), line).await;
            }
            (What::Fresh { mailbox, mut rows, to }, Answer::Told(told @ Told::List { rows: more, next })) => {
                let held = &mut *self.held.borrow_mut();
                picture::note_told(told, &mut held.notes);
                rows.extend(more.iter().map(|(place, version, mark)| (*place, version.row.rev, *mark)));
                let number = next.as_ref().map(|_| self.world.next_ref());
                if let (Some(next), Some(number)) = (next, number) {
                    let ask = page(mailbox.clone(), Some(next.clone()));
                    let what = What::Fresh { mailbox, rows, to };
                    held.waiting.insert(number, Waiting { again: None, meant: now, what });
                    let frame = ClientFrame::Ask { r#ref: self.world.name_of_ref(number), ask };
                    self.order(Order::Send(Box::new(frame)));
                } else {
                    tell(to, rows);
                }
            }
            (What::Open, Answer::Told(told)) => self.take_told(told),
            (What::Counts(to), Answer::Told(Told::Counts(counts))) => {
                tell(to, counts.iter().map(|count| count.conversations).sum());
            }
            // Whoever waits hears nothing, and asks again.
            (What::Fresh { .. } | What::Open | What::Counts(_), _) => {}
        }
    }

    fn take_told(&self, told: &Told) {
        let held = &mut *self.held.borrow_mut();
        held.picture.take(told, &mut held.notes);
    }

    fn command_answered(&self, meant: Nanos, now: Nanos, revokes: bool, answer: &Answer) {
        let mut meter = self.world.meter.borrow_mut();
        match answer {
            Answer::Done(done) => {
                meter.done(meant, now);
                if revokes && meter.on {
                    meter.revocation.record(now.since(meant));
                }
                drop(meter);
                self.organization.made(&self.world, &Outcome::from(done.clone()), meant);
            }
            Answer::Refused(refusal) => meter.refused(refusal.code()),
            Answer::Told(_) | Answer::Renewed => {}
        }
    }

    /// The connection is over. What was asked is not answered any more; commands are sent again.
    fn leave(&self) {
        let held = &mut *self.held.borrow_mut();
        held.connected = false;
        self.world.connected.set(self.world.connected.get() - 1);
        held.picture.must_list |= held.lists_due > 0;
        held.lists_due = 0;
        held.waiting.retain(|_, waiting| waiting.again.is_some());
    }

    /// How long to wait before coming back, by the range of the close code.
    fn wait_after(&self, code: Ended) -> Duration {
        let least = std::mem::take(&mut self.held.borrow_mut().wait_least);
        let wait = match code {
            Some(4200..=4299) => {
                self.world.fail(refusal_of(code));
                WAIT_MAX
            }
            Some(4000..=4099) => Duration::ZERO,
            _ => WAIT_MIN.mul_f64(0.5 + self.world.chance.borrow_mut().f64() / 2.0),
        };
        wait.max(least)
    }
}

/// Tells whoever asked, if they still wait.
fn tell<T>(to: oneshot::Sender<T>, value: T) {
    drop(to.send(value));
}

fn refused(ended: Ended) -> NoLine {
    match ended {
        Some(4200..=4299) => NoLine::Stranger(refusal_of(ended)),
        Some(4102) => NoLine::Stranger(
            "the hub closed with 4102 (too_many_sessions): a teammate has 20 sessions on it already".into(),
        ),
        Some(code) => NoLine::Unreachable(format!("the hub closed with {code}")),
        None => NoLine::Unreachable("the hub closed the connection".into()),
    }
}

fn refusal_of(code: Ended) -> String {
    let code = code.unwrap_or_default();
    let advice = match code {
        4204 => "token_rejected: --token-secret must be what the hub checks session tokens with",
        4205 => "access_ended, which no scenario does to a teammate who is connected",
        _ => "see docs/PROTOCOL.md, section 10: is the hub of another version?",
    };
    format!("the hub closed with {code} ({advice})")
}
