//! What a process of the generator is told to be: its organizations, its sessions, and what they do.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::practice::Share;
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
