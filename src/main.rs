//! The `rotunda` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    rotunda::cli::run()
}
