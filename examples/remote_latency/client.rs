//! A session's two halves, and the time at which each frame was read.

use std::time::Instant;

use anyhow::{Context, ensure};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use rotunda::clock;
use rotunda::session::token::Tokens;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::Command;
use rotunda_protocol::frame::{ClientFrame, ServerFrame};
use rotunda_protocol::id::OrganizationId;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::node::{Node, SECRET};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long tokens are good for, in milliseconds.
const TOKEN_MS: i64 = 3_600_000;

/// The half that sends.
pub(crate) struct Writer(SplitSink<Socket, Message>);

/// The half that is read from.
pub(crate) struct Reader(SplitStream<Socket>);

/// A teammate's session, greeted.
pub(crate) async fn greet(
    node: &Node,
    organization: &OrganizationId,
    teammate: &str,
) -> anyhow::Result<(Writer, Reader)> {
    let expires = clock::now_millis() + TOKEN_MS;
    let token = Tokens::with_secret(SECRET, None)?.sign(organization, &teammate.parse()?, expires);
    let token = token.context("cannot sign")?;
    let mut request = format!("ws://{}/v1/socket", node.address).into_client_request()?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", Codec::MessagePack.subprotocol().parse()?);
    let (socket, _) = connect_async_with_config(request, None, true).await?;
    let (writer, reader) = socket.split();
    let (mut writer, mut reader) = (Writer(writer), Reader(reader));
    writer.send(&ClientFrame::Hello { token, cursor: None, device: None, open: vec![] }).await?;
    let (_, welcome) = reader.next().await?;
    ensure!(matches!(welcome, ServerFrame::Welcome { .. }), "not welcome: {welcome:?}");
    Ok((writer, reader))
}

impl Writer {
    pub(crate) async fn call(&mut self, r#ref: String, command: Command) -> anyhow::Result<()> {
        self.send(&ClientFrame::Call { r#ref, command }).await
    }

    async fn send(&mut self, frame: &ClientFrame) -> anyhow::Result<()> {
        Ok(self.0.send(Message::binary(Codec::MessagePack.encode(frame))).await?)
    }
}

impl Reader {
    /// The next frame. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> anyhow::Result<(Instant, ServerFrame)> {
        loop {
            let message = self.0.next().await.context("the hub closed a connection")??;
            let read = Instant::now();
            if message.is_binary() {
                return Ok((read, Codec::MessagePack.decode(&message.into_data())?));
            }
        }
    }
}
