//! A teammate's connection to a node, which may end at any time and says so. It costs little, so that there can be
//! thousands.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use rotunda_protocol::codec::Codec;
use rotunda_protocol::frame::{ClientFrame, ServerFrame};
use rotunda_protocol::id::ConversationId;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::support::node::token;

/// How long a node may take to greet a session before another one is tried; a frozen one takes connections and says
/// nothing.
const GREETED_WITHIN: Duration = Duration::from_secs(3);
/// Bytes that are read at once.
const READ_BUFFER: usize = 4 * 1024;

/// Who connects, and with what.
#[derive(Clone)]
pub(super) struct Who {
    pub(super) organization: String,
    pub(super) teammate: String,
    pub(super) codec: Codec,
}

/// A connection on which a session was greeted.
pub(super) struct Line {
    socket: WebSocketStream<TcpStream>,
    codec: Codec,
}

impl Line {
    /// Connects and says hello. None if there is no welcome in time.
    pub(super) async fn open(
        to: SocketAddr,
        who: &Who,
        cursor: Option<String>,
        open: &[ConversationId],
    ) -> Option<(Self, ServerFrame)> {
        timeout(GREETED_WITHIN, Self::greeted(to, who, cursor, open)).await.ok()?
    }

    async fn greeted(
        to: SocketAddr,
        who: &Who,
        cursor: Option<String>,
        open: &[ConversationId],
    ) -> Option<(Self, ServerFrame)> {
        let mut request = format!("ws://{to}/v1/socket").into_client_request().unwrap();
        let subprotocol = who.codec.subprotocol().parse().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", subprotocol);
        let stream = TcpStream::connect(to).await.ok()?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
        let (socket, _) = client_async_with_config(request, stream, Some(config)).await.ok()?;
        let mut line = Self { socket, codec: who.codec };
        let token = token(&who.organization, &who.teammate, Duration::from_hours(1));
        line.send(&ClientFrame::Hello { token, cursor, device: None, open: open.to_vec() }).await;
        loop {
            match line.next().await? {
                welcome @ ServerFrame::Welcome { .. } => return Some((line, welcome)),
                // The node has just begun, and says that it has yet to look.
                ServerFrame::Freshness { .. } => {}
                _ => return None,
            }
        }
    }

    /// Sends a frame. If the connection has ended, the next read says so.
    pub(super) async fn send(&mut self, frame: &ClientFrame) {
        let bytes = self.codec.encode(frame);
        let message = match self.codec {
            Codec::Json => Message::text(String::from_utf8(bytes).unwrap()),
            Codec::MessagePack => Message::binary(bytes),
        };
        let sent: Result<(), Error> = self.socket.send(message).await;
        drop(sent);
    }

    /// The next frame; none if the connection has ended.
    pub(super) async fn next(&mut self) -> Option<ServerFrame> {
        loop {
            let bytes = match self.socket.next().await?.ok()? {
                Message::Text(text) => text.as_bytes().to_vec(),
                Message::Binary(bytes) => bytes.to_vec(),
                Message::Close(_) => return None,
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
            };
            return Some(self.codec.decode(&bytes).expect("the hub sends what it documents"));
        }
    }
}
