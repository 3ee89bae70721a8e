//! The hub without sockets, on a real database: the laws that every session's frames keep, whatever happens.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it waits for")]

mod attending;
mod faults;
mod laws;
mod member;
mod model;
mod narrowing;
mod nodes;
mod practice;
mod resuming;
mod store;
mod stories;
