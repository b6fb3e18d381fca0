//! `heaplens check` and baselines.

use std::fs;
use std::path::Path;

use crate::check::{check_in, checked, code, failure_of, quiet_run, text};
use crate::fixture::*;
use crate::suspects::HOLD;
use tempfile::tempdir;

const OTHER: &str = "shop::other@/w/shop/src/other.rs:3";

/// A run in which two owners hold so many bytes.
fn run(folder: &Path, hold: i64, other: i64) {
    for minute in 1..=8 {
        let snapshot = Fixture::new(minute)
            .site(&[MAIN, HOLD], hold, 5)
            .site(&[MAIN, OTHER], other, 5)
            .build(true);
        write(&snapshot, &folder.join(format!("{minute}.json.gz")));
    }
}

#[test]
fn a_baseline_holds_to_the_byte_and_goes_down_only() {
    let folder = tempdir().unwrap();
    let here = folder.path();
    let held_to = |hold, other| {
        run(here, hold, other);
        checked(here, &[".", "--baseline", "base.toml"])
    };
    let save = |hold, other, more: &[&str]| {
        run(here, hold, other);
        let output = check_in(
            here,
            [&[".", "--save-baseline", "base.toml"], more].concat(),
        );
        assert_eq!(code(&output), 0, "{output:?}");
        text(&output.stderr).to_owned()
    };
    assert_eq!(save(1000, 500, &[]), "");
    let first = fs::read_to_string(here.join("base.toml")).unwrap();
    assert!(
        first.ends_with(
            "total = { live = 1500.0, growth = 0.0, peak = 1500.0, allocated = 3000.0 }\n\n\
             [program.\"shop\".owner]\n\
             \"shop::other\" = { live = 500.0, growth = 0.0, peak = 500.0, allocated = 1000.0 }\n\
             \"shop::pool::hold\" = { live = 1000.0, growth = 0.0, peak = 1000.0, allocated = 2000.0 }\n"
        ),
        "{first}"
    );
    assert_eq!(held_to(1000, 500).0, 0);
    assert_eq!(held_to(900, 500).0, 0);
    let (code, document) = held_to(1001, 400);
    assert_eq!(code, 1);
    let failure = failure_of(&document, "baseline");
    assert_eq!(failure["owner"]["function"], "shop::pool::hold");
    assert_eq!(
        (&failure["measured"], &failure["limit"]),
        (&1001.0.into(), &1000.0.into())
    );

    // One up, one down: what is up stays where it was.
    let note = save(900, 600, &[]);
    assert!(
        note.contains("3 numbers of `shop` would go up and stay: --raise lets them"),
        "{note}"
    );
    assert_eq!(held_to(900, 500).0, 0);
    assert_eq!(held_to(901, 500).0, 1);
    assert_eq!(held_to(900, 501).0, 1);
    save(2000, 2000, &["--raise"]);
    assert_eq!(held_to(2000, 2000).0, 0);

    fs::write(
        here.join("heaplens.toml"),
        "[baseline]\ntolerance = \"10 %\"\n",
    )
    .unwrap();
    assert_eq!(held_to(2200, 2000).0, 0);
    assert_eq!(held_to(2201, 2000).0, 1);
}

#[test]
fn estimates_are_held_to_a_baseline_outside_of_their_noise() {
    let folder = tempdir().unwrap();
    let here = folder.path();
    let run = |bytes| {
        for minute in 1..=8 {
            let sampled = Fixture::new(minute)
                .site(&[MAIN, HOLD], bytes, 5)
                .sampled(1e12)
                .with(|snapshot| snapshot.sites.total_bytes = vec![1])
                .build(true);
            write(&sampled, &here.join(format!("{minute}.json.gz")));
        }
    };
    run(8 << 20);
    assert_eq!(
        code(&check_in(here, [".", "--save-baseline", "base.toml"])),
        0
    );
    // Of the baseline 8 MiB · 512 KiB, of the run 1e12: a standard deviation of 2.3 MB.
    for (bytes, expected) in [((8 << 20) + 6_000_000, 0), ((8 << 20) + 9_000_000, 1)] {
        run(bytes);
        let (code, document) = checked(here, &[".", "--baseline", "base.toml"]);
        assert_eq!(code, expected, "{bytes}: {document:#}");
    }
}

#[test]
fn numbers_of_another_kind_do_not_lower_a_baseline() {
    let folder = tempdir().unwrap();
    let here = folder.path();
    run(here, 1000, 500);
    let save = [".", "--save-baseline", "base.toml"];
    assert_eq!(code(&check_in(here, save)), 0);
    for minute in 1..=8 {
        let sampled = Fixture::new(minute)
            .site(&[MAIN, HOLD], 1, 5)
            .sampled(1e12)
            .build(true);
        write(&sampled, &here.join(format!("{minute}.json.gz")));
    }
    let refused = check_in(here, save);
    assert_eq!(code(&refused), 2);
    assert!(
        text(&refused.stderr)
            .contains("`shop` is here with exact numbers, and this run has samples"),
        "{refused:?}"
    );
    assert_eq!(code(&check_in(here, [&save[..], &["--raise"]].concat())), 0);
}

#[test]
fn a_missing_baseline_says_how_to_make_one() {
    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    let output = check_in(folder.path(), [".", "--baseline", "base.toml"]);
    assert_eq!(code(&output), 2);
    assert!(
        text(&output.stderr)
            .starts_with("heaplens: base.toml: there is no baseline here: make one")
            && text(&output.stderr).contains("--save-baseline base.toml"),
        "{output:?}"
    );
    fs::write(folder.path().join("base.toml"), "version = 1\n").unwrap();
    let output = check_in(folder.path(), [".", "--baseline", "base.toml"]);
    assert!(
        text(&output.stderr).contains("does not know the program `shop`"),
        "{output:?}"
    );
    fs::write(folder.path().join("base.toml"), "version = 1\nfoo = 2\n").unwrap();
    let output = check_in(folder.path(), [".", "--baseline", "base.toml"]);
    assert!(
        text(&output.stderr).contains(
            "base.toml: line 2, column 1: unknown field `foo`, expected `version` or `program`"
        ),
        "{output:?}"
    );
}

#[test]
fn packages_have_a_file_each() {
    let folder = tempdir().unwrap();
    let here = folder.path();
    quiet_run(&folder, 8);
    for minute in 1..=8 {
        Fixture::new(minute)
            .site(&[MAIN, HOLD], 1_000, 5)
            .with(|snapshot| snapshot.header.program.executable = "/t/till".into())
            .write(&folder, &format!("till-{minute}.json.gz"));
    }
    let one = check_in(here, [".", "--save-baseline", "base.toml"]);
    assert_eq!(code(&one), 2);
    assert!(
        text(&one.stderr).contains(
            "packages shop and till need a baseline each: name a folder for them, base.toml/"
        ),
        "{one:?}"
    );
    assert_eq!(
        code(&check_in(here, [".", "--save-baseline", "memory/"])),
        0
    );
    let mut names: Vec<_> = fs::read_dir(here.join("memory"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["shop.toml", "till.toml"]);
    assert_eq!(code(&check_in(here, [".", "--baseline", "memory"])), 0);
}
