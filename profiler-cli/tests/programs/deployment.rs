//! A service where services run: stripped, as process 1 of a container whose working directory is
//! read-only, killed without warning and started again on the same folder of snapshots.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::tempdir;

use crate::build::{FAT_LTO, PLAIN, Program, skip};
use crate::run::{args, command, find, heaplens, json, snapshots_in};

/// A command in namespaces of its own, where it becomes process 1 and its working directory is an
/// empty read-only file system. Nothing where that cannot be had.
fn contained(
    directory: &Path,
    program: &Path,
    arguments: &[&str],
    settings: &[(&str, &OsStr)],
) -> Option<Command> {
    const ENTER: &str = "mount -t tmpfs -o ro none \"$1\" && cd \"$1\" && shift && exec \"$@\"";
    let unshare = |settings| {
        let mut unshare = command("unshare", settings);
        unshare
            .args(["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"])
            .args(["sh", "-c", ENTER, "sh"])
            .arg(directory);
        unshare
    };
    let works = unshare(&[]).arg("true").output();
    if !works.is_ok_and(|output| output.status.success()) {
        skip("unshare and mount, of util-linux, and the right to make namespaces");
        return None;
    }
    let mut command = unshare(settings);
    command.arg(program).args(arguments);
    Some(command)
}

/// Runs the service until it has leaked, and kills it.
fn leak_and_be_killed(mut command: Command) {
    let mut child = command
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the service starts");
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a line");
    assert_eq!(line, "leaked\n");
    child.kill().expect("the service runs");
    assert!(!child.wait().expect("it ends").success());
    // The service holds the other end of the pipe for as long as it lives.
    stdout.read_to_end(&mut Vec::new()).expect("the end");
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the folder of snapshots");
    let file = |path: &Path| fs::read(path).expect("a file");
    entries
        .map(|entry| entry.expect("an entry"))
        .map(|entry| {
            (
                entry.file_name().into_string().expect("UTF-8"),
                file(&entry.path()),
            )
        })
        .collect()
}

#[test]
fn killed_and_restarted_as_process_1_it_still_names_the_leak() {
    let program = Program::build("service", &FAT_LTO);
    let Some(deployed) = program.stripped() else {
        return;
    };
    let snapshots = tempdir().expect("a temporary folder");
    let directory = tempdir().expect("a temporary folder");
    let settings = [("HEAPLENS_DIR", snapshots.path().as_os_str())];
    let mut seen = BTreeMap::new();
    for round in 1..=3 {
        let command = contained(directory.path(), &deployed.path, &["leak"], &settings);
        let Some(command) = command else {
            return;
        };
        leak_and_be_killed(command);
        let now = contents(snapshots.path());
        assert_eq!(now.len(), 2 * round, "{:?}", now.keys());
        for (name, content) in &seen {
            assert!(now.get(name) == Some(content), "{name} in round {round}");
        }
        seen = now;
    }
    let snapshots = snapshots_in(snapshots.path());
    assert!(
        snapshots.keys().all(|name| name.run.pid == 1),
        "{snapshots:?}"
    );

    let (before, after) = (find(&snapshots, "before"), find(&snapshots, "after"));
    let svg = directory.path().join("growth.svg");
    let debug_dir = program.folder();
    let diff = args!["diff", *before, *after, "--debug-dir", *debug_dir];
    let output = heaplens(&[diff, args!["-o", svg]].concat());
    assert!(output.status.success(), "{output:?}");
    let svg = fs::read_to_string(&svg).expect("the picture");
    let most = svg.lines().find(|line| line.contains("class=\"owner\""));
    let most = most.unwrap_or_else(|| panic!("no owner: {svg:.2000}"));
    assert!(most.contains("data-find=\"service::compose\""), "{most}");
    let frames = svg.matches("<title>service::compose").count();
    // Of 40 levels, each with a sample or two: the outer half is there but once in 10^13 runs.
    assert!(frames >= 20, "{frames} frames of the leak");
    let owners = &json(&[diff, args!["--format", "json"]].concat())["owners"];
    assert_eq!(
        owners[0]["owner"]["function"], "service::compose",
        "{owners:#}"
    );
}

#[test]
fn with_nothing_to_write_to_it_says_so_once_and_runs_on() {
    let program = Program::build("service", &PLAIN);
    let directory = tempdir().expect("a temporary folder");
    let settings = [("HEAPLENS_INTERVAL", OsStr::new("10ms"))];
    let command = contained(directory.path(), &program.path, &["exit", "7"], &settings);
    let Some(mut command) = command else {
        return;
    };
    let output = command.output().expect("the service starts");
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.starts_with("heaplens: cannot write a snapshot to "),
        "{stderr}"
    );
    assert!(stderr.contains("Read-only file system"), "{stderr}");
}
