//! The words that Rotunda and its clients say to each other.
//!
//! Plain nouns first (ids, rows, items), then what a client may ask for, what it hears back, and how
//! all of it becomes bytes. Nothing here decides anything: the hub's rules live in its `domain`.
//! The frames are described for readers in `docs/PROTOCOL.md` and pinned by `golden/`.

pub mod id;
pub mod principal;

pub mod conversation;
pub mod directory;
pub mod item;

pub mod ask;
pub mod command;
pub mod push;

pub mod close;
pub mod refusal;

pub mod codec;
pub mod frame;

#[cfg(test)]
mod golden;

/// Milliseconds since 1970-01-01 UTC, as the hub's clock had it. Never used to order anything.
pub type Millis = i64;
