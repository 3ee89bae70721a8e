//! One connection: its handshake, what it asks and is told, and its end. What waits for it is the hub's to fill
//! (`hub::send_queue`), and the session's to write while it is awake.
//!
//! After the handshake a session runs in a task of its own that holds no more than it needs: thousands of them
//! are idle at any time.

mod id;
pub mod live;
pub mod token;

mod connection;
mod goodbye;
mod inbound;
mod line;
mod socket;

mod handshake;
mod running;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use tokio::net::TcpStream;

use self::line::Line;
use self::live::{Admitted, Live};
use self::token::Tokens;
use crate::hub::Hub;
use crate::limits::Limits;
use crate::metrics::Metrics;

pub(crate) use self::goodbye::retry_after_ms;

/// The sessions of this process: what all of them share, besides the hub.
pub struct Sessions {
    /// Whom to let in.
    pub tokens: Tokens,
    /// What a connection is granted.
    pub limits: Limits,
    /// The connections.
    pub live: Arc<Live>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// For a reason that the peer is told.
    Code(CloseCode),
    /// The same, but nothing that the peer sends can be read any more.
    Broken(CloseCode),
    /// Within a frame, so that it can be told nothing.
    Cut(CloseCode),
    /// The peer closed it; the reply is queued.
    Peer,
    /// The peer is gone.
    Gone,
}

/// A connection after its upgrade.
pub struct Upgraded {
    /// The socket.
    pub stream: TcpStream,
    /// What came along with the request for the upgrade.
    pub read: Vec<u8>,
    /// What it speaks.
    pub codec: Codec,
}

/// Runs a connection to its end, first as a guest, then with a seat in the hub.
pub async fn run(hub: &Hub, sessions: Arc<Sessions>, upgraded: Upgraded, admitted: Admitted) {
    let mut line = Line::new(upgraded, admitted, sessions);
    match handshake::greet(hub, &mut line).await {
        // In a task of its own: this one is as large as its handshake was.
        Ok(seated) => drop(tokio::spawn(running::run(line, seated))),
        Err(end) => line.finish(end).await,
    }
}
