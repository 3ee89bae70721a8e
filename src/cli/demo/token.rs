//! Session tokens for whoever sits at the demo's own machine. No other hub has this address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{FORWARDED, HOST};
use axum::http::uri::Authority;
use axum::routing::get;
use axum::{Json, Router};
use rotunda_protocol::id::TeammateId;
use serde::Deserialize;

use super::practice::organization;
use crate::cli::client::{DEMO_TOKEN_PATH, DemoToken};
use crate::cli::token::expiry;
use crate::clock;
use crate::http::service::no_store;
use crate::http::service::problem::Problem;
use crate::session::token::Tokens;

/// How long a token is good for: a client asks for another each time it connects.
const TTL: Duration = Duration::from_hours(12);

#[derive(Deserialize)]
struct As {
    r#as: TeammateId,
}

/// The one address.
pub(super) fn router(tokens: Tokens) -> Router {
    Router::new()
        .route(DEMO_TOKEN_PATH, get(token))
        .layer(axum::middleware::map_response(no_store))
        .with_state(Arc::new(tokens))
}

async fn token(State(tokens): State<Arc<Tokens>>, request: Request) -> Result<Json<DemoToken>, Problem> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
    if !is_local(peer, request.headers()) {
        return Err(Problem::forbidden(
            "A demo gives tokens only to its own machine",
            "Run the client there, or make a token with `rotunda token` and the secret in the demo's data folder.",
        ));
    }
    let Query(As { r#as }) = Query::try_from_uri(request.uri())
        .map_err(|rejection| Problem::bad_request(rejection.body_text(), "Say as whom: `?as=ada`."))?;
    let token = tokens
        .sign(&organization(), &r#as, expiry(clock::now_millis(), TTL))
        .ok_or_else(|| Problem::not_configured("This demo has no secret", "Start it again."))?;
    Ok(Json(DemoToken { token }))
}

/// The request was made on this machine: by its address, by the name it used (a page of another site that
/// makes its own name point here says that name), and not passed on by a proxy for somebody else.
fn is_local(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    let from_here = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    let passed_on = headers.contains_key(FORWARDED) || headers.contains_key("x-forwarded-for");
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok());
    from_here && !passed_on && host.is_some_and(|host: Authority| names_this_machine(host.host()))
}

fn names_this_machine(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(peer: &str, headers: &[(&'static str, &str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        is_local(Some(peer.parse().unwrap()), &headers.collect())
    }

    #[test]
    fn whoever_sits_at_the_machine_gets_a_token() {
        for host in ["127.0.0.1:4400", "localhost:4400", "[::1]:4400", "localhost"] {
            assert!(local("127.0.0.1:9", &[("host", host)]), "{host}");
        }
        assert!(local("[::1]:9", &[("host", "localhost")]));
        assert!(local("[::ffff:127.0.0.1]:9", &[("host", "localhost")]));
    }

    #[test]
    fn nobody_else_does() {
        assert!(!local("10.0.0.7:9", &[("host", "localhost")]), "another machine");
        assert!(!local("127.0.0.1:9", &[]), "no name");
        assert!(!local("127.0.0.1:9", &[("host", "evil.example")]), "a page of another site");
        assert!(!local("127.0.0.1:9", &[("host", "localhost"), ("x-forwarded-for", "10.0.0.7")]), "a proxy");
        assert!(!local("127.0.0.1:9", &[("host", "localhost"), ("forwarded", "for=10.0.0.7")]), "a proxy");
        let headers = HeaderMap::from_iter([(HOST, "localhost".parse().unwrap())]);
        assert!(!is_local(None, &headers), "an unknown peer");
    }
}
