//! Rotunda: a real-time WebSocket hub for shared team inboxes.
//!
//! Every change in an organization is one entry of its ordered log, and reaches every live session that
//! may see it. Access travels in the same log as content, so what a session is sent about an entry is
//! decided by the membership as of that entry, on every node alike. `docs/ARCHITECTURE.md` draws the house.
//!
//! From the bottom up:

pub mod clock;

pub mod limits;

pub mod metrics;

pub mod domain;

pub mod bus;
pub mod store;

pub mod hub;

pub mod session;

pub mod http;

pub mod config;

pub mod server;

pub mod node;

pub mod cli;
