//! The command line: run a hub, show one off, and look at one from outside.
//!
//! Results go to standard output, problems to standard error with what to do about them. Exit codes:
//! 0 done, 1 the hub refused, 2 it could not be tried.

pub mod client;
pub mod output;

pub mod call;
pub mod demo;
pub mod serve;
pub mod token;
pub mod watch;

use std::ffi::OsString;
use std::future::Future;
use std::io::{IsTerminal, stderr};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use self::output::ReaderGone;
use crate::config::LogFormat;

/// A real-time hub for shared team inboxes.
#[derive(Debug, Parser)]
#[command(name = "rotunda", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub.
    Serve(serve::Serve),
    /// Run a hub with a demo practice whose patients keep writing.
    Demo(demo::Demo),
    /// Make a session token for a teammate.
    Token(token::Token),
    /// Watch a teammate's inbox live.
    Watch(watch::Watch),
    /// Send one command or question and print the answer.
    Call(call::Call),
}

/// What became of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// The hub said no.
    Refused,
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    run_with(std::env::args_os())
}

/// Runs another command line; its first word is what the help calls the program. So a program of another crate can
/// be a hub as well.
pub fn run_with(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match dispatch(Cli::parse_from(arguments).command) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Refused) => ExitCode::from(1),
        Err(error) if error.is::<ReaderGone>() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rotunda: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn dispatch(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Serve(serve) => on_all_cores(serve.run()),
        Command::Demo(demo) => on_all_cores(demo.run()),
        Command::Token(token) => token.run(),
        Command::Watch(watch) => on_this_thread(watch.run()),
        Command::Call(call) => on_this_thread(call.run()),
    }
}

fn on_all_cores(work: impl Future<Output = anyhow::Result<Outcome>>) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start threads")?.block_on(work)
}

fn on_this_thread(work: impl Future<Output = anyhow::Result<Outcome>>) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot watch sockets")?.block_on(work)
}

/// Starts logging to standard error: `ROTUNDA_LOG` says what.
fn log(default: &str, format: LogFormat) {
    let what = EnvFilter::try_from_env("ROTUNDA_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt().with_env_filter(what).with_writer(stderr);
    let lines = lines.with_ansi(stderr().is_terminal());
    match format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
