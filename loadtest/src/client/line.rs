//! A connection on which a session was greeted, or why there is none.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use nix::sys::socket::{setsockopt, sockopt};
use rotunda_protocol::codec::Codec;
use rotunda_protocol::frame::ClientFrame;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// How long a node may take to upgrade a connection before another one is tried.
const UPGRADED_WITHIN: Duration = Duration::from_secs(10);
/// Bytes that are read at once: a few frames.
const READ_BUFFER: usize = 8 * 1024;

/// A connection.
pub(crate) struct Line {
    socket: WebSocketStream<TcpStream>,
    codec: Codec,
}

/// Why a connection could not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoLine {
    /// Another try may do.
    Unreachable(String),
    /// The hub is full, or about to end.
    Busy,
    /// No other try will do: what is there is no hub that speaks this protocol.
    Stranger(String),
}

/// The receive buffer of a narrow connection, in bytes.
const NARROW_BUFFER: u32 = 8 * 1024;
/// The largest segment of a narrow connection, in bytes. With a usual one the hub's kernel takes megabytes on loopback
/// before anybody notices that nobody reads.
const NARROW_SEGMENT: u32 = 536;

/// What a connection ended with on which a message came that is not of its codec: the WebSocket protocol's own code.
pub(crate) const WRONG_CODEC: u16 = 1003;

/// How a connection ended: with a close code, or without.
pub(crate) type Ended = Option<u16>;

impl Line {
    /// Connects and agrees on a codec. A narrow connection is like a phone's at the edge of its network.
    pub(crate) async fn open(
        to: SocketAddr,
        from: Option<IpAddr>,
        narrow: bool,
        codec: Codec,
    ) -> Result<Self, NoLine> {
        let opened = timeout(UPGRADED_WITHIN, Self::upgraded(to, from, narrow, codec)).await;
        opened.unwrap_or_else(|_| {
            Err(NoLine::Unreachable(format!("{to} did not answer within {UPGRADED_WITHIN:?}")))
        })
    }

    async fn upgraded(
        to: SocketAddr,
        from: Option<IpAddr>,
        narrow: bool,
        codec: Codec,
    ) -> Result<Self, NoLine> {
        let stream = connect(to, from, narrow).await.map_err(|error| unreachable(to, &error))?;
        let mut request = format!("ws://{to}/v1/socket")
            .into_client_request()
            .map_err(|error| NoLine::Stranger(error.to_string()))?;
        let subprotocol = codec.subprotocol().parse().expect("a subprotocol is a header");
        request.headers_mut().insert("Sec-WebSocket-Protocol", subprotocol);
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
        match client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(Self { socket, codec }),
            Err(Error::Http(answer)) if answer.status().as_u16() == 503 => Err(NoLine::Busy),
            Err(Error::Http(answer)) => Err(NoLine::Stranger(format!(
                "{to} answers {} at /v1/socket: is this a Rotunda hub that speaks {}?",
                answer.status(),
                codec.subprotocol()
            ))),
            Err(Error::Io(error)) => Err(unreachable(to, &error)),
            Err(error @ Error::Protocol(_)) if ended_early(&error) => {
                Err(NoLine::Unreachable(format!("{to} closed the connection during the upgrade")))
            }
            Err(error) => Err(NoLine::Stranger(format!(
                "{to} does not speak {}: {error}; is this a Rotunda hub, of this version?",
                codec.subprotocol()
            ))),
        }
    }

    /// Sends a frame. If the connection has ended, the next read says so.
    pub(crate) async fn send(&mut self, frame: &ClientFrame) {
        let bytes = self.codec.encode(frame);
        let message = match self.codec {
            Codec::Json => Message::text(String::from_utf8(bytes).expect("JSON is text")),
            Codec::MessagePack => Message::binary(bytes),
        };
        drop(self.socket.send(message).await);
    }

    /// Ends it without a goodbye, as a network does.
    pub(crate) fn cut(&self) {
        // If it has ended already, it is cut as well.
        drop(self.socket.get_ref().set_zero_linger());
    }

    /// The next frame.
    pub(crate) async fn next(&mut self) -> Result<Bytes, Ended> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) if self.codec == Codec::Json => return Ok(text.into()),
                Some(Ok(Message::Binary(bytes))) if self.codec == Codec::MessagePack => return Ok(bytes),
                Some(Ok(Message::Text(_) | Message::Binary(_))) => return Err(Some(WRONG_CODEC)),
                Some(Ok(Message::Close(close))) => return Err(close.map(|close| close.code.into())),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }
}

async fn connect(to: SocketAddr, from: Option<IpAddr>, narrow: bool) -> std::io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from {
        // A port may be used again that was left a moment ago.
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::new(from, 0))?;
    }
    if narrow {
        socket.set_recv_buffer_size(NARROW_BUFFER)?;
        setsockopt(&socket, sockopt::TcpMaxSeg, &NARROW_SEGMENT)?;
    }
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn unreachable(to: SocketAddr, error: &std::io::Error) -> NoLine {
    NoLine::Unreachable(format!("cannot connect to {to}: {error}"))
}

fn ended_early(error: &Error) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    matches!(
        error,
        Error::Protocol(ProtocolError::HandshakeIncomplete | ProtocolError::ResetWithoutClosingHandshake)
    )
}
