//! `heaplens check`: exit codes, budgets, suppressions, and what never passes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::fixture::*;
use crate::suspects::{HOLD, write_run};
use heaplens::snapshot::Reason;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

const LEAKS: &str = "shop::compose::compose_complex";

/// Runs a check in a folder, where nothing else is set.
pub(crate) fn check_in<S: AsRef<std::ffi::OsStr>>(
    folder: &Path,
    args: impl IntoIterator<Item = S>,
) -> Output {
    Command::new(env!("CARGO_BIN_EXE_heaplens"))
        .arg("check")
        .args(args)
        .current_dir(folder)
        .env_remove("GITHUB_STEP_SUMMARY")
        .output()
        .unwrap()
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// Checks as JSON; the exit code and the document.
pub(crate) fn checked(folder: &Path, args: &[&str]) -> (i32, Value) {
    let output = check_in(folder, [args, &["--format", "json"]].concat());
    let document = serde_json::from_slice(&output.stdout);
    (
        code(&output),
        document.unwrap_or_else(|_| panic!("{output:?}")),
    )
}

/// A run in which nothing grows, of so many minutes.
pub(crate) fn quiet_run(folder: &TempDir, minutes: u64) -> Vec<PathBuf> {
    let quiet = |minute| Fixture::new(minute).site(&[MAIN, HOLD], 4_000_000, 5);
    (1..=minutes)
        .map(|minute| quiet(minute).write(folder, &format!("{minute:02}.json.gz")))
        .collect()
}

pub(crate) fn failure_of<'a>(document: &'a Value, kind: &str) -> &'a Value {
    let failures = document["programs"][0]["failures"].as_array().unwrap();
    let found = failures.iter().find(|failure| failure["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {document:#}"))
}

#[test]
fn a_leak_fails_and_its_absence_passes() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=12);
    let (leaks, document) = checked(folder.path(), &["."]);
    assert_eq!((leaks, &document["outcome"]), (1, &"fail".into()));
    let leak = failure_of(&document, "leak");
    assert_eq!(leak["owner"]["function"], LEAKS);
    assert_eq!(leak["owner"]["line"], 142);
    let output = check_in(folder.path(), ["."]);
    let shown = text(&output.stdout);
    assert!(shown.starts_with("FAIL  shop: 1 owner leaks\n"), "{shown}");
    for part in [
        "  leak: shop::compose::compose_complex  /w/shop/src/compose.rs:142\n    leaks +9.8 KiB for each unit of work, ",
        "over 99.9 % sure",
        "      | shop::compose::compose_complex  /w/shop/src/compose.rs:142\n",
        "+8.6 MiB  shop::compose::compose_complex",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("shop::cache::put  "), "{shown}");

    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    let output = check_in(folder.path(), ["."]);
    assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    assert!(text(&output.stdout).starts_with("PASS  shop: no leak: "));
}

#[test]
fn too_few_snapshots_say_how_many_are_needed_unless_there_is_a_budget() {
    let folder = tempdir().unwrap();
    let files = quiet_run(&folder, 2);
    let files = files.iter().map(|file| file.to_str().unwrap());
    let files: Vec<&str> = files.collect();
    let output = check_in(folder.path(), &files);
    assert_eq!(code(&output), 2);
    let line =
        "shop: too little data: 2 snapshots of one run before its end, and a verdict needs 5";
    assert_eq!(text(&output.stderr), format!("heaplens: {line}\n"));
    let (_, document) = checked(folder.path(), &files);
    assert_eq!(document["outcome"], "unknown");
    assert_eq!(document["programs"][0]["snapshots_needed"], 5);

    // One that limits nothing is none.
    let budget = folder.path().join("heaplens.toml");
    std::fs::write(&budget, "[baseline]\ntolerance = \"5 %\"\n").unwrap();
    assert_eq!(code(&check_in(folder.path(), &files)), 2);
    std::fs::write(&budget, "[total]\nlive = \"4 MB\"\n").unwrap();
    assert_eq!(code(&check_in(folder.path(), &files)), 0);
    std::fs::write(&budget, "[total]\nlive = 3_999_999\n").unwrap();
    assert_eq!(code(&check_in(folder.path(), &files)), 1);
}

/// Growth that may be a leak's, in fewer snapshots than tell it from chance.
#[test]
fn what_may_be_a_leak_in_few_snapshots_does_not_pass() {
    let folder = tempdir().unwrap();
    for (minute, megabytes) in [(1, 10), (2, 11), (3, 12), (4, 13), (5, 14)] {
        Fixture::new(minute)
            .site(&[MAIN, COMPOSE], megabytes * 1_000_000, 1_000)
            .write(&folder, &format!("{minute}.json.gz"));
    }
    let (code, document) = checked(folder.path(), &["."]);
    assert_eq!(code, 2, "{document:#}");
    let program = &document["programs"][0];
    assert!(
        program["snapshots_needed"].as_u64().unwrap() > 5,
        "{program:#}"
    );
}

