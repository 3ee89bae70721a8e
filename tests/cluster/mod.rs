//! Several real nodes, and everything around them that fails: the bus, the database, nodes, clocks, connections. Each
//! test breaks one thing while people work, and then asks the same of all: see `scene`.

mod harness;
mod line;
mod log;
mod picture;
mod scene;
mod told;
mod watch;
mod write;

/// A link that falls silent, or says what nobody said; the bus's own tests have it too.
#[path = "../../src/bus/redis/tests/proxy.rs"]
mod proxy;

mod bus;
mod claims;
mod clocks;
mod database;
mod deaths;
mod file;
mod freeze;
mod partition;
mod storm;
