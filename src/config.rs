//! What `rotunda serve` is told: by flags, or by `ROTUNDA_…` in its environment, which keeps secrets out of lists
//! of processes. The numbers behind the flags, and their reasons, are in `limits`.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rotunda_protocol::id::TeammateId;

use crate::limits::Limits;
use crate::session::token::{KeyError, Tokens};

/// Text that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text, for those who compare or sign with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl FromStr for Secret {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

/// A back office that may act on every organization, and the secret it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceToken {
    /// What the log calls it: `service:NAME`.
    pub name: String,
    /// What its requests carry.
    pub secret: Secret,
}

/// Text that is no service token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a service token is `name:secret`, with a name like an id and a secret of at least {SERVICE_SECRET_BYTES_MIN} bytes"
)]
pub struct NoServiceToken;

/// The shortest secret of a service, in bytes: 128 bits in hexadecimal digits.
const SERVICE_SECRET_BYTES_MIN: usize = 32;

impl FromStr for ServiceToken {
    type Err = NoServiceToken;
    fn from_str(text: &str) -> Result<Self, NoServiceToken> {
        let (name, secret) = text.split_once(':').ok_or(NoServiceToken)?;
        // Names follow the rules of ids: they stand in actors and in the log.
        TeammateId::from_str(name).or(Err(NoServiceToken))?;
        if secret.len() < SERVICE_SECRET_BYTES_MIN {
            return Err(NoServiceToken);
        }
        Ok(Self { name: name.into(), secret: Secret(secret.into()) })
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one object a line.
    Json,
}

/// The help's heading of what several nodes share.
const NODES: &str = "Several nodes";

/// The help's heading of those who come in by HTTP.
const DOORS: &str = "Browsers, back offices, Twilio";

/// Everything a node is told.
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// Where to listen for HTTP and sockets. Behind a proxy that speaks TLS, keep it local
    #[arg(long, value_name = "ADDRESS", env = "ROTUNDA_LISTEN", default_value = "127.0.0.1:4400")]
    pub listen: SocketAddr,

    /// The directory that holds the database
    #[arg(long, value_name = "FOLDER", env = "ROTUNDA_DATA", default_value = "rotunda-data")]
    pub data: PathBuf,

    /// The database of several nodes, as `postgres://user:password@host/database`; without it the hub keeps its own
    /// in the data folder
    #[arg(long, value_name = "URL", help_heading = NODES, env = "ROTUNDA_STORE", hide_env_values = true)]
    pub store: Option<Secret>,

    /// What nodes tell each other by: `redis://host:6379`, `rediss://…` with TLS, `redis+cluster://host1,host2` for
    /// Redis Cluster. Without it, nodes that share a database read its log five times a second
    #[arg(long, value_name = "URL", help_heading = NODES, env = "ROTUNDA_BUS", hide_env_values = true)]
    pub bus: Option<Secret>,

    /// A file with the certificates of those who may vouch for the bus, in PEM format, in place of the usual ones
    #[arg(long, value_name = "FILE", help_heading = NODES, env = "ROTUNDA_BUS_CA", requires = "bus")]
    pub bus_ca: Option<PathBuf>,

    /// How log lines look; `ROTUNDA_LOG` says which there are, such as `info` or `rotunda=debug`
    #[arg(long, value_name = "FORMAT", env = "ROTUNDA_LOG_FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,

    /// Who signs session tokens
    #[command(flatten, next_help_heading = "Session tokens: one of the two keys is needed")]
    pub tokens: TokenConfig,

    /// An origin whose pages may connect, as browsers name it; repeatable. None given lets all connect
    #[arg(long = "origin", value_name = "ORIGIN", help_heading = DOORS, env = "ROTUNDA_ORIGINS", value_delimiter = ',')]
    pub origins: Vec<String>,

    /// A back office, as `name:secret`, the secret with at least 32 bytes; repeatable
    #[arg(
        long = "service",
        value_name = "NAME:SECRET",
        help_heading = DOORS,
        env = "ROTUNDA_SERVICES",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub services: Vec<ServiceToken>,

