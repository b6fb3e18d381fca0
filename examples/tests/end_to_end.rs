//! The programs that take minutes, run as people run them:
//!
//! ```text
//! cargo test --locked --test end_to_end -- --ignored --nocapture --test-threads 1
//! ```
//!
//! They measure response times on an otherwise idle machine, and each judges itself. A machine that has too
//! much else to do is no failure, and is said.

use std::process::Command;

/// Exit code of an example that cannot measure on this machine.
const CANNOT_TELL: i32 = 75;

/// Runs an example of this repository in the profile of this test. No package is named, so that nothing is
/// built again.
fn run(example: &str, arguments: &[&str]) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["run", "--quiet", "--locked", "--example", example])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let status = cargo.arg("--").args(arguments).status();
    let status = status.expect("cargo starts");
    if status.code() == Some(CANNOT_TELL) {
        println!("SKIPPED: {example} cannot compare response times on this machine");
        return;
    }
    assert!(status.success(), "{example}: {status}");
}

#[test]
#[ignore = "takes two minutes, alone on the machine"]
fn the_day_of_the_incident() {
    run("incident_day", &[]);
}

#[test]
#[ignore = "takes 40 seconds, alone on the machine"]
fn two_hundred_slow_clients() {
    run("slow_clients", &["--seconds", "15", "--clients", "200"]);
}
