//! Whether what sessions were shown is right: everything, to everybody who may see it, once, and to nobody else.
//!
//! What a session was shown, as its picture noted it, is held against the [`model`]: the organization's log, read through
//! the back office's door, says what happened and who could see it. The [`audit`] of a session goes through its notes.
//! Nothing here does I/O, and nothing shares a line with the hub that decides the same.

pub(crate) mod audit;
pub(crate) mod findings;
pub(crate) mod log;
pub(crate) mod model;
pub(crate) mod sight;
#[cfg(test)]
mod tests;
