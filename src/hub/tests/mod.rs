//! The hub without sockets, on a real database: the laws that every session's frames keep, whatever happens.

mod attending;
mod faults;
mod laws;
mod member;
mod model;
mod narrowing;
mod practice;
mod store;
mod stories;
