//! The back office's door: services that share a secret with the hub set up organizations, deliver what
//! contacts send, run commands under their own name, and read what is there.
//!
//! Every answer is `no-store`; every failure is a problem object that says what to do about it.

pub mod caller;
pub mod problem;

mod extract;
mod idempotency;

mod conversation;
mod organization;
mod twilio;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::header::CACHE_CONTROL;
use axum::http::uri::InvalidUri;
use axum::http::{HeaderValue, Uri};
use axum::middleware::map_response;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::caller::Service;
use crate::hub::Hub;

pub use self::twilio::signature::TwilioToken;

/// What the door was set up with.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Which services may use it; none keeps it shut.
    pub services: Vec<Service>,
    /// What Twilio signs its webhooks with; none keeps them shut.
    pub twilio: Vec<TwilioToken>,
    /// Where the world reaches this hub, which Twilio signs; needed for its webhooks.
    pub public_url: Option<PublicUrl>,
}

/// The door: the hub, and who may use it. Cheap to clone.
#[derive(Clone)]
pub struct Door {
    hub: Hub,
    settings: Arc<Settings>,
}

impl Door {
    /// A door to a hub.
    pub fn new(hub: Hub, settings: Settings) -> Self {
        Self { hub, settings: Arc::new(settings) }
    }
}

/// The scheme, host and path before `/v1` that the world uses, such as `https://hub.example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(String);

/// Text that is no public address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the public URL looks like https://hub.example.org, without a query or a `/` at its end")]
pub struct InvalidPublicUrl;

impl FromStr for PublicUrl {
    type Err = InvalidPublicUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPublicUrl> {
        let uri: Uri = text.trim_end_matches('/').parse().map_err(|InvalidUri { .. }| InvalidPublicUrl)?;
        let http = matches!(uri.scheme_str(), Some("http" | "https"));
        if !http || uri.host().is_none_or(str::is_empty) || uri.query().is_some() {
            return Err(InvalidPublicUrl);
        }
        Ok(Self(text.trim_end_matches('/').into()))
    }
}

impl PublicUrl {
    /// The address that a request had outside, before any proxy.
    fn of(&self, uri: &Uri) -> String {
        let rest = uri.path_and_query().map_or("/", |rest| rest.as_str());
        format!("{}{rest}", self.0)
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything behind the door, with its description.
pub fn routes() -> OpenApiRouter<Door> {
    OpenApiRouter::new()
        .routes(routes!(organization::provision, organization::directory))
        .routes(routes!(organization::events))
        .routes(routes!(conversation::inbound))
        .routes(routes!(conversation::command))
        .routes(routes!(conversation::ask))
        .routes(routes!(conversation::conversation))
        .routes(routes!(conversation::items))
        .routes(routes!(twilio::sms))
        .routes(routes!(twilio::voice))
        .routes(routes!(twilio::recording))
        .layer(DefaultBodyLimit::max(extract::BODY_BYTES_MAX))
        .layer(map_response(no_store))
}

/// Nothing here may be kept by a cache: it is about patients.
pub async fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_stands_before_the_path() {
        for text in ["https://hub.example.org", "https://hub.example.org/"] {
            let url: PublicUrl = text.parse().unwrap();
            assert_eq!(url.of(&"/v1/a?b=1".parse().unwrap()), "https://hub.example.org/v1/a?b=1");
        }
        let url: PublicUrl = "http://127.0.0.1:4400/hub".parse().unwrap();
        assert_eq!(url.of(&"/v1/a".parse().unwrap()), "http://127.0.0.1:4400/hub/v1/a");
    }

    #[test]
    fn what_is_no_public_url_is_refused() {
        for text in ["", "hub.example.org", "ftp://hub.example.org", "https://hub.example.org/?a=b", "/v1"] {
            assert_eq!(text.parse::<PublicUrl>(), Err(InvalidPublicUrl), "{text}");
        }
    }
}
