//! The gate on the widget service of the examples, worked by the kit's own script: with its leak it
//! fails, with a line of what composes widgets annotated, and with the fix it passes. Each three
//! times, beside a thread that keeps a core busy.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use serde_json::Value;
use tempfile::tempdir;

use crate::build::{repository, skip};
use crate::run::command;

const RUNS: usize = 3;

/// The example as these tests are built. No package is named, so that of what `cargo test` builds in the whole
/// workspace nothing is built again.
fn widget_service() -> PathBuf {
    let this = std::env::current_exe().expect("a path");
    let built = this.ancestors().nth(2).expect("the folder of the profile");
    let release = built.ends_with("release").then_some("--release");
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--locked"])
        .args(["--example", "widget_service"])
        .args(release)
        .env("CARGO_TARGET_DIR", built.parent().expect("a target folder"))
        .current_dir(repository())
        .status();
    assert!(status.expect("cargo starts").success());
    built.join("examples/widget_service")
}

/// Runs the gate in the repository; also what it reports.
fn gate(service: &Path, more: &[&str]) -> (Output, Value) {
    let folder = tempdir().expect("a temporary folder");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("a free port").to_string();
    let report = folder.path().join("report.json");
    let mut run = command(env!("CARGO_BIN_EXE_heaplens"), &[]);
    run.arg("run")
        .arg("--dir")
        .arg(folder.path())
        .arg("--report")
        .arg(&report)
        .args(["--github", "--ready", &format!("http://{address}/healthz")])
        .args([
            "--load",
            &format!("examples/ci/load.sh http://{address}"),
            "--",
        ])
        .arg(service)
        .args(["--listen", &address])
        .args(more)
        .env_remove("GITHUB_STEP_SUMMARY")
        .current_dir(repository());
    let output = run.output().expect("heaplens starts");
    let report = std::fs::read(report).unwrap_or_else(|_| panic!("{output:?}"));
    (output, serde_json::from_slice(&report).expect("JSON"))
}

/// The lines between the head of a function and the next one in `compose.rs`.
fn is_in_composition(line: u64) -> bool {
    let source = repository().join("examples/widget/compose.rs");
    let source = std::fs::read_to_string(source).expect("the source");
    let heads = source
        .lines()
        .take(line as usize)
        .filter(|line| line.contains("fn "));
    let head = heads.last().unwrap_or_default();
    [
        "fn compose_pane(",
        "fn density(",
        "fn outline(",
        "fn legend(",
    ]
    .iter()
    .any(|function| head.starts_with(function))
}

#[test]
fn the_leaking_service_fails_and_the_fixed_one_passes() {
    if Command::new("curl").arg("--version").output().is_err() {
        return skip("curl");
    }
    let service = widget_service();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) {
                std::hint::spin_loop();
            }
        });
        let judged = std::panic::catch_unwind(|| {
            for _ in 0..RUNS {
                leaks(gate(&service, &[]));
                let (output, report) = gate(&service, &["--fixed"]);
                assert_eq!(output.status.code(), Some(0), "{output:?} {report:#}");
                assert_eq!(report["programs"][0]["snapshots"], 11, "{report:#}");
            }
        });
        done.store(true, Relaxed);
        judged.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
}

fn leaks((output, report): (Output, Value)) {
    assert_eq!(output.status.code(), Some(1), "{output:?} {report:#}");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    let annotations = stdout.lines().filter(|line| line.starts_with("::error "));
    let mut composing = 0;
    for annotation in annotations {
        let place = annotation.strip_prefix("::error file=examples/widget/");
        let place = place.and_then(|place| place.split_once(",line="));
        let (file, rest) = place.unwrap_or_else(|| panic!("{annotation}"));
        let line = rest.split(',').next().and_then(|line| line.parse().ok());
        match file {
            "compose.rs" if is_in_composition(line.expect("a number")) => composing += 1,
            // It has an entry for each widget that is never released.
            "compose.rs" | "layout_index.rs" => {}
            _ => panic!("{annotation}"),
        }
    }
    assert!(composing > 0, "{stdout}");
}
