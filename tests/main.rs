//! The integration tests: one binary, real sockets, a real database, and the real process where it has to die.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed, also in what tests have in common"
)]
#![allow(clippy::similar_names, reason = "a node and a note are two things")]

mod support;

mod access;
mod back_office;
mod command_line;
mod conversations;
mod process;
mod resuming;
