//! One connection to a hub: the upgrade, frames out, frames in.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use rotunda_protocol::codec::{Codec, Malformed};
use rotunda_protocol::frame::{ClientFrame, ServerFrame};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::ClientError;

/// Where a hub's sockets are, for an address that names none.
pub const SOCKET_PATH: &str = "/v1/socket";

/// How long the upgrade may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A frame as it came.
#[derive(Debug, Clone)]
pub struct Received {
    codec: Codec,
    bytes: Bytes,
}

impl Received {
    /// What it says; an error for what a newer hub says in words this client does not know.
    pub fn frame(&self) -> Result<ServerFrame, Malformed> {
        self.codec.decode(&self.bytes)
    }

    /// What it says as JSON, known words or not.
    pub fn value(&self) -> Result<Value, Malformed> {
        self.codec.decode(&self.bytes)
    }
}

/// Why there are no more frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    /// The close code, if the hub said one.
    pub code: Option<u16>,
    /// What the hub or the network said.
    pub reason: String,
}

/// A connection.
pub(super) struct Connection {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    codec: Codec,
}

impl Connection {
    /// Connects and upgrades.
    pub(super) async fn open(url: &Uri, codec: Codec) -> Result<Self, ClientError> {
        let mut request = url.into_client_request().map_err(|e| ClientError::Url(e.to_string()))?;
        let protocol = HeaderValue::from_static(codec.subprotocol());
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connect_async(request)).await;
        match connected {
            Ok(Ok((socket, _))) => Ok(Self { socket, codec }),
            Ok(Err(WsError::Http(response))) => Err(ClientError::NotUpgraded(response.status().as_u16())),
            Ok(Err(error)) => Err(ClientError::Unreachable(error.to_string())),
            Err(_) => Err(ClientError::Unreachable("no answer within 10 s".into())),
        }
    }

    /// Sends a frame.
    pub(super) async fn send(&mut self, frame: &ClientFrame) -> Result<(), Ended> {
        let bytes = self.codec.encode(frame);
        let message = match self.codec {
            Codec::Json => Message::Text(Utf8Bytes::try_from(Bytes::from(bytes)).expect("JSON is UTF-8")),
            Codec::MessagePack => Message::Binary(bytes.into()),
        };
        self.socket.send(message).await.map_err(|error| Ended::by(&error))
    }

    /// Lets the hub hear that this side lives.
    pub(super) async fn ping(&mut self) -> Result<(), Ended> {
        self.socket.send(Message::Ping(Bytes::new())).await.map_err(|error| Ended::by(&error))
    }

    /// The next frame. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Received, Ended> {
        loop {
            let bytes = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => text.into(),
                Some(Ok(Message::Binary(bytes))) => bytes,
                Some(Ok(Message::Close(frame))) => return Err(Ended::with(frame)),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(error)) => return Err(Ended::by(&error)),
                None => return Err(Ended::with(None)),
            };
            return Ok(Received { codec: self.codec, bytes });
        }
    }

    /// Says goodbye. Whether the hub hears it makes no difference to it.
    pub(super) async fn close(mut self) {
        if let Err(error) = self.socket.close(None).await {
            tracing::debug!(%error, "the hub did not hear the goodbye");
        }
    }
}

impl Ended {
    fn with(frame: Option<CloseFrame>) -> Self {
        let reason = frame.as_ref().map_or("without a word".into(), |frame| frame.reason.to_string());
        Self { code: frame.map(|frame| frame.code.into()), reason }
    }

    fn by(error: &WsError) -> Self {
        Self { code: None, reason: error.to_string() }
    }

    /// Nothing was heard for too long.
    pub(super) fn silence() -> Self {
        Self { code: None, reason: "nothing was heard from the hub for two heartbeats".into() }
    }
}
