//! The `toolgate` program: reads the command line and runs one command.

use std::process::ExitCode;

fn main() -> ExitCode {
    toolgate::cli::run()
}
