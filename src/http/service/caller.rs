//! Who knocks at the back office's door: a service, by the secret it shares with the hub.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use rotunda_protocol::id::ID_LENGTH_MAX;
use rotunda_protocol::principal::Actor;

use super::Door;
use super::problem::Problem;

/// The shortest secret, in bytes: short ones can be guessed.
pub const SECRET_LENGTH_MIN: usize = 16;

/// A service that may use the door. Holds a digest of its secret, so that neither a log nor a dump shows it.
#[derive(Clone)]
pub struct ServiceToken {
    name: String,
    secret: Digest,
}

impl fmt::Debug for ServiceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:…", self.name)
    }
}

/// Text that is no `NAME:SECRET`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServiceToken {
    /// There is no colon.
    #[error("a service token is NAME:SECRET")]
    Shape,
    /// The name would not do as an id.
    #[error("a service's name has 1 to {ID_LENGTH_MAX} characters of A-Z a-z 0-9 . _ -")]
    Name,
    /// The secret could be guessed.
    #[error(
        "a service's secret has at least {SECRET_LENGTH_MIN} bytes; make one with `openssl rand -hex 32`"
    )]
    Secret,
}

impl FromStr for ServiceToken {
    type Err = InvalidServiceToken;

    fn from_str(text: &str) -> Result<Self, InvalidServiceToken> {
        let (name, secret) = text.split_once(':').ok_or(InvalidServiceToken::Shape)?;
        let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > ID_LENGTH_MAX || !name.bytes().all(valid) {
            return Err(InvalidServiceToken::Name);
        }
        if secret.len() < SECRET_LENGTH_MIN {
            return Err(InvalidServiceToken::Secret);
        }
        Ok(Self { name: name.into(), secret: digest(&SHA256, secret.as_bytes()) })
    }
}

/// The service whose secret this is. Takes the same time for every secret.
fn service<'a>(tokens: &'a [ServiceToken], secret: &str) -> Option<&'a str> {
    let given = digest(&SHA256, secret.as_bytes());
    tokens.iter().fold(None, |found, token| {
        let equal = verify_slices_are_equal(token.secret.as_ref(), given.as_ref()).is_ok();
        if equal { Some(token.name.as_str()) } else { found }
    })
}

fn bearer(header: Option<&str>) -> Option<&str> {
    let (scheme, secret) = header?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(secret.trim())
}

/// The service that sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its name.
    pub name: String,
}

impl Caller {
    /// As whom it acts: itself, and on nobody's behalf.
    pub fn actor(&self) -> Actor {
        Actor::Service(self.name.clone())
    }

    fn identify(tokens: &[ServiceToken], header: Option<&str>) -> Result<Self, Problem> {
        let secret = bearer(header).ok_or_else(|| {
            Problem::unauthorized(
                "This address is for services that share a secret with the hub",
                "Send `Authorization: Bearer SECRET`; the hub knows the secrets it was started with (--service-token NAME:SECRET).",
            )
        })?;
        service(tokens, secret).map(|name| Self { name: name.into() }).ok_or_else(|| {
            Problem::unauthorized(
                "No service has this secret",
                "Compare it with what the hub was started with (--service-token NAME:SECRET); send the part after the colon.",
            )
        })
    }
}

impl FromRequestParts<Door> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        Self::identify(&door.settings.services, header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Vec<ServiceToken> {
        vec!["billing:0123456789abcdef".parse().unwrap(), "phone:fedcba9876543210".parse().unwrap()]
    }

    #[test]
    fn the_secret_says_which_service_it_is() {
        for header in ["Bearer fedcba9876543210", "bearer  fedcba9876543210"] {
            assert_eq!(Caller::identify(&tokens(), Some(header)).unwrap().name, "phone");
        }
    }

    #[test]
    fn whoever_has_no_secret_of_ours_is_refused() {
        for header in [None, Some(""), Some("Bearer "), Some("Basic fedcba9876543210"), Some("Bearer phone")]
        {
            assert_eq!(Caller::identify(&tokens(), header).unwrap_err().status, 401, "{header:?}");
        }
        assert_eq!(Caller::identify(&[], Some("Bearer fedcba9876543210")).unwrap_err().status, 401);
    }

    #[test]
    fn a_token_has_a_name_and_a_long_secret() {
        for (text, problem) in [
            ("phone", InvalidServiceToken::Shape),
            (":0123456789abcdef", InvalidServiceToken::Name),
            ("a b:0123456789abcdef", InvalidServiceToken::Name),
            ("phone:short", InvalidServiceToken::Secret),
        ] {
            assert_eq!(ServiceToken::from_str(text).unwrap_err(), problem);
        }
    }

    #[test]
    fn a_token_does_not_show_its_secret() {
        assert_eq!(format!("{:?}", tokens()), "[billing:…, phone:…]");
    }
}
