//! The integration tests: one binary, real sockets, a real database, and the real process where it has to die.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it waits for")]
#![allow(clippy::similar_names, reason = "a node and a note are two things")]

mod support;

mod access;
mod back_office;
mod cluster;
mod command_line;
mod connections;
mod conversations;
mod layers;
mod process;
mod refusals;
mod resuming;
mod trying_out;
