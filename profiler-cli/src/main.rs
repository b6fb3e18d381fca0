//! The command `heaplens`.

use std::process::ExitCode;

fn main() -> ExitCode {
    heaplens_cli::run(std::env::args_os())
}
