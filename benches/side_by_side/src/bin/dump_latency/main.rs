//! What snapshots do to the latency of allocations, in a program with many live call sites and a large
//! heap.
//!
//! ```text
//! cargo run --release --manifest-path benches/side_by_side/Cargo.toml --bin dump_latency -- --help
//! ```
//!
//! | file | does |
//! |---|---|
//! | [`args`] | reads the command line |
//! | [`sites`] | call paths by number, and a heap with a block on each |
//! | [`windows`] | times pairs of allocation and free, with and without something beside them |
//! | [`report`] | what that comes to |
//!
//! The mode is fixed at a process's first allocation, so this program runs itself once for each.

mod args;
mod report;
mod sites;
mod windows;

use args::Options;
use heaplens::Config;
use std::env;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Set in the environment of the process that measures.
const ROLE: &str = "DUMP_LATENCY_ROLE";

fn main() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(options) if options.help => {
            print!("{}", args::HELP);
            return ExitCode::SUCCESS;
        }
        Ok(options) => options,
        Err(error) => {
            eprintln!("dump_latency: {error}");
            return ExitCode::from(2);
        }
    };
    let done = match env::var_os(ROLE) {
        Some(_) => measure(&options),
        None => options.modes.iter().try_for_each(|mode| run_as(mode)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dump_latency: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this program again in that mode, with the same arguments.
fn run_as(mode: &str) -> Result<(), String> {
    let folder = tempfile::tempdir()
        .map_err(|error| format!("cannot make a folder for snapshots: {error}"))?;
    let program = env::current_exe()
        .map_err(|error| format!("cannot tell where this program is: {error}"))?;
    println!("{mode}\n");
    let status = Command::new(program)
        .args(env::args_os().skip(1))
        .env(ROLE, mode)
        .env("HEAPLENS_MODE", mode)
        .env("HEAPLENS_DIR", folder.path())
        .status()
        .map_err(|error| format!("cannot start this program again: {error}"))?;
    match status.success() {
        true => Ok(()),
        false => Err(format!(
            "the measurement of mode {mode} ended with {status}"
        )),
    }
}

/// In a process of its own: the others need no profile, and would leave one behind.
fn measure(options: &Options) -> Result<(), String> {
    heaplens::profile!(
        std::alloc::System,
        Config::new().interval(Duration::ZERO).keep(2)
    );
    let heap = sites::build(options.sites, options.heap_bytes);
    let rounds = windows::measure(options)?;
    drop(heap);
    print!("{}", report::render(&rounds));
    Ok(())
}
