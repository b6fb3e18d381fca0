//! `heaplens run`: what it says of programs that leak, fit and fail, and what is left of them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::tempdir;

use crate::build::{LINES, Program, line_of};
use crate::run::command;

/// Has heaplens run a script, and returns the first line that this writes.
fn started(folder: &Path, script: &str) -> (Child, String) {
    let mut gate = command(env!("CARGO_BIN_EXE_heaplens"), &[])
        .args(["run", "--", "sh", "-c", script])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("heaplens starts");
    let mut line = String::new();
    let stdout = gate.stdout.take().expect("an output");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    (gate, line)
}

/// Sends a signal to heaplens, and waits for its end.
fn ended_by(gate: Child, signal: i32) -> Output {
    // SAFETY: a signal to a child that has not been waited for.
    assert_eq!(unsafe { libc::kill(gate.id() as i32, signal) }, 0);
    gate.wait_with_output().expect("it ends")
}

/// Asks heaplens to stop once the script has written a line, and expects that it says so.
#[track_caller]
fn stops(script: &str, said: &str) {
    let folder = tempdir().expect("a temporary folder");
    let (gate, _) = started(folder.path(), script);
    let output = ended_by(gate, libc::SIGTERM);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(stderr(&output).contains(said), "{output:?}");
}

#[test]
fn a_command_that_ends_well_when_it_is_stopped_does_not_pass() {
    let script = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    stops(script, "stopped by a signal");
}

#[test]
fn a_command_that_does_not_stop_is_killed() {
    let script = "trap '' TERM; echo ready; while :; do sleep 0.1; done";
    stops(script, "sh ended with signal: 9");
}

