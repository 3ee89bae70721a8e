//! A node on a free port, with its database in a folder that goes with it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use clap::Parser;
use hyper::{Method, StatusCode};
use rotunda::clock;
use rotunda::config::Config;
use rotunda::limits::Limits;
use rotunda::session::token::Tokens;
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use rotunda_protocol::command::{Command, Done, Inbound, NewOrganization};
use rotunda_protocol::frame::ServerFrame;
use rotunda_protocol::id::{ConversationId, OrganizationId, TeammateId};
use rotunda_protocol::item::{Content, Direction};
use rusqlite::Connection;
use serde_json::json;

use super::client::{Came, Client};
use super::http::{self, Response};
use super::practice::{ORGANIZATION, bayview, id};

pub(crate) const SECRET: &str = "a secret of tests, long enough to be one";
pub(crate) const SERVICE_SECRET: &str = "a-service-secret-that-is-long-enough";

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

/// What a node of these tests is configured with.
pub(crate) fn config(data: &Path, more: &[&str]) -> Config {
    let data = data.to_str().unwrap();
    let service = format!("test:{SERVICE_SECRET}");
    let given = ["rotunda", "--listen", "127.0.0.1:0", "--data", data, "--token-secret", SECRET];
    let services = ["--service", service.as_str()];
    Arguments::parse_from(given.iter().chain(&services).chain(more)).config
}

/// A token of these tests' secret.
pub(crate) fn token(organization: &str, teammate: &str, lifetime: Duration) -> String {
    let expires = clock::now_millis() + i64::try_from(lifetime.as_millis()).unwrap();
    let tokens = Tokens::with_secret(SECRET, None).unwrap();
    let (organization, teammate) = (id::<OrganizationId>(organization), id::<TeammateId>(teammate));
    tokens.sign(&organization, &teammate, expires).unwrap()
}

/// Where a node is, whatever runs it.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
}

/// A node in this process.
pub(crate) struct TestNode {
    pub(crate) node: Node,
    pub(crate) running: rotunda::node::Node,
    pub(crate) folder: tempfile::TempDir,
}

impl std::ops::Deref for TestNode {
    type Target = Node;
    fn deref(&self) -> &Node {
        &self.node
    }
}

impl TestNode {
    /// A node with the practice of these tests.
    pub(crate) async fn start() -> Self {
        Self::start_with(Limits::default(), &[], 0).await
    }

    pub(crate) async fn start_with(limits: Limits, more: &[&str], teammates: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path(), more);
        let running = rotunda::node::Node::start_within(&config, limits, Router::new()).await.unwrap();
        let node = Node { address: running.running.address };
        node.provision(ORGANIZATION, &bayview(teammates)).await;
        Self { node, running, folder }
    }
}

impl TestNode {
    /// Another program has the database for itself, until it rolls back or is dropped.
    pub(crate) fn locked_database(&self) -> Connection {
        let connection = self.database();
        connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
        connection
    }

    /// Another program has the database open.
    pub(crate) fn database(&self) -> Connection {
        Connection::open(self.folder.path().join("rotunda.db")).unwrap()
    }
}

impl Node {
    pub(crate) fn url(&self) -> String {
        format!("ws://{}/v1/socket", self.address)
    }

    pub(crate) async fn provision(&self, organization: &str, new: &NewOrganization) {
        let path = format!("/v1/organizations/{organization}");
        let done = self.until_done(Method::PUT, &path, serde_json::to_value(new).unwrap(), &[]).await;
        assert!(done.status.is_success(), "{done:?}");
    }

    /// A request of the back office, sent again for as long as the answer says that it may be: a busy machine's database is slow.
    pub(crate) async fn until_done(
        &self,
        method: Method,
        path: &str,
        body: serde_json::Value,
        more: &[(&str, &str)],
    ) -> Response {
        let began = Instant::now();
        loop {
            let response = self.service(method.clone(), path, body.clone(), more).await;
            let again = response.status == StatusCode::SERVICE_UNAVAILABLE;
            if !again || began.elapsed() > Duration::from_secs(20) {
                return response;
            }
        }
    }

