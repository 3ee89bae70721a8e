//! One teammate's session at the hub, whatever happens to its connections: greeted with the last cursor each time.

use std::time::Duration;

use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::frame::{ClientFrame, Cursor, ServerFrame};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};
use tokio_tungstenite::tungstenite::http::Uri;

use super::backoff::{self, Backoff, Next};
use super::connection::{Connection, Ended, Received};
use super::{ClientError, TokenSource};

/// How often the hub hears from a client that has not been greeted yet.
const HEARTBEAT: Duration = Duration::from_secs(25);

/// What a session hears.
#[derive(Debug)]
pub enum News {
    /// A frame.
    Frame(Received),
    /// The connection has ended; the session comes back by itself after this long.
    Lost {
        /// Why.
        reason: String,
        /// How long until it tries again.
        wait: Duration,
    },
}

/// Whether there is a connection.
enum Line {
    /// There was none yet.
    Down,
    /// There will be none before this.
    Waiting(Instant),
    /// There is one.
    Up(Box<Up>),
}

struct Up {
    connection: Connection,
    beat: Interval,
    heard: Instant,
    /// The hub said to wait this long after it closes.
    retry_after: Option<Duration>,
}

/// One teammate's session, whatever happens to its connections.
pub struct Session {
    url: Uri,
    codec: Codec,
    source: TokenSource,
    cursor: Option<Cursor>,
    backoff: Backoff,
    line: Line,
}

impl Session {
    /// A session that is not connected yet.
    pub fn new(url: Uri, codec: Codec, source: TokenSource) -> Self {
        Self { url, codec, source, cursor: None, backoff: Backoff::default(), line: Line::Down }
    }

    /// What comes next. The first connection has to succeed; later ones are tried until they do.
    pub async fn next(&mut self) -> Result<News, ClientError> {
        match &mut self.line {
            Line::Down => self.line = Line::Up(Box::new(self.connect().await?)),
            Line::Waiting(until) => {
                sleep_until(*until).await;
                match self.connect().await {
                    Ok(up) => self.line = Line::Up(Box::new(up)),
                    Err(error @ (ClientError::Url(_) | ClientError::Rejected { .. })) => return Err(error),
                    Err(error) => return Ok(self.lost(error.to_string(), None)),
                }
            }
            Line::Up(_) => {}
        }
        let Line::Up(up) = &mut self.line else { unreachable!("connected above") };
        match up.hear().await {
            Ok(received) => {
                self.note(&received);
                Ok(News::Frame(received))
            }
            Err(ended) => self.ended(ended),
        }
    }

    /// Sends a frame if there is a connection; one that has ended is noticed by `next`.
    pub async fn send(&mut self, frame: &ClientFrame) {
        if let Line::Up(up) = &mut self.line
            && let Err(ended) = up.connection.send(frame).await
        {
            tracing::debug!(reason = ended.reason, "a frame was not sent");
        }
    }

    /// Ends the session.
    pub async fn close(self) {
        if let Line::Up(up) = self.line {
            up.connection.close().await;
        }
    }

    async fn connect(&self) -> Result<Up, ClientError> {
        let token = self.source.token(&self.url).await?;
        let mut connection = Connection::open(&self.url, self.codec).await?;
        let device = Some(concat!("rotunda ", env!("CARGO_PKG_VERSION")).into());
        let hello = ClientFrame::Hello { token, cursor: self.cursor.clone(), device, open: vec![] };
        connection.send(&hello).await.map_err(|ended| ClientError::Unreachable(ended.reason))?;
        Ok(Up { connection, beat: beat(HEARTBEAT), heard: Instant::now(), retry_after: None })
    }

    /// Remembers what a frame says about the session itself.
    fn note(&mut self, received: &Received) {
        let Line::Up(up) = &mut self.line else { return };
        match received.frame() {
            Ok(ServerFrame::Welcome { limits, cursor, .. }) => {
                up.beat = beat(Duration::from_millis(limits.heartbeat_ms.max(1).into()));
                self.cursor = Some(cursor);
                self.backoff.reset();
            }
            Ok(
                ServerFrame::Push { cursor: Some(cursor), .. }
                | ServerFrame::CatchUp { cursor, .. }
                | ServerFrame::Resync { cursor, .. },
            ) => self.cursor = Some(cursor),
            Ok(ServerFrame::Closing { retry_after_ms, .. }) => {
                up.retry_after = retry_after_ms.map(|ms| Duration::from_millis(ms.into()));
            }
            Ok(
                ServerFrame::Push { .. }
                | ServerFrame::Answer { .. }
                | ServerFrame::Beat
                | ServerFrame::Freshness { .. },
            )
            | Err(_) => {}
        }
    }

    fn ended(&mut self, Ended { code, reason }: Ended) -> Result<News, ClientError> {
        let expired = code == Some(CloseCode::TokenExpired.number());
        let hopeless = Next::after(code) == Next::Never || (expired && !self.source.is_renewable());
        let name = code.map_or("no code", backoff::name);
        if hopeless {
            let advice = if expired {
                "make a new token with `rotunda token`"
            } else {
                "check the token and the teammate's access"
            };
            return Err(ClientError::Rejected { code: code.unwrap_or(0), name, advice });
        }
        let said = if let Line::Up(up) = &self.line { up.retry_after } else { None };
        let wait = match (Next::after(code), said) {
            (_, Some(said)) => Some(said),
            (Next::Now, None) => Some(Duration::ZERO),
            (Next::Later | Next::Never, None) => None,
        };
        let reason = match code {
            Some(code) if reason.is_empty() || reason == name => format!("{code} {name}"),
            Some(code) => format!("{code} {name}: {reason}"),
            None => reason,
        };
        Ok(self.lost(reason, wait))
    }

    fn lost(&mut self, reason: String, wait: Option<Duration>) -> News {
        // Even "at once" backs off when it keeps happening.
        let wait = wait.unwrap_or(Duration::ZERO).max(self.backoff.wait());
        self.line = Line::Waiting(Instant::now() + wait);
        News::Lost { reason, wait }
    }
}

impl Up {
    /// The next frame; meanwhile the hub hears from us once a heartbeat, and after two silent ones we give up.
    async fn hear(&mut self) -> Result<Received, Ended> {
        loop {
            tokio::select! {
                received = self.connection.next() => {
                    self.heard = Instant::now();
                    return received;
                }
                _ = self.beat.tick() => {
                    if self.heard.elapsed() > 2 * self.beat.period() {
                        return Err(Ended::silence());
                    }
                    self.connection.ping().await?;
                }
            }
        }
    }
}

fn beat(period: Duration) -> Interval {
    let mut beat = interval_at(Instant::now() + period, period);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}
