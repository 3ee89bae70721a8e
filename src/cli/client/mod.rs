//! A client of the hub: connects, greets, reads; and comes back with its cursor when the connection ends.

mod backoff;
mod connection;
mod session;
mod token;

use clap::{Args, ValueEnum};
use rotunda_protocol::codec::Codec;
use rotunda_protocol::id::TeammateId;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::http::uri::{InvalidUri, PathAndQuery};

pub use self::connection::{Received, SOCKET_PATH};
pub use self::session::{News, Session};
pub use self::token::{DEMO_TOKEN_PATH, DemoToken, TokenSource};

/// Why there is no session. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address cannot be used.
    #[error("the address cannot be used: {0}; give one like ws://127.0.0.1:4400")]
    Url(String),
    /// Nobody answers.
    #[error("the hub cannot be reached: {0}; is it running there? `rotunda demo` starts one")]
    Unreachable(String),
    /// Somebody answers, but not with a socket.
    #[error(
        "the address answers HTTP {0} instead of opening a socket; compare it with where the hub listens"
    )]
    NotUpgraded(u16),
    /// No token was given, and the hub makes none.
    #[error(
        "the hub gave no token (HTTP {status}): {answer}\nOnly a demo gives tokens, and only on its own machine. Otherwise pass one: --token \"$(rotunda token …)\""
    )]
    NoDemo {
        /// The HTTP status.
        status: u16,
        /// What was answered.
        answer: String,
    },
    /// It answers in words we do not know.
    #[error("the hub's answer cannot be read: {0}; do both have the same version?")]
    Unreadable(String),
    /// The hub ended the session for good.
    #[error("the hub ended the session: {code} {name}; {advice}")]
    Rejected {
        /// The close code.
        code: u16,
        /// Its name.
        name: &'static str,
        /// What to do.
        advice: &'static str,
    },
}

/// The two codecs, as the command line names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CodecName {
    Json,
    Msgpack,
}

/// Where the hub is and whose session to open: what `watch` and `call` have in common.
#[derive(Debug, Args)]
pub struct Target {
    /// Whose session it is: a teammate's id.
    #[arg(long = "as", value_name = "TEAMMATE")]
    teammate: TeammateId,
    /// Where the hub is.
    #[arg(long, default_value = "ws://127.0.0.1:4400", env = "ROTUNDA_URL", value_parser = hub_url)]
    url: Uri,
    /// The session token; a demo on this machine makes one by itself.
    #[arg(long, env = "ROTUNDA_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// How frames are encoded on the way.
    #[arg(long, value_enum, default_value = "msgpack")]
    codec: CodecName,
}

fn hub_url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error: InvalidUri| error.to_string())?;
    match uri.scheme_str() {
        Some("ws") => {}
        Some("wss") => {
            return Err(
                "wss:// needs TLS, which this client leaves to a proxy; connect to the hub by ws://".into()
            );
        }
        Some(_) | None => return Err("give an address like ws://127.0.0.1:4400".into()),
    }
    if uri.path() != "/" {
        return Ok(uri);
    }
    let mut parts = uri.into_parts();
    parts.path_and_query = Some(PathAndQuery::from_static(SOCKET_PATH));
    Uri::from_parts(parts).map_err(|error| error.to_string())
}

impl Target {
    /// Whose session it is.
    pub fn teammate(&self) -> &TeammateId {
        &self.teammate
    }

    /// A session that is not connected yet.
    pub fn session(self) -> Session {
        let source = match self.token {
            Some(token) => TokenSource::Given(token),
            None => TokenSource::Demo(self.teammate),
        };
        let codec = match self.codec {
            CodecName::Json => Codec::Json,
            CodecName::Msgpack => Codec::MessagePack,
        };
        Session::new(self.url, codec, source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_path_is_the_hub_s_socket() {
        for text in ["ws://127.0.0.1:4400", "ws://127.0.0.1:4400/"] {
            assert_eq!(hub_url(text).unwrap().to_string(), format!("ws://127.0.0.1:4400{SOCKET_PATH}"));
        }
        assert_eq!(hub_url("ws://hub/inner/socket").unwrap().to_string(), "ws://hub/inner/socket");
        for text in ["", "127.0.0.1:4400", "http://127.0.0.1:4400", "wss://hub"] {
            assert!(hub_url(text).is_err(), "{text}");
        }
    }
}