#[test]
fn limits_hold_to_the_byte_for_each_quantity_and_each_owner() {
    let folder = tempdir().unwrap();
    // After warm-up, of minute 1 and 2: composition grows from 3 to 12 MB in 900 units of work.
    write_run(&folder, 1..=12);
    for (key, most) in [
        ("live", 12_000_000),
        ("growth", 9_000_000),
        ("growth_per_work", 10_000),
        ("peak", 12_000_000),
        ("allocated", 12_000_000),
    ] {
        for (limit, is_broken) in [(most, false), (most - 1, true)] {
            let budget =
                format!("[owner.\"shop::compose::*\"]\n{key} = {limit}\nreason = \"so\"\n");
            std::fs::write(folder.path().join("heaplens.toml"), budget).unwrap();
            let (_, document) = checked(folder.path(), &["."]);
            let failures = document["programs"][0]["failures"].as_array().unwrap();
            let broken: Vec<_> = failures.iter().filter(|f| f["kind"] == "limit").collect();
            assert_eq!(
                broken.len(),
                usize::from(is_broken),
                "{key} = {limit}: {document:#}"
            );
            for broken in broken {
                assert_eq!(broken["quantity"], key);
                assert_eq!(broken["owner"]["function"], LEAKS);
                assert_eq!(broken["measured"], f64::from(most));
                assert_eq!(broken["details"][1], "because: so");
            }
        }
    }
}

#[test]
fn estimates_break_a_limit_outside_of_their_noise_alone() {
    let folder = tempdir().unwrap();
    for minute in 1..=8 {
        let sampled = Fixture::new(minute)
            .site(&[MAIN, HOLD], 4_000_000, 5)
            .sampled(1e10);
        sampled.write(&folder, &format!("{minute}.json.gz"));
    }
    let budget = folder.path().join("heaplens.toml");
    // A standard deviation is 100,000 bytes.
    for (limit, expected) in [(3_700_000, 0), (3_680_000, 1)] {
        std::fs::write(&budget, format!("[total]\nlive = {limit}\n")).unwrap();
        let (code, document) = checked(folder.path(), &["."]);
        assert_eq!(code, expected, "{limit}: {document:#}");
    }
}

#[test]
fn the_budget_is_found_upwards_and_packages_differ() {
    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    let below = folder.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let budget = folder.path().join("heaplens.toml");
    std::fs::write(
        &budget,
        "[total]\nlive = 1\n\n[package.shop.total]\nlive = \"4 MB\"\n",
    )
    .unwrap();
    let snapshots = folder.path().to_str().unwrap();
    // Who knows whose it is: there is no repository.
    let (code, document) = checked(&below, &[snapshots]);
    assert_eq!((code, &document["budget"]), (0, &Value::Null));
    let shown = check_in(&below, [snapshots]);
    assert!(text(&shown.stdout).ends_with("no budget\n"), "{shown:?}");
    std::fs::create_dir(folder.path().join("a/.git")).unwrap();
    assert_eq!(checked(&below, &[snapshots]).1["budget"], Value::Null);

    std::fs::create_dir(folder.path().join(".git")).unwrap();
    std::fs::remove_dir(folder.path().join("a/.git")).unwrap();
    let (code, document) = checked(&below, &[snapshots]);
    let named = document["budget"].as_str().unwrap();
    assert_eq!(code, 0);
    assert!(Path::new(named).ends_with("heaplens.toml"), "{named}");
    let shown = check_in(&below, [snapshots]);
    let line = format!("budget: {named}\n");
    assert!(text(&shown.stdout).ends_with(&line), "{shown:?}");
    let (code, document) = checked(&below, &[snapshots, "--package", "till"]);
    assert_eq!(
        (code, &document["programs"][0]["package"]),
        (1, &"till".into())
    );
}

#[test]
fn suppressed_leaks_are_told_and_do_not_fail() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=12);
    let known = folder.path().join("known.supp");
    std::fs::write(&known, "# known\nleak:src/compose.rs$\n").unwrap();
    let (code, document) = checked(folder.path(), &[".", "--suppressions", "known.supp"]);
    assert_eq!(code, 0, "{document:#}");
    let suppressed = &document["programs"][0]["suppressed"][0];
    assert_eq!(suppressed["owner"]["function"], LEAKS);
    assert_eq!(suppressed["pattern"], "src/compose.rs$");
    // Numbers stay what they are.
    let budget = "suppressions = [\"known.supp\"]\n[owner.\"*\"]\ngrowth = 0\n";
    std::fs::write(folder.path().join("heaplens.toml"), budget).unwrap();
    let (code, document) = checked(folder.path(), &["."]);
    assert_eq!(code, 1);
    assert_eq!(failure_of(&document, "limit")["owner"]["function"], LEAKS);

    std::fs::write(&known, "leak:other\n").unwrap();
    std::fs::remove_file(folder.path().join("heaplens.toml")).unwrap();
    assert_eq!(
        checked(folder.path(), &[".", "--suppressions", "known.supp"]).0,
        1
    );
}

