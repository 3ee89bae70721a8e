//! What all sessions of one process share: where the hub is, what they are counted by, and what ends the run early.

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header, encode};
use rotunda_protocol::id::{OrganizationId, TeammateId};
use serde::Serialize;
use tokio::sync::{Notify, Semaphore};

use super::meter::Meter;
use crate::client::http::BackOffice;
use crate::clock::{Nanos, wall_millis};

/// Handshakes under way at once.
const HANDSHAKES_MAX: usize = 256;
/// How long tokens are good: longer than any run.
const TOKENS_LAST: Duration = Duration::from_hours(48);

/// What is shared.
pub(crate) struct World {
    pub(crate) addresses: Vec<SocketAddr>,
    /// Where connections come from, for one address has too few ports.
    pub(crate) source: Option<IpAddr>,
    pub(crate) office: BackOffice,
    pub(crate) meter: RefCell<Meter>,
    pub(crate) chance: RefCell<fastrand::Rng>,
    pub(crate) handshakes: Semaphore,
    pub(crate) connected: Cell<usize>,
    /// When anything was last heard from the hub.
    pub(crate) heard_at: Cell<Nanos>,
    /// Why the last connection could not be made.
    pub(crate) no_line: RefCell<Option<String>>,
    key: EncodingKey,
    /// What tells this process's refs from others'.
    refs: String,
    next_ref: Cell<u64>,
    failure: RefCell<Option<String>>,
    failed: Notify,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a TeammateId,
    org: &'a OrganizationId,
    exp: u64,
}

impl World {
    pub(crate) fn new(
        addresses: Vec<SocketAddr>,
        source: Option<IpAddr>,
        token_secret: &str,
        service_token: String,
        refs: String,
        seed: u64,
    ) -> Self {
        Self {
            office: BackOffice::new(addresses.clone(), service_token),
            addresses,
            source,
            meter: RefCell::default(),
            chance: RefCell::new(fastrand::Rng::with_seed(seed)),
            handshakes: Semaphore::new(HANDSHAKES_MAX),
            connected: Cell::new(0),
            heard_at: Cell::new(Nanos::now()),
            no_line: RefCell::default(),
            key: EncodingKey::from_secret(token_secret.as_bytes()),
            refs,
            next_ref: Cell::new(0),
            failure: RefCell::default(),
            failed: Notify::new(),
        }
    }

    /// A session token.
    pub(crate) fn token(&self, organization: &OrganizationId, teammate: &TeammateId) -> String {
        let claims =
            Claims { sub: teammate, org: organization, exp: wall_millis() / 1_000 + TOKENS_LAST.as_secs() };
        encode(&Header::default(), &claims, &self.key).expect("claims can be signed")
    }

    /// A number that no other command or question of this process has.
    pub(crate) fn next_ref(&self) -> u64 {
        self.next_ref.set(self.next_ref.get() + 1);
        self.next_ref.get()
    }

    /// The ref with that number.
    pub(crate) fn name_of_ref(&self, number: u64) -> String {
        format!("{}-{number}", self.refs)
    }

    /// The number of a ref of this process.
    pub(crate) fn number_of_ref(&self, name: &str) -> Option<u64> {
        name.strip_prefix(&self.refs)?.strip_prefix('-')?.parse().ok()
    }

    /// The run makes no sense any more. The first reason stays.
    pub(crate) fn fail(&self, why: impl Into<String>) {
        self.failure.borrow_mut().get_or_insert_with(|| why.into());
        self.failed.notify_waiters();
        self.failed.notify_one();
    }

    /// Waits until the run makes no sense any more.
    pub(crate) async fn failure(&self) -> String {
        loop {
            if let Some(why) = self.failure.borrow().clone() {
                return why;
            }
            self.failed.notified().await;
        }
    }

    /// A number from 0 to below another.
    pub(crate) fn below(&self, limit: usize) -> usize {
        self.chance.borrow_mut().usize(..limit.max(1))
    }

    /// Happens so often, from 0 to 1.
    pub(crate) fn happens(&self, share: f64) -> bool {
        self.chance.borrow_mut().f64() < share
    }

    /// A time between half of a wait and all of it, so that not everybody comes back in the same instant.
    pub(crate) fn at_most(&self, wait: Duration) -> Duration {
        wait.mul_f64(0.5 + self.chance.borrow_mut().f64() / 2.0)
    }

    /// A time around a mean, as independent things happen.
    pub(crate) fn around(&self, mean: Duration) -> Duration {
        let chance = 1.0 - self.chance.borrow_mut().f64();
        mean.mul_f64(-chance.ln())
    }
}
