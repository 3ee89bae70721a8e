//! Sessions as real clients keep them, thousands in a process: written from `docs/PROTOCOL.md` and nothing else.

mod answers;
mod arrival;
pub(crate) mod http;
pub(crate) mod life;
pub(crate) mod line;
pub(crate) mod meter;
pub(crate) mod organization;
pub(crate) mod reader;
pub(crate) mod session;
pub(crate) mod world;
