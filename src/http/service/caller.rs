//! Who knocks at the back office's door: a service, by the secret it shares with the hub.

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use rotunda_protocol::principal::Actor;

use super::Door;
use super::problem::Problem;

/// A service that may use the door. Holds a digest of its secret, so that neither a log nor a dump shows it.
#[derive(Clone)]
pub struct Service {
    name: String,
    secret: Digest,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:…", self.name)
    }
}

impl Service {
    /// A service by its name and its secret, which the configuration has found long enough.
    pub fn new(name: &str, secret: &str) -> Self {
        Self { name: name.into(), secret: digest(&SHA256, secret.as_bytes()) }
    }
}

/// The service whose secret this is. Takes the same time for every secret.
fn service<'a>(services: &'a [Service], secret: &str) -> Option<&'a str> {
    let given = digest(&SHA256, secret.as_bytes());
    services.iter().fold(None, |found, service| {
        let equal = verify_slices_are_equal(service.secret.as_ref(), given.as_ref()).is_ok();
        if equal { Some(service.name.as_str()) } else { found }
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

    /// Whatever is wrong, the answer is the same: it gives no hint.
    fn identify(services: &[Service], header: Option<&str>) -> Result<Self, Problem> {
        let name = bearer(header).and_then(|secret| service(services, secret));
        name.map(|name| Self { name: name.into() }).ok_or_else(|| {
            Problem::unauthorized(
                "This address is for services that share a secret with the hub",
                "Send `Authorization: Bearer SECRET`, with what follows the colon where the hub was started with --service NAME:SECRET.",
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

    fn services() -> Vec<Service> {
        vec![Service::new("billing", "0123456789abcdef"), Service::new("phone", "fedcba9876543210")]
    }

    #[test]
    fn the_secret_says_which_service_it_is() {
        for header in ["Bearer fedcba9876543210", "bearer  fedcba9876543210"] {
            assert_eq!(Caller::identify(&services(), Some(header)).unwrap().name, "phone");
        }
    }

    #[test]
    fn whoever_has_no_secret_of_ours_is_refused() {
        for header in [None, Some(""), Some("Bearer "), Some("Basic fedcba9876543210"), Some("Bearer phone")]
        {
            assert_eq!(Caller::identify(&services(), header).unwrap_err().status, 401, "{header:?}");
        }
        assert_eq!(Caller::identify(&[], Some("Bearer fedcba9876543210")).unwrap_err().status, 401);
    }

    #[test]
    fn a_service_does_not_show_its_secret() {
        assert_eq!(format!("{:?}", services()), "[billing:…, phone:…]");
    }
}