#[test]
fn errors_in_files_name_line_and_column_and_what_is_allowed() {
    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    let put = |name: &str, content: &str| {
        std::fs::write(folder.path().join(name), content).unwrap();
    };
    let error = |args: &[&str]| {
        let output = check_in(folder.path(), args);
        assert_eq!(code(&output), 2);
        text(&output.stderr).to_owned()
    };
    put("heaplens.toml", "[total]\nlife = \"1 MiB\"\n");
    let line = error(&["."]);
    assert!(
        line.contains(
            "heaplens.toml: line 2, column 1: unknown field `life`, expected one of `live`"
        ),
        "{line}"
    );
    put("heaplens.toml", "");
    put("other.toml", "[total]\nlive = \"1 elephant\"\n");
    let line = error(&[".", "--budget", "other.toml"]);
    assert!(line.contains("other.toml: line 2, column 8: invalid value: string \"1 elephant\", expected a size such as \"64 KiB\""), "{line}");
    put("known.supp", "leak:a\nb\n");
    let line = error(&[".", "--suppressions", "known.supp"]);
    assert!(
        line.contains("known.supp: line 2, column 1: expected `leak:`"),
        "{line}"
    );
    let line = error(&[".", "--budget", "absent.toml"]);
    assert!(line.contains("absent.toml: "), "{line}");
    let line = error(&[".", "--report", "x.pdf"]);
    assert!(line.contains("x.pdf: its ending tells no format"), "{line}");
}

#[test]
fn of_each_program_the_newest_run_is_checked() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=12);
    for minute in 1..=8 {
        Fixture::new(minute)
            .site(&[MAIN, HOLD], 4_000_000, 5)
            .with(|snapshot| snapshot.header.program.executable = "/t/till-0123456789abcdef".into())
            .write(&folder, &format!("till-{minute}.json.gz"));
    }
    let (code, document) = checked(folder.path(), &["."]);
    assert_eq!(code, 1);
    let programs = document["programs"].as_array().unwrap();
    let outcomes: Vec<_> = programs
        .iter()
        .map(|p| (&p["program"], &p["outcome"]))
        .collect();
    assert_eq!(
        outcomes,
        [
            (&"shop".into(), &"fail".into()),
            (&"till".into(), &"pass".into())
        ]
    );
    let shown = check_in(folder.path(), ["."]);
    assert!(
        text(&shown.stdout).ends_with("2 programs: 1 failed, 1 passed\n"),
        "{shown:?}"
    );
}

/// Between marks a program does something else.
#[test]
fn where_there_are_marks_they_alone_count() {
    let folder = tempdir().unwrap();
    for step in 1..=16_u64 {
        let at_mark = step % 2 == 0;
        let bytes = if at_mark {
            1_000_000
        } else {
            step as i64 * 1_000_000
        };
        Fixture::new(step)
            .site(&[MAIN, COMPOSE], bytes, 5)
            .with(|snapshot| {
                if at_mark {
                    snapshot.header.reason = Reason::Mark;
                }
            })
            .write(&folder, &format!("{step:02}.json.gz"));
    }
    let (code, document) = checked(folder.path(), &["."]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(document["programs"][0]["snapshots"], 8);
    // For the trend: a peak is one wherever it is.
    let budget = folder.path().join("heaplens.toml");
    std::fs::write(&budget, "[owner.\"*\"]\npeak = \"14 MB\"\n").unwrap();
    let (code, document) = checked(folder.path(), &["."]);
    assert_eq!(code, 1, "{document:#}");
    assert_eq!(failure_of(&document, "limit")["measured"], 15e6);
    // And so is a loss behind the last mark.
    std::fs::remove_file(budget).unwrap();
    Fixture::new(17)
        .site(&[MAIN, COMPOSE], 1_000_000, 5)
        .with(|snapshot| snapshot.header.losses.sample_table_full = 1)
        .write(&folder, "17.json.gz");
    let (code, document) = checked(folder.path(), &["."]);
    assert_eq!(code, 2, "{document:#}");
}

#[test]
fn the_exit_code_stays_where_nobody_reads_the_output() {
    let folder = tempdir().unwrap();
    write_run(&folder, 1..=12);
    let mut child = Command::new(env!("CARGO_BIN_EXE_heaplens"))
        .args(["check", ".", "--github", "--report", "report.json"])
        .current_dir(folder.path())
        .env_remove("GITHUB_STEP_SUMMARY")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(folder.path().join("report.json").exists());
}