/// Runs in a folder; also the report, if there is one.
fn run(folder: &Path, args: &[&str]) -> (Output, Option<Value>) {
    let mut run = command(env!("CARGO_BIN_EXE_heaplens"), &[]);
    run.args(["run", "--report", "report.json"])
        .args(args)
        .current_dir(folder);
    let output = run.output().expect("heaplens starts");
    let report = fs::read(folder.join("report.json")).ok();
    let report = report.map(|report| serde_json::from_slice(&report).expect("JSON"));
    (output, report)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_kib_of_each_of_2000_requests_is_a_leak_and_a_cache_that_fills_is_none() {
    let program = Program::build("requests", &LINES);
    let program = program.path.to_str().expect("UTF-8");
    let folder = tempdir().expect("a temporary folder");
    let iterations = ["--iterations", "2000", "--", program];
    let (output, report) = run(folder.path(), &[&iterations[..], &["leak"]].concat());
    let report = report.expect("a report");
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    let failures = report["programs"][0]["failures"]
        .as_array()
        .expect("failures");
    assert_eq!(failures.len(), 1, "{failures:#?}");
    let owner = &failures[0]["owner"];
    assert_eq!(owner["function"], "requests::Service::log");
    assert_eq!(owner["line"], line_of("requests", "log"));
    let message = failures[0]["message"].as_str().expect("a text");
    assert!(
        message.contains(", +1.0 KiB for each unit of work, "),
        "{message}"
    );

    let (output, report) = run(folder.path(), &[&iterations[..], &["fit"]].concat());
    assert_eq!(output.status.code(), Some(0), "{report:#?}");
    // Each run has a folder of its own.
    let runs = fs::read_dir(folder.path().join("heaplens-run")).expect("the folders");
    assert_eq!(runs.count(), 2);
}

#[test]
fn of_several_processes_the_worst_counts() {
    let program = Program::build("requests", &LINES);
    let program = program.path.to_str().expect("UTF-8");
    let folder = tempdir().expect("a temporary folder");
    let script = format!("{program} leak && {program} fit");
    let args = ["--iterations", "2000", "--", "sh", "-c", &script];
    let (output, report) = run(folder.path(), &args);
    let report = report.expect("a report");
    assert_eq!(output.status.code(), Some(1), "{report:#}");
    let notes = report["programs"][0]["notes"].as_array().expect("notes");
    let note = "2 processes ran, and this is the worst";
    assert!(notes.contains(&note.into()), "{report:#}");
}

#[test]
fn a_command_that_fails_is_named_and_reported_all_the_same() {
    let program = Program::build("requests", &LINES);
    let program = program.path.to_str().expect("UTF-8");
    let folder = tempdir().expect("a temporary folder");
    let (output, report) = run(
        folder.path(),
        &["--iterations", "100", "--", program, "fail"],
    );
    let report = report.expect("a report");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let error = report["errors"][0].as_str().expect("an error");
    assert!(
        error.ends_with("requests ended with exit status: 3"),
        "{error}"
    );
    assert!(stderr(&output).contains(error), "{output:?}");
    assert_eq!(report["programs"][0]["program"], "requests");
    assert_eq!(report["outcome"], "unknown");
}

#[test]
fn a_command_without_heaplens_or_that_is_not_there_is_told() {
    let folder = tempdir().expect("a temporary folder");
    for (args, part) in [
        (
            &["--", "true"][..],
            "the command left no snapshots: make `heaplens::profile!()`",
        ),
        (&["--", "./absent"], "cannot start ./absent: "),
        (
            &["--ready", "nowhere", "--load", "true", "--", "true"],
            "--ready nowhere: not a port",
        ),
        (
            &[
                "--load",
                "true",
                "--ready-timeout",
                "100ms",
                "--",
                "sleep",
                "60",
            ],
            "sleep handles no signal for snapshots",
        ),
        (
            &["--load", "true", "--", "true"],
            "true ended with exit status: 0 while it was to serve",
        ),
    ] {
        let (output, _) = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
        assert!(stderr(&output).contains(part), "{args:?}: {output:?}");
    }
}

#[test]
fn a_server_is_worked_and_stopped() {
    let program = Program::build("requests", &LINES);
    let program = program.path.to_str().expect("UTF-8");
    let folder = tempdir().expect("a temporary folder");
    let load = "echo $HEAPLENS_ROUND >> rounds";
    let args = ["--iterations", "7", "--load", load, "--", program, "wait"];
    let (output, report) = run(folder.path(), &args);
    let report = report.expect("a report");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(report["programs"][0]["snapshots"], 8, "{report:#}");
    let rounds = fs::read_to_string(folder.path().join("rounds")).expect("the rounds");
    assert_eq!(rounds, "1\n2\n3\n4\n5\n6\n7\n");

    let load = "test $HEAPLENS_ROUND != 6 || exit 9";
    let args = ["--load", load, "--", program, "wait"];
    let (output, report) = run(folder.path(), &args);
    let report = report.expect("a report");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(
        report["errors"][0],
        "round 6 of the load ended with exit status: 9"
    );
    assert_eq!(report["programs"][0]["snapshots"], 6, "{report:#}");
}

fn is_alive(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // A zombie has ended.
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| !rest.starts_with(" Z"))
}

#[test]
fn signals_are_passed_on_and_nothing_outlives_the_gate() {
    // The shell asks to be told of the signal; what it has started knows nothing of it.
    // It also lets go of the pipes, so that nobody waits for its end.
    let script = "trap 'exit 7' TERM; sleep 600 >/dev/null 2>&1 & echo $$ $!; wait";
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        let folder = tempdir().expect("a temporary folder");
        let (gate, line) = started(folder.path(), script);
        let processes: Vec<i32> = line
            .split_whitespace()
            .map(|id| id.parse().expect("a number"))
            .collect();
        assert_eq!(processes.len(), 2, "{line}");
        assert!(processes.iter().all(|&process| is_alive(process)));
        let output = ended_by(gate, signal);
        let deadline = Instant::now() + Duration::from_secs(60);
        let expected_gone = match signal {
            libc::SIGTERM => {
                assert_eq!(output.status.code(), Some(2));
                assert!(
                    stderr(&output).contains("sh ended with exit status: 7"),
                    "{output:?}"
                );
                &processes[..]
            }
            // It cannot do anything any more; the system ends the command itself.
            _ => &processes[..1],
        };
        while expected_gone.iter().any(|&process| is_alive(process)) {
            assert!(
                Instant::now() < deadline,
                "{processes:?} outlive signal {signal}"
            );
            sleep(Duration::from_millis(10));
        }
        if signal == libc::SIGKILL {
            // SAFETY: what is left of the shell that has just ended.
            unsafe { libc::kill(processes[1], libc::SIGKILL) };
        }
    }
}
