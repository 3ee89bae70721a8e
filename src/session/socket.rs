//! The WebSocket protocol of one connection: tungstenite parses what comes and answers pings and closes, into a
//! small buffer of its own. Nothing is written here: those bytes join the send queue between frames.

use std::io::{self, Read, Write};
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::connection::Connection;
use crate::limits::Limits;

/// Reads from the socket for one message. A message in endless fragments is not read to its end at once: it
/// would keep the processor to itself.
const READS_MAX: u32 = 128;

/// What came from the peer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// A whole message. The bytes lie in the read buffer and keep all of it alive.
    Message(Codec, Bytes),
    /// A ping or a pong.
    Control,
    /// A lot, and no message yet. There may be more.
    Unfinished,
    /// Nothing more for now.
    Nothing,
    /// The peer closes; the reply is among the control bytes.
    Closing,
    /// The peer agreed to the close, or has gone.
    Gone,
    /// The peer broke the protocol; nothing can be parsed from here on.
    Broken(CloseCode),
}

/// A connection after its upgrade.
pub(super) struct Socket {
    pub(super) connection: Arc<Connection>,
    context: WebSocketContext,
    control: Vec<u8>,
}

/// What tungstenite takes for its stream: reads from the socket, writes into the buffer.
struct Half<'a> {
    stream: &'a TcpStream,
    control: &'a mut Vec<u8>,
    reads_left: u32,
}

impl Read for Half<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.reads_left = self.reads_left.checked_sub(1).ok_or(io::ErrorKind::WouldBlock)?;
        self.stream.try_read(bytes)
    }
}

impl Write for Half<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.control.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket {
    /// A socket of which some bytes were read already, together with the request for the upgrade.
    pub(super) fn new(connection: Arc<Connection>, read: Vec<u8>, limits: &Limits) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(limits.read_buffer_bytes)
            .write_buffer_size(0)
            .max_write_buffer_size(limits.frame_bytes_max)
            .max_message_size(Some(limits.frame_bytes_max))
            .max_frame_size(Some(limits.frame_bytes_max));
        let context = WebSocketContext::from_partially_read(read, Role::Server, Some(config));
        Self { connection, context, control: Vec::new() }
    }

    /// The next thing that came, without waiting.
    pub(super) fn read(&mut self) -> Received {
        let mut half =
            Half { stream: &self.connection.stream, control: &mut self.control, reads_left: READS_MAX };
        match self.context.read(&mut half) {
            Ok(Message::Text(text)) => Received::Message(Codec::Json, text.into()),
            Ok(Message::Binary(bytes)) => Received::Message(Codec::MessagePack, bytes),
            Ok(Message::Close(_)) => {
                // The flush makes the reply, if this is none itself, and says what is known: that it is over.
                let over = self.context.flush(&mut half);
                tracing::trace!(?over, "the peer closes");
                if self.control.is_empty() { Received::Gone } else { Received::Closing }
            }
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                match self.context.flush(&mut half) {
                    Ok(()) => Received::Control,
                    Err(error) => refused(&error),
                }
            }
            Err(Error::Io(error)) if half.reads_left == 0 && error.kind() == io::ErrorKind::WouldBlock => {
                Received::Unfinished
            }
            Err(error) => refused(&error),
        }
    }

    /// Bytes of the WebSocket protocol that are to be written between frames, if there are any.
    pub(super) fn take_control(&mut self) -> Option<Bytes> {
        (!self.control.is_empty()).then(|| mem::take(&mut self.control).into())
    }

    /// The close frame with the code's number and name. From here on the peer's close is its agreement.
    pub(super) fn close(&mut self, code: CloseCode) -> Bytes {
        let frame = CloseFrame { code: code.number().into(), reason: Utf8Bytes::from_static(code.name()) };
        let mut half = Half { stream: &self.connection.stream, control: &mut self.control, reads_left: 0 };
        if let Err(error) = self.context.close(&mut half, Some(frame)) {
            tracing::trace!(%error, "close after close");
        }
        mem::take(&mut self.control).into()
    }

    /// Reads some of what there is and forgets it, for a peer that broke the protocol. True once it has gone.
    pub(super) fn discard(&self) -> bool {
        let mut bytes = [0; 1024];
        for _ in 0..READS_MAX {
            match self.connection.stream.try_read(&mut bytes) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
            }
        }
        false
    }

    pub(super) fn poll_readable(&self, context: &mut Context<'_>) -> Poll<()> {
        // An error is found by the read that follows.
        self.connection.stream.poll_read_ready(context).map(drop)
    }

    pub(super) fn poll_writable(&self, context: &mut Context<'_>) -> Poll<()> {
        self.connection.stream.poll_write_ready(context).map(drop)
    }
}

fn refused(error: &Error) -> Received {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
        Error::Io(_)
        | Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Received::Gone,
        Error::Capacity(_) => Received::Broken(CloseCode::FrameTooLarge),
        Error::Protocol(_)
        | Error::Utf8(_)
        | Error::WriteBufferFull(_)
        | Error::AttackAttempt
        | Error::Tls(_)
        | Error::Url(_)
        | Error::Http(_)
        | Error::HttpFormat(_) => Received::Broken(CloseCode::MalformedFrame),
    }
}
