//! Connections that never join an organization, over real sockets: what is refused before the upgrade and
//! during the handshake. What joins is tested with a real hub.

use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use futures::{SinkExt, StreamExt};
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::conversation::Mark;
use rotunda_protocol::frame::{ClientFrame, ServerFrame};
use rotunda_protocol::id::{ConversationId, OrganizationId, TeammateId};
use rotunda_protocol::item::Item;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::*;
use crate::clock;
use crate::domain::conversation::Conversation;
use crate::domain::event::{Event, Seq};
use crate::domain::node::NodeId;
use crate::session::token::Tokens;
use crate::store::nodes::{Beat, Nodes};
use crate::store::*;

const SECRET: &str = "a secret that is long enough for this";

#[derive(Parser)]
struct Serve {
    #[command(flatten)]
    config: Config,
}

/// A store that nobody asks.
struct Unasked;

#[async_trait]
impl Store for Unasked {
    async fn load(&self, _organization: &OrganizationId) -> Result<Option<Image>, StoreError> {
        unreachable!()
    }
    async fn append(&self, _batch: Batch) -> Result<Appended, StoreError> {
        unreachable!()
    }
    async fn events(
        &self,
        _organization: &OrganizationId,
        _after: Seq,
        _limit: u32,
    ) -> Result<Vec<(Seq, Event)>, StoreError> {
        unreachable!()
    }
    async fn find(&self, _organization: &OrganizationId, _needs: Needs) -> Result<Found, StoreError> {
        unreachable!()
    }
    async fn items(
        &self,
        _organization: &OrganizationId,
        _conversation: &ConversationId,
        _from: u32,
        _before: u32,
        _limit: u32,
    ) -> Result<Vec<(Item, Seq)>, StoreError> {
        unreachable!()
    }
    async fn archived(
        &self,
        _organization: &OrganizationId,
        _query: ArchivedQuery,
    ) -> Result<Vec<(Conversation, Seq, Mark)>, StoreError> {
        unreachable!()
    }
    async fn changed_since(
        &self,
        _organization: &OrganizationId,
        _teammate: &TeammateId,
        _since: Seq,
        _limit: u32,
    ) -> Result<Option<ChangedSince>, StoreError> {
        unreachable!()
    }
}

#[async_trait]
impl Nodes for Unasked {
    async fn beat(&self, _beat: Beat) -> Result<(), StoreError> {
        unreachable!()
    }
    async fn heads(&self, _of: &[OrganizationId]) -> Result<Vec<(OrganizationId, Seq)>, StoreError> {
        unreachable!()
    }
    async fn nodes(&self) -> Result<Vec<Beat>, StoreError> {
        unreachable!()
    }
    async fn forget(&self, _node: &NodeId, _number: u64) -> Result<(), StoreError> {
        unreachable!()
    }
}

fn limits() -> Limits {
    Limits { hello_time_max: Duration::from_secs(30), drain: Duration::ZERO, ..Limits::default() }
}

fn start(limits: Limits, flags: &[&str]) -> Running {
    let fixed = ["serve", "--listen", "127.0.0.1:0", "--token-secret", SECRET];
    let config = Serve::parse_from(fixed.iter().chain(flags)).config;
    let metrics = Metrics::new();
    let hub = Hub::new(Arc::new(Unasked), Arc::clone(&metrics), limits.clone());
    Server::start_within(&config, limits, hub, metrics, Router::new()).unwrap()
}

struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    codec: Codec,
}

