//! Input that cannot be used, and output that nobody reads.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::fixture::*;
use tempfile::tempdir;

#[test]
fn files_that_cannot_be_read_get_one_line() {
    let folder = tempdir().unwrap();
    let whole = std::fs::read(after().write(&folder, "whole.json.gz")).unwrap();
    let newer = Fixture::new(1).build(true);
    let newer = serde_json::to_string(&newer)
        .unwrap()
        .replace("\"format_version\":1", "\"format_version\":9");
    let put = |name: &str, content: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        file
    };
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    for (file, what) in [
        (folder.path().join("absent.json.gz"), "cannot be read"),
        (put("short.json.gz", &whole[..whole.len() / 2]), "cut short"),
        (put("flipped.json.gz", &flipped), "damaged"),
        (
            put("foreign.json", b"{\"a\": 1}"),
            "not a heaplens snapshot",
        ),
        (
            put("picture.png", b"\x89PNG\r\n\x1a\n...."),
            "not a heaplens snapshot",
        ),
        (put("empty.json.gz", b""), ""),
        (put("newer.json", newer.as_bytes()), "version 9"),
        (folder.path().to_owned(), "cannot be read"),
    ] {
        for line in [
            args!["top", file],
            args!["flamegraph", file],
            args!["diff", file, file],
            args!["symbolize", file],
            args!["inspect", file],
        ] {
            let error = failure(&line);
            assert!(error.starts_with(file.to_str().unwrap()), "{error}");
            assert!(error.contains(what), "{line:?}: {error}");
        }
    }
}

#[test]
fn patterns_without_a_match_are_errors() {
    let folder = tempdir().unwrap();
    let error = failure(args!["top", folder.path().join("*.json.gz")]);
    assert!(
        error.ends_with("*.json.gz: no file matches this pattern"),
        "{error}"
    );
}

#[test]
fn places_that_cannot_be_written_are_named() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    let file = folder.path().join("no/such/folder.svg");
    let error = failure(args!["flamegraph", snapshot, "-o", file]);
    assert!(error.contains("no/such/folder.svg"), "{error}");
}

#[test]
fn wrong_usage_is_exit_code_2_and_help_is_0() {
    for line in [
        args!["frobnicate"],
        args!["top"],
        args!["diff", "a"],
        args!["top", "a", "--by", "x"],
        args![],
    ] {
        let output = heaplens(&line);
        assert_eq!(output.status.code(), Some(2), "{line:?}");
        assert!(!output.stderr.is_empty() && output.stdout.is_empty());
    }
    for verb in ["top", "flamegraph", "diff", "symbolize", "inspect"] {
        let help = stdout(args![verb, "--help"]);
        assert!(help.contains("Example"), "{help}");
    }
    assert!(stdout(args!["--version"]).starts_with("heaplens "));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let folder = tempdir().unwrap();
    // More than a pipe holds.
    let mut fixture = Fixture::new(1);
    for site in 0..20_000 {
        let name = format!("shop::f{site}@/w/shop/src/main.rs:{site}");
        fixture = fixture.bare_site(&[&name], 1, 1);
    }
    let snapshot = fixture.write(&folder, "a.json.gz");
    for line in [
        args!["top", snapshot, "-n", "0"],
        args!["top", snapshot, "--format", "json"],
        args!["flamegraph", snapshot],
        args!["flamegraph", snapshot, "--format", "folded"],
    ] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_heaplens"))
            .args(&line)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 16];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .unwrap();
        assert_eq!(stderr, "", "{line:?}");
        assert_eq!(child.wait().unwrap().code(), Some(0), "{line:?}");
    }
}

#[test]
fn there_is_no_progress_in_a_pipe() {
    let folder = tempdir().unwrap();
    let snapshot = after().write(&folder, "a.json.gz");
    assert_eq!(heaplens(args!["top", snapshot]).stderr, b"");
}
