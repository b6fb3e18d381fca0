//! What an assertion that fails says and leaves behind. The failing tests run in processes of their own.

use heaplens::snapshot::{Limits, Reason, read};
use heaplens::testing::{
    Scope, assert_allocations, assert_no_growth, assert_peak, assert_retained,
};
use std::path::Path;
use std::process::Command;

/// Runs one of the tests below, which must fail, and returns what it prints.
fn failing(name: &str, folder: &Path) -> String {
    failing_test(&format!("failures::{name}"), folder)
}

/// The same with one from any module.
pub(crate) fn failing_test(name: &str, folder: &Path) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored"])
        .env("HEAPLENS_DIR", folder)
        .env_remove("RUST_BACKTRACE")
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success(), "{stdout}");
    assert!(stdout.contains("0 passed; 1 failed"), "{stdout}");
    stdout
}

/// Where the one line of this file that begins like this is.
fn place(start: &str) -> String {
    let mut lines = include_str!("failures.rs").lines().enumerate();
    let found = lines.find(|(_, line)| line.trim_start().starts_with(start));
    format!("tests/scopes/failures.rs:{}", found.unwrap().0 + 1)
}

#[inline(never)]
fn remember(sizes: &[usize]) -> Vec<Vec<u8>> {
    let mut memory = Vec::with_capacity(sizes.len());
    for size in sizes {
        memory.push(Vec::with_capacity(*size));
    }
    memory
}

#[test]
#[ignore = "fails, to be looked at by another test"]
fn retains() {
    let scope = Scope::begin();
    let memory = remember(&[1_000_000, 234_567]);
    drop(vec![0_u8; 5_000_000]);
    assert_retained!(scope.end() <= 1 MiB, "after {} blocks", memory.len());
}

#[test]
fn a_leak_is_named_with_its_line_and_can_be_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let text = failing("retains", folder.path());
    let pushed = place("memory.push(");
    let remembered = place("let memory = remember(");
    let asserted = place("assert_retained!(scope.end() <= 1 MiB");
    for part in [
        "after 2 blocks: retained: 1,234,615 bytes, and not at most 1,048,576 bytes",
        "allocated 6,234,615 bytes in 4 blocks, freed 5,000,000 bytes in 1 block, retained \
         1,234,615 bytes in 3 blocks, at most 6,234,615 bytes at a time",
        "1,234,567 bytes in 2 blocks retained, the largest block 1,000,000 bytes, by",
        &format!("    scopes::failures::remember ({pushed})\n"),
        &format!("    scopes::failures::retains ({remembered})\n48 bytes in 1 block retained"),
        &format!("panicked at {asserted}:5"),
    ] {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    assert!(!text.contains("alloc::"), "{text}");

    let command = "To draw it: heaplens flamegraph '";
    let (_, file) = text.split_once(command).unwrap();
    let (file, rest) = file.split_once('\'').unwrap();
    assert!(rest.starts_with(" -o retained.svg\n"), "{rest}");
    assert!(file.ends_with(".000001.failures-retains.json.gz"), "{file}");
    let snapshot = read(file, &Limits::default()).unwrap();
    assert_eq!(snapshot.header.reason, Reason::Request);
    assert_eq!(snapshot.header.label.as_deref(), Some("failures::retains"));
    let totals = &snapshot.header.totals;
    assert_eq!((totals.live_bytes, totals.live_count), (1_234_615, 3));
    assert_eq!((totals.total_bytes, totals.total_count), (6_234_615, 4));
    assert_eq!(totals.peak_live_bytes, 6_234_615);
    let command = "heaplens flamegraph";
    assert_eq!(text.matches(command).count(), 1);
}

#[test]
#[ignore = "fails, to be looked at by another test"]
fn peaks() {
    assert_peak!(|| drop(remember(&[300, 5_000])) <= 5 kB);
}

#[test]
#[ignore = "fails, to be looked at by another test"]
fn allocates() {
    assert_allocations!(|| remember(&[1]) == 3);
}

#[test]
#[ignore = "fails, to be looked at by another test"]
fn grows() {
    let mut kept = Vec::with_capacity(1_000);
    assert_no_growth(20, || kept.extend(remember(&[8])));
}

#[test]
fn each_assertion_says_what_it_has_found() {
    let folder = tempfile::tempdir().unwrap();
    let growing = place("assert_no_growth(20");
    for (name, parts) in [
        (
            "peaks",
            &[
                "peak: 5,348 bytes, and not at most 5,000 bytes",
                "5,300 bytes in 2 blocks allocated, the largest block 5,000 bytes, by",
                "To list it: heaplens top --sort total '",
                &format!("panicked at {}:5", place("assert_peak!(")),
            ][..],
        ),
        (
            "allocates",
            &[
                "allocations: 2, and not exactly 3",
                &format!("panicked at {}:5", place("assert_allocations!(")),
            ],
        ),
        (
            "grows",
            &[
                "grew by 160 bytes in 20 runs, after 10 to warm up: 8 bytes a run",
                "160 bytes in 20 blocks retained, the largest block 8 bytes, by",
                &format!("    scopes::failures::grows ({growing})\n"),
                &format!("panicked at {growing}:5"),
            ],
        ),
    ] {
        let text = failing(name, folder.path());
        for part in parts {
            assert!(text.contains(part), "{name}: no {part:?} in {text}");
        }
    }
    let files = folder.path().read_dir().unwrap();
    assert_eq!(files.count(), 3);
}

#[test]
#[ignore = "fails, to be looked at by another test"]
fn unwritable() {
    assert_retained!(Scope::measure(|| remember(&[1])).1 == 0);
}

#[test]
fn a_folder_that_cannot_be_written_is_said() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = failing("unwritable", file.path());
    assert!(
        text.contains("retained: 25 bytes, and not exactly 0 bytes"),
        "{text}"
    );
    assert!(
        text.contains("No snapshot of it could be written: "),
        "{text}"
    );
}

/// A test, ignored or not, fails in sampled mode and says what to do. The mode is fixed before `main`, so another
/// one is another process's.
pub(crate) fn needs_exact_mode(test: &str) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored"])
        .env("HEAPLENS_MODE", "sampled")
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success(), "{stdout}");
    assert!(
        stdout.contains("take HEAPLENS_MODE out of the environment"),
        "{stdout}"
    );
}

#[test]
fn another_mode_is_no_ground_for_a_scope() {
    needs_exact_mode("ends::assertions_that_hold");
}
