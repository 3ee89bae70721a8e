//! How a session lives: it connects, reads, does what it is told, loses its connection, and comes back as the protocol
//! says.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use rotunda_protocol::frame::ClientFrame;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use super::arrival::{WAIT_MAX, WAIT_MIN, refusal_of};
use super::line::{self, Ended, Line};
use super::session::{Order, Session};
use crate::clock::Nanos;
use crate::picture::news::{Frame, News};

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
        lost_at = Some(match over {
            Over::Dismissed => return,
            Over::Cut { away, forget } => {
                if forget {
                    session.held.borrow_mut().cursor = None;
                }
                // How long somebody is away is not the hub's doing.
                sleep(away).await;
                Nanos::now()
            }
            Over::Ended(code) => {
                let lost_at = Nanos::now();
                session.world.meter.borrow_mut().closed(code);
                sleep(session.wait_after(code)).await;
                lost_at
            }
        });
    }
}

impl Session {
    pub(super) fn read(&self, bytes: &Bytes) -> Result<Rc<Frame>, String> {
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
            self.follow_up(&mut line).await;
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
                    Some(Order::Send(frame)) if self.wants(&frame) => line.send(&frame).await,
                    Some(Order::Come | Order::Send(_)) => {}
                    Some(Order::Cut { away, forget }) => {
                        line.cut();
                        return Over::Cut { away, forget };
                    }
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

    /// What was asked of a connection that is gone is not asked of this one: nobody waits for the answer, and a conversation
    /// would be opened that nobody looks at.
    fn wants(&self, frame: &ClientFrame) -> bool {
        let ClientFrame::Ask { r#ref, .. } = frame else { return true };
        let number = self.world.number_of_ref(r#ref.as_str());
        number.is_some_and(|number| self.held.borrow().waiting.contains_key(&number))
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
        self.world.meter.borrow_mut().heard(&frame.news, bytes.len(), now);
        if let News::Answer { r#ref, answer } = &frame.news {
            self.answered(r#ref, answer, now, line).await;
        }
        if let News::Closing { retry_after_ms, .. } = &frame.news {
            let least = Duration::from_millis(retry_after_ms.unwrap_or(0).into());
            self.held.borrow_mut().wait_least = least;
        }
        if self.held.borrow().notes.len() > self.organization.notes_max {
            self.organization.full.notify_one();
        }
        Ok(())
    }

    /// The connection is over. What was asked is not answered any more; commands are sent again.
    fn leave(&self) {
        let held = &mut *self.held.borrow_mut();
        held.connected = false;
        held.opening = None;
        self.world.connected.set(self.world.connected.get() - 1);
        held.picture.must_list |= held.lists_due > 0;
        held.lists_due = 0;
        held.waiting.retain(|_, waiting| waiting.again.is_some());
    }

    /// How long to wait before coming back, by the range of the close code.
    fn wait_after(&self, code: Ended) -> Duration {
        let least = std::mem::take(&mut self.held.borrow_mut().wait_least);
        let wait = match code {
            Some(line::WRONG_CODEC) => {
                self.world.fail("the hub sent a message of the other codec");
                WAIT_MAX
            }
            Some(4200..=4299) => {
                self.world.fail(refusal_of(code));
                WAIT_MAX
            }
            Some(4000..=4099) => Duration::ZERO,
            _ => self.world.at_most(WAIT_MIN),
        };
        wait.max(least)
    }
}
