//! The integration tests: one binary, real sockets, a real database, and the real process where it has to die.

mod support;

mod access;
mod conversations;
mod process;
mod refusals;
mod resuming;
