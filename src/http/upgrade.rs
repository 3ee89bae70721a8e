//! `GET /v1/socket`: a request that becomes a session. Everything that can be refused with an HTTP status is
//! refused here; after the upgrade there are only close codes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::header::{
    CONNECTION, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use hyper::{HeaderMap, StatusCode};
use hyper_util::rt::TokioIo;
use rotunda_protocol::close::CloseCode;
use rotunda_protocol::codec::Codec;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::hub::Hub;
use crate::session::live::Admitted;
use crate::session::{self, Sessions, Upgraded};

/// The one version of the WebSocket protocol that there is (RFC 6455).
const VERSION: &str = "13";

/// Where requests become sessions.
pub struct Gate {
    /// The organizations.
    pub hub: Hub,
    /// What the sessions share.
    pub sessions: Arc<Sessions>,
    /// Pages whose scripts may connect, as browsers name them (`https://inbox.example.com`). Empty lets all in;
    /// a client that names no origin is no browser, and is let in anyway.
    pub origins: Vec<String>,
}

/// Why a request becomes no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    NoWebSocket,
    OtherVersion,
    NoSubprotocol,
    ForeignOrigin,
    NodeFull,
}

/// The socket's route.
pub fn routes(gate: Arc<Gate>) -> Router {
    Router::new().route("/v1/socket", get(socket)).with_state(gate)
}

async fn socket(State(gate): State<Arc<Gate>>, mut request: Request) -> Response {
    let accepted = accept(&gate, request.headers());
    let (key, codec, admitted) = match accepted {
        Ok(accepted) => accepted,
        Err(refused) => return refused.into_response(),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(become_session(Arc::clone(&gate), upgrade, codec, admitted));
    let headers = [
        (CONNECTION, HeaderValue::from_static("upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_ACCEPT, key),
        (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(codec.subprotocol())),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

fn accept(gate: &Gate, headers: &HeaderMap) -> Result<(HeaderValue, Codec, Admitted), Refused> {
    let websocket = names(headers, &UPGRADE).any(|name| name.eq_ignore_ascii_case("websocket"))
        && names(headers, &CONNECTION).any(|name| name.eq_ignore_ascii_case("upgrade"));
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|_| websocket).ok_or(Refused::NoWebSocket)?;
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        return Err(Refused::OtherVersion);
    }
    let foreign = |origin: &HeaderValue| !gate.origins.iter().any(|known| origin == known);
    if !gate.origins.is_empty() && headers.get(ORIGIN).is_some_and(foreign) {
        return Err(Refused::ForeignOrigin);
    }
    let codec = names(headers, &SEC_WEBSOCKET_PROTOCOL)
        .find_map(Codec::from_subprotocol)
        .ok_or(Refused::NoSubprotocol)?;
    let admitted = gate.sessions.live.admit().ok_or_else(|| {
        gate.sessions.metrics.connection_refused();
        Refused::NodeFull
    })?;
    let key = HeaderValue::try_from(derive_accept_key(key.as_bytes())).expect("base64 fits a header");
    Ok((key, codec, admitted))
}

/// The names that a header lists, over all its lines, in the client's order of preference.
fn names<'a>(headers: &'a HeaderMap, header: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
}

async fn become_session(gate: Arc<Gate>, upgrade: OnUpgrade, codec: Codec, admitted: Admitted) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => return tracing::debug!(%error, "the client went before its upgrade"),
    };
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        return tracing::error!("an upgraded connection is no plain socket");
    };
    // A copy, so that the HTTP connection's buffer is freed.
    let read = parts.read_buf.to_vec();
    drop(parts.read_buf);
    let upgraded = Upgraded { stream: parts.io.into_inner(), read, codec };
    session::run(&gate.hub, Arc::clone(&gate.sessions), upgraded, admitted).await;
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::NoWebSocket => {
                (StatusCode::UPGRADE_REQUIRED, [(UPGRADE, "websocket")], "This is a WebSocket.\n")
                    .into_response()
            }
            Self::OtherVersion => {
                let version = [(SEC_WEBSOCKET_VERSION, VERSION)];
                (StatusCode::BAD_REQUEST, version, "Only WebSocket version 13 is spoken here.\n")
                    .into_response()
            }
            Self::NoSubprotocol => {
                let known = Codec::ALL.map(Codec::subprotocol).join(" or ");
                (StatusCode::BAD_REQUEST, format!("Offer a subprotocol: {known}.\n")).into_response()
            }
            Self::ForeignOrigin => {
                (StatusCode::FORBIDDEN, "This page's origin is not allowed here.\n").into_response()
            }
            Self::NodeFull => {
                let wait = session::retry_after_ms(CloseCode::Unavailable).unwrap_or_default().div_ceil(1000);
                let text = "This node is full; try again, or another one.\n";
                (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, wait.to_string())], text).into_response()
            }
        }
    }
}