    /// An account's token that Twilio signs webhooks with; as `organization:token` it is good for that
    /// organization only; repeatable, to change tokens and for several accounts. None given refuses all webhooks
    #[arg(
        long = "twilio-auth-token",
        value_name = "TOKEN",
        help_heading = DOORS,
        env = "ROTUNDA_TWILIO_AUTH_TOKENS",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub twilio_auth_tokens: Vec<Secret>,

    /// Where Twilio reaches this hub, such as `https://hub.example.org`: webhooks are signed for that URL
    #[arg(long, value_name = "URL", help_heading = DOORS, env = "ROTUNDA_PUBLIC_URL")]
    pub public_url: Option<String>,

    /// The numbers that bound connections
    #[command(flatten, next_help_heading = "Limits")]
    pub numbers: NumberConfig,
}

/// Who signs session tokens: one of the two.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false, id = "token key")]
pub struct TokenKey {
    /// The secret that session tokens are signed with (HS256), at least 32 bytes
    #[arg(long, value_name = "SECRET", env = "ROTUNDA_TOKEN_SECRET", hide_env_values = true)]
    pub token_secret: Option<Secret>,

    /// A file with the public key of session tokens in PEM format: Ed25519 or RSA
    #[arg(long, env = "ROTUNDA_TOKEN_PUBLIC_KEY", value_name = "FILE")]
    pub token_public_key: Option<PathBuf>,
}

/// How session tokens are checked.
#[derive(Debug, Clone, Args)]
pub struct TokenConfig {
    /// The key.
    #[command(flatten)]
    pub key: TokenKey,

    /// The audience that session tokens must name
    #[arg(long, value_name = "AUDIENCE", env = "ROTUNDA_TOKEN_AUDIENCE")]
    pub token_audience: Option<String>,
}

/// Why the tokens' key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenConfigError {
    /// Neither a secret nor a public key.
    #[error("a token secret or a public key is needed")]
    NoKey,
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The key is none.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl TokenConfig {
    /// What session tokens are checked against. Reads the key's file.
    pub fn tokens(&self) -> Result<Tokens, TokenConfigError> {
        let audience = self.token_audience.clone();
        if let Some(secret) = &self.key.token_secret {
            return Ok(Tokens::with_secret(secret.reveal(), audience)?);
        }
        let path = self.key.token_public_key.as_ref().ok_or(TokenConfigError::NoKey)?;
        let pem = std::fs::read(path)
            .map_err(|source| TokenConfigError::Unreadable { path: path.clone(), source })?;
        Ok(Tokens::with_public_key(&pem, audience)?)
    }
}

/// The limits that operators set; each flag's default is the limit's own.
#[derive(Debug, Clone, Default, Args)]
pub struct NumberConfig {
    /// The most sockets on this node; the file descriptors must suffice [default: 18000]
    #[arg(long, value_name = "N", env = "ROTUNDA_CONNECTIONS_MAX")]
    pub connections_max: Option<usize>,

    /// The largest frame a client may send, in bytes [default: 65536]
    #[arg(long, value_name = "BYTES", env = "ROTUNDA_FRAME_BYTES_MAX")]
    pub frame_bytes_max: Option<usize>,

    /// Pushes that may wait for one connection, in bytes [default: 262144]
    #[arg(long, value_name = "BYTES", env = "ROTUNDA_QUEUE_BYTES_MAX")]
    pub queue_bytes_max: Option<usize>,

    /// Frames a client may send each second, on average [default: 50]
    #[arg(long, value_name = "N", env = "ROTUNDA_FRAMES_PER_SECOND", value_parser = clap::value_parser!(u32).range(1..))]
    pub frames_per_second: Option<u32>,

    /// Frames a client may send at once [default: 200]
    #[arg(long, value_name = "N", env = "ROTUNDA_FRAMES_BURST", value_parser = clap::value_parser!(u32).range(1..))]
    pub frames_burst: Option<u32>,

