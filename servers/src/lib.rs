//! Servers of one's own: each a real process on a free port of this machine, in a folder that goes with it, ended by
//! its pid when it is dropped. For tests, and for trying out a cluster.

mod process;

pub mod postgres;
pub mod redis;

pub use self::process::{Process, free_port, keep_apart};
