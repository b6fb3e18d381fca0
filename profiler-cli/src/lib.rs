//! Turns heaplens snapshots into flamegraphs of what is retained, tables and diffs.
//!
//! The binary `heaplens` is this library behind a command line. Programs that take snapshots can
//! use it too:
//!
//! ```no_run
//! use heaplens_cli::{analysis::diff::diff, input, render::differential::{self, View}};
//!
//! let options = input::Options::default();
//! let before = input::load(["before.json.gz"], &options, &mut input::quiet)?;
//! let after = input::load(["after.json.gz"], &options, &mut input::quiet)?;
//! let diff = diff(&before.profile, &after.profile);
//! for owner in diff.owners().iter().take(3) {
//!     let name = diff.profile(owner.side).name(owner.node);
//!     println!("{:+} bytes by {name}", owner.change());
//! }
//! differential::svg(&diff, View::default(), &mut std::fs::File::create("growth.svg")?)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The way of the data, each step a folder: [`input`] reads files and names their addresses,
//! [`profile`] is the model that all share, [`analysis`] makes rows of it and [`render`] writes
//! them. Only `input` and the commands touch files and ask servers.

pub mod analysis;
pub mod args;
mod commands;
mod error;
#[cfg(target_os = "linux")]
mod execute;
pub mod input;
mod output;
#[cfg(target_os = "linux")]
mod process;
pub mod profile;
mod progress;
pub mod render;
mod screen;
pub mod symbols;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use error::Error;

/// Exit code of wrong usage and of input that cannot be used.
const FAILED: u8 = 2;

/// Runs the command line `args`, the program's name first, and returns its exit code: 0 for done,
/// 1 for a check that failed, 2 for wrong usage or input. Results go to the standard output or into files, all else to the
/// standard error.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match args::Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(usage) => {
            // Help goes to the standard output and is a success. A closed pipe is no failure.
            let _ = usage.print();
            return if usage.use_stderr() {
                ExitCode::from(FAILED)
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    match commands::run(&cli.command) {
        Ok(code) => code,
        Err(error) if !error.is_closed_pipe() => {
            eprintln!("heaplens: {error}");
            ExitCode::from(FAILED)
        }
        Err(_) => ExitCode::SUCCESS,
    }
}
