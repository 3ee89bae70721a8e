//! What is allowed, and what follows. Nothing here waits, locks, logs or reads a clock.

pub mod event;

pub mod conversation;
pub mod directory;
