//! Profiles that others write: Go's own, and jemalloc's through the crate `jemalloc_pprof`. What their
//! programs hold is known, so what is read of it can be checked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::tempdir;

use crate::build::skip;
use crate::go_tool::{flat, listed};
use crate::run::{args, heaplens, json, row};

const KEPT_BYTES: i64 = 100 * 4096;
const PASSED_BYTES: i64 = 1000 * 1024;

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().expect("it starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {stderr}");
}

fn in_target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn go_itself() {
    let folder = tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("leak.go"), include_str!("source/leak.go")).expect("writing a file");
    let mut build = Command::new("go");
    build
        .args(["build", "-o", "leak", "leak.go"])
        .env("GOCACHE", in_target("go-cache"))
        .env("GO111MODULE", "off")
        .current_dir(folder.path());
    if Command::new("go").arg("version").output().is_err() {
        return skip("go, of golang-go");
    }
    succeeds(&mut build);
    let profile = at("heap.pb.gz");
    succeeds(Command::new(at("leak")).arg(&profile));

    let top = json(args![
        "top", profile, "--by", "function", "--format", "json"
    ]);
    assert_eq!(top["sampled"], false, "a rate of 1 is every block");
    let kept = row(&top, "main.keep");
    assert_eq!(kept["live_bytes"], KEPT_BYTES);
    assert_eq!(kept["live_count"], 100);
    assert_eq!(kept["total_bytes"], KEPT_BYTES);
    assert_eq!(kept["stack"][0]["line"], 18, "{kept:#}");
    assert_eq!(kept["stack"][1]["function"], "main.main");
    let passed = row(&top, "main.pass");
    assert_eq!(passed["live_bytes"], 0);
    assert_eq!(passed["total_bytes"], PASSED_BYTES);
    assert_eq!(passed["total_count"], 1000);

    // Through us and back it is the same.
    let again = at("again.pb.gz");
    let output = heaplens(args!["export", profile, "-o", again]);
    assert!(output.status.success(), "{output:?}");
    for index in ["-sample_index=inuse_space", "-sample_index=alloc_objects"] {
        let [first, second] = [&profile, &again].map(|file| listed(&[index], file));
        let (first, second) = (first.expect("go is here"), second.expect("go is here"));
        assert_eq!(flat(&second), flat(&first), "{index}");
    }
}

const MANIFEST: &str = r#"
[package]
name = "fixture"
version = "0.0.0"
edition = "2024"

[dependencies]
jemalloc_pprof = "0.9"
tikv-jemallocator = { version = "0.7", features = ["profiling", "unprefixed_malloc_on_supported_platforms"] }

[[bin]]
name = "jemalloc"

[workspace]

[profile.dev]
opt-level = 1
debug = "line-tables-only"

[profile.dev.package."*"]
opt-level = 0
debug = false
"#;

/// Debian's jemalloc, which profiles. The crate would build one of its own, for minutes.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/libjemalloc.so";

/// A package of its own, with versions of its own, built once. `None` without jemalloc.
fn jemalloc_program() -> Option<PathBuf> {
    if !Path::new(LIBRARY).exists() {
        skip("jemalloc, of libjemalloc-dev");
        return None;
    }
    let folder = in_target("jemalloc");
    fs::create_dir_all(folder.join("src/bin")).expect("making a folder");
    for (name, content) in [
        ("Cargo.toml", MANIFEST),
        ("Cargo.lock", include_str!("source/jemalloc.lock")),
        ("src/bin/jemalloc.rs", include_str!("source/jemalloc.rs")),
    ] {
        let file = folder.join(name);
        // What has not changed is not built again.
        if fs::read_to_string(&file).ok().as_deref() != Some(content) {
            fs::write(&file, content).expect("writing a file");
        }
    }
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--locked", "--quiet"])
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env("JEMALLOC_OVERRIDE", LIBRARY)
        .env_remove("RUSTFLAGS")
        .current_dir(&folder);
    succeeds(&mut build);
    Some(folder.join("target/debug/jemalloc"))
}

#[test]
fn jemalloc_by_the_crate_that_serves_its_profiles() {
    let Some(program) = jemalloc_program() else {
        return;
    };
    let folder = tempdir().expect("a temporary folder");
    let profile = folder.path().join("heap.pb.gz");
    // One byte is the mean distance between samples: it samples each allocation.
    let mut run = Command::new(&program);
    succeeds(
        run.arg(&profile)
            .env("MALLOC_CONF", "prof:true,prof_active:true,lg_prof_sample:0"),
    );

    // Its addresses are named from the program, by its build id.
    let top = json(args!["top", profile, "--by", "owner", "--format", "json"]);
    let kept = row(&top, "jemalloc::keep");
    assert_eq!(kept["live_bytes"], KEPT_BYTES, "{kept:#}");
    assert_eq!(
        kept["owner"]["file"]
            .as_str()
            .map(|file| file.ends_with("jemalloc.rs")),
        Some(true)
    );
    let frames = kept["stack"].as_array().expect("a stack");
    assert!(
        frames
            .iter()
            .any(|frame| frame["function"] == "jemalloc::main"),
        "{kept:#}"
    );
    // What is freed is in no profile of jemalloc's, and how many blocks there are neither.
    let rows = top["rows"].as_array().expect("rows");
    assert!(
        rows.iter().all(|row| row["name"] != "jemalloc::pass"),
        "{top:#}"
    );
    assert_eq!(kept["live_count"], 0);
    assert_eq!(kept["live_bytes_error"], serde_json::Value::Null);
}