    /// Commands and questions of one connection that may wait for an answer [default: 32]
    #[arg(long, value_name = "N", env = "ROTUNDA_IN_FLIGHT_MAX", value_parser = clap::value_parser!(u32).range(1..))]
    pub in_flight_max: Option<u32>,

    /// The hub is heard from at least this often, in seconds [default: 25]
    #[arg(long, value_name = "SECONDS", env = "ROTUNDA_HEARTBEAT_SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub heartbeat_seconds: Option<u64>,

    /// Over how many seconds a node that goes away sends its sessions off [default: 5]
    #[arg(long, value_name = "SECONDS", env = "ROTUNDA_DRAIN_SECONDS")]
    pub drain_seconds: Option<u64>,
}

impl NumberConfig {
    /// All limits, with what is set here in place of the defaults.
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        let seconds = |given: Option<u64>, default| given.map_or(default, Duration::from_secs);
        Limits {
            connections_max: self.connections_max.unwrap_or(default.connections_max),
            frame_bytes_max: self.frame_bytes_max.unwrap_or(default.frame_bytes_max),
            queue_bytes_max: self.queue_bytes_max.unwrap_or(default.queue_bytes_max),
            frames_per_second: self.frames_per_second.unwrap_or(default.frames_per_second),
            frames_burst: self.frames_burst.unwrap_or(default.frames_burst),
            in_flight_max: self.in_flight_max.unwrap_or(default.in_flight_max),
            heartbeat: seconds(self.heartbeat_seconds, default.heartbeat),
            drain: seconds(self.drain_seconds, default.drain),
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Serve {
        #[command(flatten)]
        config: Config,
    }

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn parsed(flags: &[&str]) -> Result<Config, clap::Error> {
        let secret = ["serve", "--token-secret", SECRET];
        Serve::try_parse_from(secret.iter().chain(flags)).map(|serve| serve.config)
    }

    #[test]
    fn a_secret_is_all_that_must_be_said() {
        let config = parsed(&[]).unwrap();
        assert_eq!(config.listen.port(), 4400);
        assert!(config.tokens.tokens().is_ok());
        assert!(!format!("{config:?}").contains(SECRET));
        assert!(Serve::try_parse_from(["serve"]).is_err());
        assert!(parsed(&["--token-public-key", "key.pem"]).is_err());
    }

    #[test]
    fn flags_change_limits_and_the_help_tells_their_defaults() {
        let limits = parsed(&["--drain-seconds", "0", "--frames-burst", "7"]).unwrap().numbers.limits();
        assert_eq!((limits.drain, limits.frames_burst, limits.in_flight_max), (Duration::ZERO, 7, 32));
        assert!(parsed(&["--frames-burst", "0"]).is_err());
        let (help, default) =
            (<Serve as clap::CommandFactory>::command().render_help().to_string(), Limits::default());
        for number in [
            default.connections_max as u64,
            default.frame_bytes_max as u64,
            default.queue_bytes_max as u64,
            default.frames_per_second.into(),
            default.frames_burst.into(),
            default.in_flight_max.into(),
            default.heartbeat.as_secs(),
            default.drain.as_secs(),
        ] {
            assert!(help.contains(&format!("[default: {number}]")), "{number}");
        }
    }

    #[test]
    fn a_service_has_a_name_and_a_secret() {
        let flag = format!("backoffice:{SECRET}");
        let config = parsed(&["--service", &flag, "--service", &format!("twilio:{SECRET}:x")]).unwrap();
        assert_eq!(config.services[0].name, "backoffice");
        assert_eq!(config.services[1].secret.reveal(), format!("{SECRET}:x"));
        let twilio = ["--twilio-auth-token", "new,old", "--twilio-auth-token", "practice:own"];
        let tokens = parsed(&twilio).unwrap().twilio_auth_tokens;
        assert_eq!(tokens.iter().map(Secret::reveal).collect::<Vec<_>>(), ["new", "old", "practice:own"]);
        for bad in ["backoffice", "backoffice:short", ":0123456789abcdef0123456789abcdef"] {
            assert!(parsed(&["--service", bad]).is_err(), "{bad}");
        }
    }
}
