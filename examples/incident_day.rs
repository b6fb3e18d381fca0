//! The day of the incident, in two minutes, with the parts that people run.
//!
//! ```text
//! cargo run --release --example incident_day
//! ```
//!
//! nginx and Prometheus, with the configurations of `examples/operations`, in front of and beside two
//! widget services that leak; visitors come through nginx all day. Memory and response times rise, the
//! alert fires, heaplens has left snapshots, the runbook's commands end at the line, the fix is rolled out
//! without a failed request, and everything is as it was. Prints the timeline, and writes it with a picture
//! to `target/heaplens-incident-day`.
//!
//! What is scaled: the durations of the alert rules and of the dashboard's queries, by 600, so that an hour
//! is six seconds; what is not, is all else. The leak is real, and so is the time that it takes to name it.
//!
//! Ends with exit code 1 and the reason if anything did not come as it should, and with 75 (`EX_TEMPFAIL` of
//! sysexits.h) where the machine has too much else to do for response times to be compared.

use std::process::ExitCode;

use quantum::drive::service;

use day::Ended;

mod day;
// As a file of its own, and not below `day`: it is the very service of the other example.
#[path = "widget_service.rs"]
mod widget_service;

/// Exit code on a machine that is too busy.
const CANNOT_TELL: u8 = 75;

fn main() -> ExitCode {
    if let Some(code) = service::be_the_service(widget_service::main) {
        return code;
    }
    if let Some(code) = day::be_heaplens() {
        return code;
    }
    match day::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::Wrong(error)) => {
            eprintln!("incident_day: {error}");
            ExitCode::FAILURE
        }
        Err(Ended::CannotTell(what)) => {
            eprintln!("incident_day: cannot tell on this machine: {what}");
            ExitCode::from(CANNOT_TELL)
        }
    }
}