    /// A request of the back office.
    pub(crate) async fn service(
        &self,
        method: Method,
        path: &str,
        body: serde_json::Value,
        more: &[(&str, &str)],
    ) -> Response {
        let authorization = format!("Bearer {SERVICE_SECRET}");
        let mut headers =
            vec![("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
        headers.extend_from_slice(more);
        http::request(self.address, method, path, &headers, body.to_string()).await
    }

    /// A message from outside, delivered by the back office; the conversation it went into.
    pub(crate) async fn receive(&self, to: &str, from: &str, body: &str) -> ConversationId {
        let content = Content::Message { direction: Direction::In, body: body.into(), media: vec![] };
        let inbound = Inbound { to: to.into(), from: from.into(), name: None, content };
        let path = format!("/v1/organizations/{ORGANIZATION}/inbound");
        let key = format!("{to}-{from}-{body}").replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let body = serde_json::to_value(&inbound).unwrap();
        let response = self.until_done(Method::POST, &path, body, &[("Idempotency-Key", &key)]).await;
        assert!(response.status.is_success(), "{response:?}");
        match serde_json::from_value(response.json()).unwrap() {
            Done::Conversation { conversation, .. } => conversation,
            other => panic!("{other:?}"),
        }
    }

    /// What the node counts under a name, labels included.
    pub(crate) async fn count(&self, name: &str) -> u64 {
        let response = http::request(self.address, Method::GET, "/metrics", &[], "").await;
        let line = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        response.body.lines().find_map(line).unwrap_or_default()
    }

    /// Waits until the node has counted so many.
    pub(crate) async fn counted(&self, name: &str, expected: u64) {
        let began = Instant::now();
        loop {
            let count = self.count(name).await;
            if count == expected {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{name}: {count}, not {expected}");
        }
    }

    /// What the back office reads at a path below the organization's.
    pub(crate) async fn read(&self, path: &str) -> Response {
        let path = format!("/v1/organizations/{ORGANIZATION}{path}");
        self.service(Method::GET, &path, json!(null), &[]).await
    }

    /// Any command, as the back office.
    pub(crate) async fn command(&self, r#ref: &str, command: &Command) -> Response {
        let path = format!("/v1/organizations/{ORGANIZATION}/commands");
        self.service(Method::POST, &path, json!({"ref": r#ref, "command": command}), &[]).await
    }

    /// A teammate's session that was greeted.
    pub(crate) async fn session(&self, teammate: &str) -> Client {
        self.session_in(teammate, Codec::MessagePack, None).await.0
    }

    /// A teammate's session that was greeted, and how.
    pub(crate) async fn session_in(
        &self,
        teammate: &str,
        codec: Codec,
        cursor: Option<String>,
    ) -> (Client, ServerFrame) {
        let token = token(ORGANIZATION, teammate, Duration::from_hours(1));
        let mut client = Client::connect(&self.url(), codec).await;
        match client.hello(&token, cursor).await {
            Came::Frame(welcome @ ServerFrame::Welcome { .. }) => (client, welcome),
            other => panic!("{other:?}"),
        }
    }

    /// A teammate's session on a connection that holds little of what is not read.
    pub(crate) async fn session_with_little_room(&self, teammate: &str) -> Client {
        let token = token(ORGANIZATION, teammate, Duration::from_hours(1));
        let mut client = Client::connect_with_little_room(&self.url(), self.address).await;
        assert!(matches!(client.hello(&token, None).await, Came::Frame(ServerFrame::Welcome { .. })));
        client
    }

    /// How a hello that is not welcome ends.
    pub(crate) async fn turned_away(&self, token: &str) -> CloseCode {
        let mut client = Client::connect(&self.url(), Codec::Json).await;
        let Came::Frame(ServerFrame::Closing { code, .. }) = client.hello(token, None).await else {
            panic!("no closing")
        };
        assert_eq!(client.closed().await, code.number());
        code
    }
}
