//! What the tests stand on: a node on a free port, in this process or in its own, a client of the public protocol, plain HTTP.

pub(crate) mod client;
pub(crate) mod http;
pub(crate) mod hub;
pub(crate) mod node;
pub(crate) mod practice;
pub(crate) mod program;

pub(crate) use client::Client;
pub(crate) use hub::Hub;
pub(crate) use node::{Node, TestNode};
