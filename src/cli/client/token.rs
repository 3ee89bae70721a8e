//! Where a client gets its session token: it was given one, or it asks a demo for one.

use std::time::Duration;

use axum::body::Body;
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper_util::rt::TokioIo;
use rotunda_protocol::id::TeammateId;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::Uri;

use super::ClientError;

/// Where a demo gives out tokens.
pub const DEMO_TOKEN_PATH: &str = "/demo/token";

/// How long a demo may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Where the token comes from.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// It was given.
    Given(String),
    /// A demo on this machine makes one for its teammate.
    Demo(TeammateId),
}

/// What a demo answers.
#[derive(Debug, Serialize, Deserialize)]
pub struct DemoToken {
    /// A session token.
    pub token: String,
}

impl TokenSource {
    /// A token that is good now.
    pub async fn token(&self, hub: &Uri) -> Result<String, ClientError> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Demo(teammate) => match tokio::time::timeout(TIMEOUT, ask(hub, teammate)).await {
                Ok(token) => token,
                Err(_) => Err(ClientError::Unreachable("no answer within 10 s".into())),
            },
        }
    }

    /// Asking again gives another token.
    pub fn is_renewable(&self) -> bool {
        matches!(self, Self::Demo(_))
    }
}

async fn ask(hub: &Uri, teammate: &TeammateId) -> Result<String, ClientError> {
    let unreachable = |error: &dyn std::error::Error| ClientError::Unreachable(error.to_string());
    let (host, port) = (hub.host().unwrap_or_default(), hub.port_u16().unwrap_or(80));
    let socket =
        TcpStream::connect((host.trim_matches(['[', ']']), port)).await.map_err(|e| unreachable(&e))?;
    let (mut sender, connection) = handshake(TokioIo::new(socket)).await.map_err(|e| unreachable(&e))?;
    let connection = tokio::spawn(connection);
    let request = Request::get(format!("{DEMO_TOKEN_PATH}?as={teammate}"))
        .header(HOST, hub.authority().map_or(host, |authority| authority.as_str()))
        .body(Body::empty())
        .map_err(|e| unreachable(&e))?;
    let answer = sender.send_request(request).await.map_err(|e| unreachable(&e))?;
    let status = answer.status();
    let bytes = axum::body::to_bytes(Body::new(answer.into_body()), ANSWER_BYTES_MAX).await;
    connection.abort();
    let bytes = bytes.map_err(|e| unreachable(&e))?;
    if !status.is_success() {
        return Err(ClientError::NoDemo {
            status: status.as_u16(),
            answer: String::from_utf8_lossy(&bytes).into(),
        });
    }
    let DemoToken { token } =
        serde_json::from_slice(&bytes).map_err(|e| ClientError::Unreadable(e.to_string()))?;
    Ok(token)
}
