//! The hub without sockets, on a real database: the laws that every session's frames keep, whatever happens.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test names what it waits for")]

mod laws;
mod member;
mod model;
mod practice;
mod stories;
