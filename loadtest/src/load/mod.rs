//! What happens: patients and teammates at work, each thing at the moment it is meant for.

pub(crate) mod acts;
pub(crate) mod mix;
pub(crate) mod pace;
pub(crate) mod setup;
pub(crate) mod stage;
