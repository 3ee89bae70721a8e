//! The `rotunda-loadtest` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    rotunda_loadtest::run()
}
