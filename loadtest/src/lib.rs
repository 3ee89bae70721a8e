//! What a hub holds, and whether it keeps its promises while it does: the load-test harness.
//!
//! The program is three in one, so that a fresh clone needs one build: the harness itself, the hub that it starts, and
//! the bare writer that the hub is compared with.

pub mod floor;
pub mod hubs;

mod check;
mod cli;
mod client;
mod clock;
mod conductor;
mod load;
mod options;
mod picture;
mod plan;
mod practice;
mod report;
mod scenario;
mod wire;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

/// The command that makes this program a process of the generator.
pub(crate) const WORKER_COMMAND: &str = "worker";

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    helper(std::env::args_os()).unwrap_or_else(cli::run)
}

/// Runs what the harness starts itself for, whose command lines no help shows; none if the process is the harness.
pub fn helper(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    match arguments.next()?.to_str()? {
        hubs::HUB_COMMAND => {
            let name = OsString::from(env!("CARGO_PKG_NAME"));
            Some(rotunda::cli::run_with(std::iter::once(name).chain(arguments)))
        }
        floor::WRITER_COMMAND => Some(floor::write()),
        WORKER_COMMAND => Some(worker::run()),
        _ => None,
    }
}