async fn request(running: &Running, headers: &[(&'static str, &str)]) -> Result<Client, Error> {
    let mut request = format!("ws://{}/v1/socket", running.address).into_client_request().unwrap();
    for (name, value) in headers {
        let value = HeaderValue::try_from(*value).unwrap();
        request.headers_mut().append(HeaderName::from_static(name), value);
    }
    let (socket, response) = connect_async(request).await?;
    let name = response.headers()["sec-websocket-protocol"].to_str().unwrap();
    Ok(Client { socket, codec: Codec::from_subprotocol(name).unwrap() })
}

async fn connect(running: &Running, codec: Codec) -> Client {
    request(running, &[("sec-websocket-protocol", codec.subprotocol())]).await.unwrap()
}

async fn refused(running: &Running, headers: &[(&'static str, &str)]) -> (StatusCode, Option<u32>) {
    let Err(Error::Http(response)) = request(running, headers).await.map(drop) else { panic!("not refused") };
    let after = response.headers().get("retry-after");
    (response.status(), after.map(|seconds| seconds.to_str().unwrap().parse().unwrap()))
}

impl Client {
    async fn send(&mut self, frame: &ClientFrame) {
        let bytes = self.codec.encode(frame);
        let message = match self.codec {
            Codec::Json => Message::Text(String::from_utf8(bytes).unwrap().into()),
            Codec::MessagePack => Message::Binary(bytes.into()),
        };
        self.socket.send(message).await.unwrap();
    }

    /// The `closing` frame, then the close frame with its number and name, then the end.
    async fn ends_with(mut self, expected: CloseCode) {
        let closing = loop {
            let message = self.socket.next().await.unwrap().unwrap();
            if message.is_text() || message.is_binary() {
                break self.codec.decode(&message.into_data()).unwrap();
            }
        };
        let ServerFrame::Closing { code, retry_after_ms } = closing else { panic!("{closing:?}") };
        assert_eq!((code, retry_after_ms.is_some()), (expected, expected.number() < 4200));
        let Some(Ok(Message::Close(Some(close)))) = self.socket.next().await else { panic!("no close") };
        assert_eq!((u16::from(close.code), close.reason.as_str()), (expected.number(), expected.name()));
        assert!(self.socket.next().await.is_none());
    }
}

fn hello(token: String) -> ClientFrame {
    ClientFrame::Hello { token, cursor: None, device: None, open: Vec::new() }
}

#[tokio::test]
async fn what_can_be_refused_before_the_upgrade_is() {
    let running = start(Limits { connections_max: 1, ..limits() }, &["--origin", "https://inbox.example"]);
    let json = ("sec-websocket-protocol", "rotunda.v1.json");
    assert_eq!(refused(&running, &[]).await.0, StatusCode::BAD_REQUEST);
    let unknown = [("sec-websocket-protocol", "chat, rotunda.v9.json")];
    assert_eq!(refused(&running, &unknown).await.0, StatusCode::BAD_REQUEST);
    let foreign = [json, ("origin", "https://evil.example")];
    assert_eq!(refused(&running, &foreign).await.0, StatusCode::FORBIDDEN);

    let offers = [("sec-websocket-protocol", "chat, rotunda.v1.json"), ("origin", "https://inbox.example")];
    let client = request(&running, &offers).await.unwrap();
    assert_eq!(client.codec, Codec::Json);
    let (status, retry_after) = refused(&running, &[json]).await;
    assert_eq!((status, retry_after.is_some()), (StatusCode::SERVICE_UNAVAILABLE, true));
}

#[tokio::test]
async fn a_plain_request_is_told_to_upgrade() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let running = start(limits(), &[]);
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(b"GET /v1/socket HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 426"), "{answer}");
}

#[tokio::test]
async fn the_first_frame_is_a_hello_and_comes_in_time() {
    let running = start(limits(), &[]);
    let mut client = connect(&running, Codec::Json).await;
    client.send(&ClientFrame::Renew { r#ref: "1".into(), token: String::new() }).await;
    client.ends_with(CloseCode::HelloExpected).await;

    let running = start(Limits { hello_time_max: Duration::from_millis(20), ..limits() }, &[]);
    connect(&running, Codec::MessagePack).await.ends_with(CloseCode::HelloExpected).await;
}

#[tokio::test]
async fn a_token_that_is_none_and_one_that_was_are_told_the_same() {
    let running = start(limits(), &[]);
    let mut client = connect(&running, Codec::MessagePack).await;
    client.send(&hello("no token".into())).await;
    client.ends_with(CloseCode::TokenRejected).await;

    let tokens = Tokens::with_secret(SECRET, None).unwrap();
    let past = clock::now_millis() - 60_000;
    let token = tokens.sign(&"clinic".parse().unwrap(), &"ada".parse().unwrap(), past).unwrap();
    let mut client = connect(&running, Codec::Json).await;
    client.send(&hello(token)).await;
    client.ends_with(CloseCode::TokenRejected).await;
}

#[tokio::test]
async fn what_cannot_be_read_ends_the_connection_with_the_reason() {
    let running = start(limits(), &[]);
    let huge = "x".repeat(limits().frame_bytes_max + 1);
    for (codec, message, code) in [
        (Codec::MessagePack, Message::text("{}"), CloseCode::WrongCodec),
        (Codec::Json, Message::binary(vec![0x80]), CloseCode::WrongCodec),
        (Codec::Json, Message::text("{"), CloseCode::MalformedFrame),
        (Codec::Json, Message::text(json!({ "t": "sing" }).to_string()), CloseCode::MalformedFrame),
        (Codec::Json, Message::text(huge), CloseCode::FrameTooLarge),
    ] {
        let mut client = connect(&running, codec).await;
        client.socket.send(message).await.unwrap();
        client.ends_with(code).await;
    }
}

#[tokio::test]
async fn a_ping_is_answered_and_counts() {
    let running = start(Limits { frames_burst: 2, ..limits() }, &[]);
    let mut client = connect(&running, Codec::Json).await;
    client.socket.send(Message::Ping("a".into())).await.unwrap();
    assert_eq!(client.socket.next().await.unwrap().unwrap(), Message::Pong("a".into()));
    client.socket.send(Message::Ping("b".into())).await.unwrap();
    client.socket.send(Message::Ping("c".into())).await.unwrap();
    client.ends_with(CloseCode::QuotaExceeded).await;
}

#[tokio::test]
async fn a_peer_that_closes_is_agreed_with_and_leaves_its_place() {
    let running = start(limits(), &[]);
    let mut client = connect(&running, Codec::Json).await;
    client.socket.close(None).await.unwrap();
    assert_eq!(client.socket.next().await.unwrap().unwrap(), Message::Close(None));
    assert!(client.socket.next().await.is_none());
    let live = running.sessions().live.clone();
    running.drain().await;
    assert_eq!(live.count(), 0);
}

#[tokio::test]
async fn a_drain_says_goodbye_also_to_those_who_have_not_said_hello() {
    let running = start(limits(), &[]);
    let client = connect(&running, Codec::Json).await;
    tokio::join!(running.drain(), client.ends_with(CloseCode::Draining));
}
