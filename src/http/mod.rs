//! A request becomes a socket; the back office's door; what operators look at.

pub mod openapi;
pub mod ops;
pub mod service;
