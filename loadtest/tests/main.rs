//! The harness with the processes that it starts: hubs, their database and bus, generators, the writer of the floor.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ends;
mod faults;
mod floor;
mod hubs;
mod refusals;
mod run;
mod scenarios;

/// The harness's program.
const PROGRAM: &str = env!("CARGO_BIN_EXE_rotunda-loadtest");
