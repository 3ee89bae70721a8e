//! The `rotunda-loadtest` command.

use std::process::ExitCode;

/// Puts what thousands of sessions hold side by side, which fan-out goes through one after the other. What is built for
/// debugging keeps the system's, which gives back at once what is free: its tests see what a session takes.
#[cfg(not(debug_assertions))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    rotunda_loadtest::run()
}
