//! Whether what sessions were shown is right: everything, to everybody who may see it, once, and to nobody else.
//!
//! A session keeps a [`picture`] as the protocol tells it to, and a note of everything it was shown. An organization's
//! log, read through the back office's door, says what happened and who could see it: the [`model`]. The [`audit`]
//! holds the notes against the model. Nothing here shares a line with the hub that decides the same.

pub(crate) mod audit;
pub(crate) mod findings;
pub(crate) mod ledger;
pub(crate) mod log;
pub(crate) mod model;
pub(crate) mod note;
pub(crate) mod picture;
pub(crate) mod rows;
pub(crate) mod sight;
#[cfg(test)]
mod tests;
