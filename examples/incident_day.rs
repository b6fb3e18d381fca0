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
//! Ends with exit code 1 and the reason if anything did not come as it should.

use std::process::ExitCode;

use quantum::drive::service;

mod day;
// As a file of its own, and not below `day`: it is the very service of the other example.
#[path = "widget_service.rs"]
mod widget_service;

fn main() -> ExitCode {
    if let Some(code) = service::be_the_service(widget_service::main) {
        return code;
    }
    if let Some(code) = day::be_heaplens() {
        return code;
    }
    match day::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("incident_day: {error}");
            ExitCode::FAILURE
        }
    }
}
