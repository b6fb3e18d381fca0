//! A fleet of two releases, looked at over HTTP: merged, and one release compared with the other.

use std::fs;

use tempfile::tempdir;

use crate::build::Program;
use crate::pods::{GOOD, LEAKED, LEAKY, Pod};
use crate::run::{args, heaplens, json};

/// Pods of each release.
const PODS: usize = 20;

#[test]
fn one_command_names_what_the_second_release_leaks() {
    let [good, leaky] = [&GOOD, &LEAKY].map(|profile| Program::build("pod", profile));
    let folder = tempdir().expect("a temporary folder");
    let start = |program: &Program, count: usize| -> Vec<Pod> {
        let starting = (0..count).map(|_| {
            let mut pod = Pod::start(&program.path, folder.path(), &[]);
            pod.serve();
            pod
        });
        starting.collect()
    };
    let mut old = start(&good, PODS);
    let new = start(&leaky, PODS);
    let list = folder.path().join("pods");
    let write = |pods: &[&Pod]| {
        let urls: String = pods.iter().map(|pod| pod.url() + "\n").collect();
        fs::write(&list, format!("# pods\n{urls}")).expect("a list");
    };
    let all: Vec<&Pod> = new.iter().chain(&old).collect();
    write(&all);
    let list_argument = format!("@{}", list.display());

    let text = heaplens(args!["diff", "--by-build", list_argument]);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&text.stdout),
        String::from_utf8_lossy(&text.stderr),
    );
    assert!(text.status.success(), "{stderr}");
    let owner = stdout.lines().find(|line| line.starts_with("OWNERS"));
    let owner = owner.unwrap_or_else(|| panic!("{stdout}"));
    assert!(owner.contains("pod::compose"), "{stdout}");
    assert!(
        stdout.contains("all numbers are means per process"),
        "{stdout}"
    );

    let by_build = || {
        json(args![
            "diff",
            "--by-build",
            list_argument,
            "--format",
            "json"
        ])
    };
    let diff = by_build();
    assert_eq!(diff["per_process"], true);
    let snapshots = |side: &str| diff[side].as_array().expect("snapshots").clone();
    let builds = |side: &str| {
        let mut builds: Vec<_> = snapshots(side)
            .iter()
            .map(|snapshot| snapshot["build_id"].clone())
            .collect();
        builds.dedup();
        builds
    };
    assert_eq!(snapshots("before_snapshots").len(), PODS);
    assert_eq!(snapshots("after_snapshots").len(), PODS);
    let (before, after) = (builds("before_snapshots"), builds("after_snapshots"));
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_ne!(before, after);
    let leak = &diff["owners"][0];
    assert_eq!(leak["owner"]["function"], "pod::compose");
    assert_eq!(leak["change"]["live_bytes"], LEAKED);
    let sum = &diff["totals"]["after_sum"]["live_bytes"];
    assert!(sum.as_i64() > Some(PODS as i64 * LEAKED), "{sum}");

    // Of a quarter of the old pods the means are the same.
    old.truncate(PODS / 4);
    let fewer: Vec<&Pod> = new.iter().chain(&old).collect();
    write(&fewer);
    let diff = by_build();
    assert_eq!(diff["owners"][0]["change"]["live_bytes"], LEAKED);

    // Merged, all of it stands there, and who leaks is first.
    let top = json(args!["top", list_argument, "--format", "json"]);
    assert_eq!(top["snapshots"].as_array().expect("snapshots").len(), 25);
    assert_eq!(top["rows"][0]["name"], "pod::compose");
    assert_eq!(top["rows"][0]["live_bytes"], PODS as i64 * LEAKED);

    // One that is gone is named, and can be done without.
    let gone = old.pop().expect("a pod").url();
    let output = heaplens(args!["top", list_argument]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        error.starts_with(&format!("heaplens: {gone}: connection refused")),
        "{error}"
    );
    let output = heaplens(args!["top", list_argument, "--partial"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    assert!(error.contains(&format!("passed over: {gone}")), "{error}");
}

#[test]
fn builds_that_cannot_be_told_apart_are_asked_for() {
    let program = Program::build("pod", &GOOD);
    let folder = tempdir().expect("a temporary folder");
    let pod = Pod::start(&program.path, folder.path(), &[]);
    let output = heaplens(args!["diff", "--by-build", pod.url()]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("there is only one build"), "{error}");
}
