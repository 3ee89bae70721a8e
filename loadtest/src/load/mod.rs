//! What happens: practices as they are, and what patients and teammates do in them.

pub(crate) mod acts;
pub(crate) mod mix;
pub(crate) mod pace;
pub(crate) mod practice;
pub(crate) mod setup;
