//! A client of the public protocol, with a common WebSocket library.

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use rotunda_protocol::ask::{Ask, Told};
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done};
use rotunda_protocol::conversation::Listed;
use rotunda_protocol::frame::{Answer, ClientFrame, ServerFrame, Signal};
use rotunda_protocol::principal::Mailbox;
use rotunda_protocol::push::Push;
use rotunda_protocol::refusal::Refusal;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

/// Whatever takes longer than this never comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came from the hub.
#[derive(Debug)]
pub(crate) enum Came {
    Frame(ServerFrame),
    Closed(Option<CloseFrame>),
}

/// The response to a request that becomes no session.
pub(crate) type Refused = Box<tungstenite::handshake::client::Response>;

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    codec: Codec,
    refs: u32,
    /// Pushes that came while something else was waited for.
    pub(crate) pushes: Vec<Push>,
    pub(crate) cursor: Option<String>,
}

impl Client {
    /// A connection on which nothing was said yet.
    pub(crate) async fn connect(url: &str, codec: Codec) -> Self {
        let client = Self::request(url, &[("sec-websocket-protocol", codec.subprotocol())]).await.unwrap();
        assert_eq!(client.codec, codec);
        client
    }

    /// A connection asked for with these headers, or the response that it was refused with.
    pub(crate) async fn request(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, Refused> {
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().unwrap());
        }
        match connect_async(request).await {
            Ok((socket, response)) => {
                let subprotocol = response.headers()["sec-websocket-protocol"].to_str().unwrap();
                let codec = Codec::from_subprotocol(subprotocol).unwrap();
                Ok(Self { socket, codec, refs: 0, pushes: Vec::new(), cursor: None })
            }
            Err(Error::Http(response)) => Err(response),
            Err(error) => panic!("{error}"),
        }
    }

    /// The same, where the system keeps only a few thousand bytes that are not read.
    pub(crate) async fn connect_with_little_room(url: &str, address: SocketAddr) -> Self {
        let codec = Codec::MessagePack;
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", codec.subprotocol().parse().unwrap());
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let stream = MaybeTlsStream::Plain(socket.connect(address).await.unwrap());
        let (socket, _) = client_async(request, stream).await.unwrap();
        Self { socket, codec, refs: 0, pushes: Vec::new(), cursor: None }
    }

    pub(crate) async fn send(&mut self, frame: &ClientFrame) {
        let bytes = self.codec.encode(frame);
        let message = match self.codec {
            Codec::Json => Message::text(String::from_utf8(bytes).unwrap()),
            Codec::MessagePack => Message::binary(bytes),
        };
        self.socket.send(message).await.unwrap();
    }

    /// Says hello and waits for the answer. That a node has yet to look into the log may come before it.
    pub(crate) async fn hello(&mut self, token: &str, cursor: Option<String>) -> Came {
        let hello =
            ClientFrame::Hello { token: token.into(), cursor, device: Some("test".into()), open: vec![] };
        self.send(&hello).await;
        loop {
            match self.next().await {
                Came::Frame(ServerFrame::Freshness { .. }) => {}
                other => return other,
            }
        }
    }

    /// The next thing that comes, pings aside.
    pub(crate) async fn next(&mut self) -> Came {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("nothing came");
            match message {
                Some(Ok(Message::Text(text))) => {
                    assert_eq!(self.codec, Codec::Json);
                    return self.came(text.as_bytes());
                }
                Some(Ok(Message::Binary(bytes))) => {
                    assert_eq!(self.codec, Codec::MessagePack);
                    return self.came(&bytes);
                }
                Some(Ok(Message::Close(frame))) => return Came::Closed(frame),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(_)) | None => return Came::Closed(None),
            }
        }
    }

    fn came(&mut self, bytes: &[u8]) -> Came {
        let frame: ServerFrame = self.codec.decode(bytes).unwrap();
        match &frame {
            ServerFrame::Welcome { cursor, .. }
            | ServerFrame::CatchUp { cursor, .. }
            | ServerFrame::Resync { cursor, .. }
            | ServerFrame::Push { cursor: Some(cursor), .. } => self.cursor = Some(cursor.clone()),
            ServerFrame::Push { cursor: None, .. }
            | ServerFrame::Answer { .. }
            | ServerFrame::Beat
            | ServerFrame::Freshness { .. }
            | ServerFrame::Closing { .. } => {}
        }
        Came::Frame(frame)
    }

    /// The next frame; the connection must not have ended.
    pub(crate) async fn frame(&mut self) -> ServerFrame {
        match self.next().await {
            Came::Frame(frame) => frame,
            Came::Closed(why) => panic!("the hub closed the connection: {why:?}"),
        }
    }

    /// The close code that comes, after whatever else.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            if let Came::Closed(frame) = self.next().await {
                return frame.map_or(1006, |frame| frame.code.into());
            }
        }
    }

    /// How the hub ends the connection, after whatever else: what it says, and the close frame.
    pub(crate) async fn goodbye(&mut self) -> (ServerFrame, CloseFrame) {
        let closing = loop {
            let frame = self.frame().await;
            if matches!(frame, ServerFrame::Closing { .. }) {
                break frame;
            }
        };
        match self.next().await {
            Came::Closed(Some(close)) => (closing, close),
            other => panic!("{other:?}"),
        }
    }

    fn reference(&mut self) -> String {
        self.refs += 1;
        format!("r{}", self.refs)
    }

    /// The answer to a `ref`. Pushes that come before are kept.
    pub(crate) async fn answer(&mut self, to: &str) -> Answer {
        loop {
            match self.frame().await {
                ServerFrame::Answer { r#ref, answer } if r#ref == to => return answer,
                ServerFrame::Push { push, .. } => self.pushes.push(push),
                _ => {}
            }
        }
    }

    pub(crate) async fn call_as(&mut self, r#ref: &str, command: Command) -> Result<Done, Refusal> {
        self.send(&ClientFrame::Call { r#ref: r#ref.into(), command }).await;
        match self.answer(r#ref).await {
            Answer::Done { done, .. } => Ok(done),
            Answer::Refused { refusal, .. } => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn call(&mut self, command: Command) -> Result<Done, Refusal> {
        let r#ref = self.reference();
        self.call_as(&r#ref, command).await
    }

    pub(crate) async fn ask(&mut self, ask: Ask) -> Result<Told, Refusal> {
        let r#ref = self.reference();
        self.send(&ClientFrame::Ask { r#ref: r#ref.clone(), ask }).await;
        match self.answer(&r#ref).await {
            Answer::Told { told } => Ok(told),
            Answer::Refused { refusal, .. } => Err(refusal),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn signal(&mut self, signal: Signal) {
        self.send(&ClientFrame::Signal { signal }).await;
    }

    /// A whole mailbox, page by page.
    pub(crate) async fn list(&mut self, mailbox: &str) -> Vec<Listed> {
        let mailbox: Mailbox = mailbox.parse().unwrap();
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let ask = Ask::List { mailbox: mailbox.clone(), endpoint: None, after, limit: 50 };
            let Ok(Told::List { rows, next }) = self.ask(ask).await else { panic!("not listed") };
            all.extend(rows);
            after = next;
            if after.is_none() {
                return all;
            }
        }
    }

    /// Waits for a push that fits, and returns it; others are kept.
    pub(crate) async fn push(&mut self, mut fits: impl FnMut(&Push) -> bool) -> Push {
        if let Some(at) = self.pushes.iter().position(&mut fits) {
            return self.pushes.remove(at);
        }
        loop {
            if let ServerFrame::Push { push, .. } = self.frame().await {
                if fits(&push) {
                    return push;
                }
                self.pushes.push(push);
            }
        }
    }

    /// Everything that was pushed until a question that is asked now is answered: to prove silence without waiting.
    pub(crate) async fn pushed_until_now(&mut self) -> Vec<Push> {
        self.ask(Ask::Counts { mailboxes: vec![] }).await.unwrap();
        std::mem::take(&mut self.pushes)
    }
}

/// A push that tells of a conversation: its row, an item, presence, a mark, or that it is gone.
pub(crate) fn is_about(push: &Push, conversation: &rotunda_protocol::id::ConversationId) -> bool {
    match push {
        Push::Conversation { conversation: row, .. } => row.id == *conversation,
        Push::Item { item } => item.conversation == *conversation,
        Push::Gone { conversation: gone } => gone == conversation,
        Push::Mark(mark) => mark.conversation == *conversation,
        Push::Presence(at) => at.conversation == *conversation,
        Push::Scope { .. }
        | Push::Teammate { .. }
        | Push::Team { .. }
        | Push::Endpoint { .. }
        | Push::Organization { .. }
        | Push::Here { .. } => false,
    }
}
