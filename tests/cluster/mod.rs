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

mod bus;
mod claims;
mod clocks;
mod database;
mod deaths;
mod file;
mod freeze;
mod storm;
