//! What a process of the generator is told to be: its organizations, its sessions, and what they do.

use std::net::{IpAddr, SocketAddr};

use rotunda_protocol::codec::Codec;
use rotunda_protocol::id::OrganizationId;
use serde::{Deserialize, Serialize};

use crate::scenario::Scenario;

/// Everything a process needs to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) source: Option<IpAddr>,
    pub(crate) token_secret: String,
    pub(crate) service_token: String,
    /// What tells this process's refs from others'.
    pub(crate) refs: String,
    pub(crate) seed: u64,
    pub(crate) scenario: Scenario,
    /// How long things happen, in seconds.
    pub(crate) seconds: f64,
    /// Things that happen in a second, in this process.
    pub(crate) rate: f64,
    pub(crate) shares: Vec<Share>,
}

/// A process's part in an organization.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Share {
    pub(crate) id: OrganizationId,
    pub(crate) practice: Practice,
    /// The sessions here: whose, and how they speak.
    pub(crate) seats: Vec<Seat>,
    /// This process sets the organization up and makes things happen in it. Of several that share one, one does.
    pub(crate) drives: bool,
}

/// A session to be.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Seat {
    /// The teammate's number.
    pub(crate) teammate: usize,
    /// It speaks JSON, not MessagePack.
    pub(crate) json: bool,
}

impl Seat {
    pub(crate) fn codec(self) -> Codec {
        if self.json { Codec::Json } else { Codec::MessagePack }
    }
}

/// How an organization is made.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Practice {
    pub(crate) teammates: usize,
    pub(crate) kind: PracticeKind,
    /// Conversations that are there from the start.
    pub(crate) conversations: usize,
}

/// Who may see what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PracticeKind {
    /// One line that everybody answers.
    Open,
    /// A line for everybody, a link for each team, and some teammates with links of their own.
    Real,
}
