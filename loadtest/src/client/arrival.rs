//! How a session gets in: a node that takes it, the upgrade, hello and welcome; and what to make of a no.

use std::time::Duration;

use rotunda_protocol::frame::ClientFrame;
use tokio::time::{sleep, timeout};

use super::line::{Ended, Line, NoLine};
use super::session::Session;
use crate::clock::Nanos;
use crate::picture::news::News;

/// The wait before a second attempt to connect; it doubles with every further one.
pub(super) const WAIT_MIN: Duration = Duration::from_millis(100);
/// The longest wait. The protocol allows half a minute; a load test is not that patient.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(5);
/// How long a hub may take to greet.
const GREETED_WITHIN: Duration = Duration::from_secs(15);

impl Session {
    /// Connects and is greeted, however long that takes. None if that can never be.
    pub(super) async fn connect(&self) -> Option<Line> {
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
            sleep(self.world.at_most(wait)).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    async fn greeted(&self, attempt: usize) -> Result<Line, NoLine> {
        let world = &self.world;
        let _turn = world.handshakes.acquire().await.expect("handshakes are never closed");
        let to = world.addresses[attempt % world.addresses.len()];
        let mut line = Line::open(to, world.source, self.is_slow, self.codec).await?;
        let token = world.token(&self.organization.id, &self.teammate);
        let (cursor, open) = {
            let held = &mut *self.held.borrow_mut();
            let cursor = held.cursor.as_ref().and_then(|frame| frame.cursor.clone());
            let reader = self.organization.reader.borrow();
            let open = held.picture.open.filter(|_| cursor.is_some());
            held.picture.said_open = open;
            (cursor, open.map(|place| reader.rows.id(place).clone()))
        };
        line.send(&ClientFrame::Hello { token, cursor, device: None, open: open.into_iter().collect() })
            .await;
        let greeted = timeout(GREETED_WITHIN, self.read_welcome(&mut line)).await;
        greeted.unwrap_or_else(|_| Err(NoLine::Unreachable(format!("{to} does not greet"))))?;
        Ok(line)
    }

    async fn read_welcome(&self, line: &mut Line) -> Result<(), NoLine> {
        loop {
            let bytes = line.next().await.map_err(refused)?;
            let frame = self.read(&bytes).map_err(NoLine::Stranger)?;
            if let News::Freshness = frame.news {
                continue;
            }
            if let News::Closing { code, .. } = frame.news {
                return Err(refused(Some(code.number())));
            }
            let News::Welcome { resumed, .. } = frame.news else {
                return Err(NoLine::Stranger("the hub's first frame is no welcome".into()));
            };
            let reset = !resumed && self.held.borrow().cursor.is_some();
            self.world.meter.borrow_mut().resets += u64::from(reset);
            self.take(&frame, Nanos::now());
            self.held.borrow_mut().connected = true;
            self.world.connected.set(self.world.connected.get() + 1);
            return Ok(());
        }
    }
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

pub(super) fn refusal_of(code: Ended) -> String {
    let code = code.unwrap_or_default();
    let advice = match code {
        4204 => "token_rejected: --token-secret must be what the hub checks session tokens with",
        4205 => "access_ended, which no scenario does to a teammate who is connected",
        _ => "see docs/PROTOCOL.md, section 10: is the hub of another version?",
    };
    format!("the hub closed with {code} ({advice})")
}
