//! What the one line is worth in a new crate: each form of it, and numbers that are right.

use std::path::Path;

use heaplens::snapshot::{Limits, Reason, RecorderMode, Snapshot, read};
use serde_json::Value;
use tempfile::tempdir;

use crate::build::{PLAIN, Profile, Program};
use crate::run::{args, command, find, json, row, snapshots_in, snapshots_of};

fn load(path: &Path) -> Snapshot {
    read(path, &Limits::default()).expect("a snapshot")
}

/// What `heaplens top` says of `keep::compose`, which made two boxes for each one that is kept.
fn compose_of_keep(count: &str, settings: &[(&str, &str)], by: &str) -> Value {
    let program = Program::build("keep", &PLAIN);
    let folder = tempdir().expect("a temporary folder");
    let snapshots = snapshots_of(&program.path, &[count], settings, folder.path());
    assert_eq!(snapshots.len(), 1);
    let top = json(args![
        "top",
        *find(&snapshots, "exit"),
        "--by",
        by,
        "--format",
        "json"
    ]);
    row(&top, "keep::compose").clone()
}

#[test]
fn exact_numbers_at_the_function_that_allocates() {
    for by in ["function", "owner"] {
        let row = compose_of_keep("1000", &[("HEAPLENS_MODE", "exact")], by);
        assert_eq!(row["live_bytes"], 1_000_000, "{row:#}");
        assert_eq!(row["live_count"], 1_000, "{row:#}");
        assert_eq!(row["total_bytes"], 2_000_000, "{row:#}");
        assert_eq!(row["total_count"], 2_000, "{row:#}");
        assert_eq!(row["owner"]["function"], "keep::compose", "{row:#}");
        let binary = row["owner"]["binary"].as_str().expect("a path");
        assert!(binary.ends_with("/keep"), "{row:#}");
    }
}

/// Blocks of 1,000 bytes at a mean of 4,096 are samples with p = 1 - e^(-1000/4096) = 0.217. The
/// estimate of 104,858 of them has a relative error of sqrt((1-p)/(p * 104,858)) = 0.59 %: 3 % is
/// five sigma, which chance passes once in two million runs.
#[test]
fn sampled_numbers_are_close() {
    let row = compose_of_keep("104858", &[("HEAPLENS_SAMPLE_BYTES", "4KiB")], "owner");
    let kept = 104_858_000.0;
    let live = row["live_bytes"].as_f64().expect("a number");
    assert!((live / kept - 1.0).abs() < 0.03, "{row:#}");
    let count = row["live_count"].as_f64().expect("a number");
    assert!((count / 104_858.0 - 1.0).abs() < 0.03, "{row:#}");
    // The error that is reported is a standard deviation, or a small multiple of one.
    let error = row["live_bytes_error"].as_f64().expect("a number");
    assert!((0.004..0.03).contains(&(error / kept)), "{row:#}");
}

#[test]
fn a_main_that_returns_a_result_around_another_allocator() {
    let program = Program::build("fallible", &PLAIN);
    for (argument, code) in [("succeed", 0), ("fail", 1)] {
        let folder = tempdir().expect("a temporary folder");
        let settings = [("HEAPLENS_DIR", folder.path().as_os_str())];
        let mut command = command(&program.path, &settings);
        let output = command.arg(argument).output().expect("it starts");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(stderr, if code == 0 { "" } else { "Error: Error\n" });
        let text = String::from_utf8_lossy(&output.stdout);
        let counted: u64 = text.trim().parse().expect("a number");
        assert!(
            counted > 500,
            "the inner allocator has made {counted} blocks"
        );

        let snapshots = snapshots_in(folder.path());
        assert_eq!(snapshots.len(), 1);
        let path = find(&snapshots, "exit");
        let header = load(path).header;
        assert_eq!(header.reason, Reason::Exit);
        assert_eq!(header.recorder.mode, RecorderMode::Exact, "set in the code");
        let top = json(args!["top", *path, "--format", "json"]);
        let compose = row(&top, "fallible::compose");
        assert_eq!(compose["live_bytes"], 4_000, "{compose:#}");
        assert_eq!(compose["live_count"], 500, "{compose:#}");
    }
}

#[test]
fn the_environment_overrides_what_the_code_sets() {
    let program = Program::build("fallible", &PLAIN);
    let folder = tempdir().expect("a temporary folder");
    let settings = [
        ("HEAPLENS_MODE", "sampled"),
        ("HEAPLENS_SAMPLE_BYTES", "1MiB"),
    ];
    let snapshots = snapshots_of(&program.path, &["succeed"], &settings, folder.path());
    let recorder = load(find(&snapshots, "exit")).header.recorder;
    assert_eq!(recorder.mode, RecorderMode::Sampled);
    assert_eq!(recorder.sample_bytes, 1 << 20);
}

#[test]
fn an_asynchronous_main() {
    let profile = Profile {
        features: "asynchronous",
        ..PLAIN
    };
    let program = Program::build("asynchronous", &profile);
    let folder = tempdir().expect("a temporary folder");
    let settings = [("HEAPLENS_MODE", "exact")];
    let snapshots = snapshots_of(&program.path, &[], &settings, folder.path());
    assert_eq!(snapshots.len(), 1);
    let path = find(&snapshots, "exit");
    let top = json(args!["top", *path, "--format", "json"]);
    let compose = row(&top, "asynchronous::compose");
    assert_eq!(compose["live_bytes"], 1_000_000, "{compose:#}");
    assert_eq!(compose["live_count"], 1_000, "{compose:#}");
    assert_eq!(load(path).header.losses.truncated, Default::default());
}
