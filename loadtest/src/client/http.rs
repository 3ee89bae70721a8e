//! The back office: what it sends through the hub's HTTP door, on a few connections that are kept.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Requests under way at once; further ones wait their turn, and their time runs.
const AT_ONCE: usize = 32;
/// How long a request may take before it is tried again elsewhere.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);
/// How long a request is tried again. A hub that is replaced is back by then.
const TRIED_FOR: Duration = Duration::from_secs(30);
const TRIED_EVERY: Duration = Duration::from_millis(100);

type Sender = SendRequest<Full<Bytes>>;

/// What is asked, as often as it takes.
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    key: &'a str,
    body: Bytes,
}

/// The door.
pub(crate) struct BackOffice {
    addresses: Vec<SocketAddr>,
    token: String,
    idle: RefCell<Vec<(SocketAddr, Sender)>>,
    turns: Semaphore,
    /// The node that is asked next.
    next: Cell<usize>,
}

impl BackOffice {
    pub(crate) fn new(addresses: Vec<SocketAddr>, token: String) -> Self {
        Self {
            addresses,
            token,
            idle: RefCell::default(),
            turns: Semaphore::new(AT_ONCE),
            next: Cell::new(0),
        }
    }

    /// Sends a request until a node has answered it. A key makes it happen once.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: Bytes,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let _turn = self.turns.acquire().await.context("the door is closed")?;
        let began = tokio::time::Instant::now();
        let asked = Asked { method: &method, path, key, body };
        loop {
            let error = match timeout(ANSWERED_WITHIN, self.ask_once(&asked)).await {
                Ok(Ok((status, _))) if status.is_server_error() => format!("{status}"),
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => "no answer".into(),
            };
            if began.elapsed() > TRIED_FOR {
                bail!("{method} {path} got no answer within {TRIED_FOR:?}; last: {error}");
            }
            tokio::time::sleep(TRIED_EVERY).await;
        }
    }

    /// Nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.turns.available_permits() == AT_ONCE
    }

    async fn ask_once(&self, asked: &Asked<'_>) -> anyhow::Result<(StatusCode, Bytes)> {
        let idle = self.idle.borrow_mut().pop();
        let (to, mut sender) = match idle {
            Some((to, sender)) if sender.is_ready() => (to, sender),
            _ => self.connect().await?,
        };
        let request = Request::builder()
            .method(asked.method)
            .uri(asked.path)
            .header("host", to.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .header("idempotency-key", asked.key)
            .header("content-type", "application/json")
            .body(Full::new(asked.body.clone()))?;
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        self.idle.borrow_mut().push((to, sender));
        Ok((status, body))
    }

    async fn connect(&self) -> anyhow::Result<(SocketAddr, Sender)> {
        let to = self.addresses[self.next.get() % self.addresses.len()];
        self.next.set(self.next.get() + 1);
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        Ok((to, sender))
    }
}
