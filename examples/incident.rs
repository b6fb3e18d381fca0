//! The incident, replayed: a service that slows down hour after hour, and one line that says why.
//!
//! ```text
//! cargo run --release --example incident
//! ```
//!
//! Starts the Quantum Widget API twice, with its leak and with the fix, drives each with the same
//! load, and compares the snapshots that heaplens takes of them. In a few seconds and not in hours,
//! but otherwise as it would be: a separate process, HTTP, and snapshots as the only evidence.
//!
//! Ends with exit code 1 and the reason if the snapshots do not name the leak, or if it is not gone
//! with the fix.

use std::process::ExitCode;

use quantum::drive::service;

mod replay;
// As a file of its own, and not below `replay`: it is the very service of the other example.
#[path = "widget_service.rs"]
mod widget_service;

fn main() -> ExitCode {
    if let Some(code) = service::be_the_service(widget_service::main) {
        return code;
    }
    match replay::replay() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("incident: {error}");
            ExitCode::FAILURE
        }
    }
}
