//! `heaplens check` of runs of which not all is known: they never pass.

use std::process::Output;

use std::io::Write;

use crate::check::{check_in, checked, code, quiet_run, text};
use crate::fixture::*;
use crate::http::{Server, ok};
use crate::suspects::{HOLD, shop};
use heaplens::snapshot::{Reason, RecorderMode, Snapshot};
use tempfile::{TempDir, tempdir};

type Spoil = fn(&mut Snapshot);

/// A quiet run of which something keeps a part from being known.
fn spoilt(spoil: Spoil) -> (Output, TempDir) {
    let folder = tempdir().unwrap();
    for minute in 1..=8 {
        let quiet = Fixture::new(minute)
            .site(&[MAIN, HOLD], 4_000_000, 5)
            .with(spoil);
        quiet.write(&folder, &format!("{minute}.json.gz"));
    }
    std::fs::write(
        folder.path().join("heaplens.toml"),
        "[total]\nlive = \"1 GiB\"\n",
    )
    .unwrap();
    (check_in(folder.path(), ["."]), folder)
}

#[test]
fn what_is_not_known_never_passes() {
    let cases: [(Spoil, &str); 8] = [
        (
            |s| s.header.recorder.mode = RecorderMode::Off,
            "HEAPLENS_MODE=off",
        ),
        (|s| s.sites = Default::default(), "`heaplens::profile!()`"),
        (
            |s| s.header.losses.stack_table_full = 3,
            "3 allocations were not recorded",
        ),
        (
            |s| s.header.losses.sample_table_full = 1,
            "table of live samples",
        ),
        (
            |s| s.header.recorder.sampling_off_ms = 5_000,
            "switched off for 5s",
        ),
        (|s| s.header.losses.unmarkable = 1, "alignment"),
        (|s| s.header.losses.reentered = 1, "within the recorder"),
        (
            |s| s.header.losses.snapshots_failed = 1,
            "could not be written",
        ),
    ];
    for (spoil, part) in cases {
        let (output, folder) = spoilt(spoil);
        let stderr = text(&output.stderr);
        assert_eq!(code(&output), 2, "{part}: {stderr}");
        assert!(stderr.contains(part), "{part} in {stderr}");
        assert!(text(&output.stdout).contains("cannot pass: "), "{part}");
        // And is no baseline.
        let saved = check_in(folder.path(), [".", "--save-baseline", "base.toml"]);
        assert_eq!(code(&saved), 2);
        assert!(!folder.path().join("base.toml").exists());
    }
    let (output, _folder) = spoilt(|_| ());
    assert_eq!(code(&output), 0, "{output:?}");
}

/// Behind a loss there may be more, but what is seen is seen.
#[test]
fn a_leak_fails_whatever_is_lost() {
    let folder = tempdir().unwrap();
    for minute in 1..=12 {
        shop(minute)
            .with(|snapshot| snapshot.header.losses.reentered = 1)
            .write(&folder, &format!("{minute:02}.json.gz"));
    }
    assert_eq!(checked(folder.path(), &["."]).0, 1);
}

#[test]
fn a_limit_of_what_is_not_told_does_not_pass() {
    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    std::fs::write(
        folder.path().join("heaplens.toml"),
        "[total]\ngrowth_per_work = 0\n",
    )
    .unwrap();
    let output = check_in(folder.path(), ["."]);
    assert_eq!(code(&output), 2);
    assert!(
        text(&output.stderr).contains("`heaplens::work_done`"),
        "{output:?}"
    );
}

#[test]
fn files_that_cannot_be_read_are_errors_in_folders_too() {
    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    std::fs::write(folder.path().join("torn.json.gz"), "{").unwrap();
    let output = check_in(folder.path(), ["."]);
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("torn.json.gz"), "{output:?}");
    assert_eq!(output.stdout, b"");
}

#[test]
fn what_a_service_lists_and_does_not_give_is_an_error() {
    let folder = tempdir().unwrap();
    let files = quiet_run(&folder, 8);
    let files: Vec<Vec<u8>> = files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect();
    let name = |at: usize| format!("heaplens.shop.20260105T140000.000Z-7.{at:06}.interval.json.gz");
    let start = |broken: Option<usize>| {
        let files = files.clone();
        Server::start(move |head, stream| {
            let asked = (0..files.len()).find(|&at| head.contains(&name(at + 1)));
            let answer = match asked {
                None => {
                    let list: String = (1..=files.len())
                        .map(|at| format!("{} {}\n", files[at - 1].len(), name(at)))
                        .collect();
                    ok(list.as_bytes())
                }
                Some(at) if Some(at) == broken => {
                    b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n".to_vec()
                }
                Some(at) => ok(&files[at]),
            };
            // Whoever has heard enough hangs up.
            let _ = stream.write_all(&answer);
        })
    };
    let whole = start(None);
    let output = check_in(folder.path(), [&whole.url]);
    assert_eq!(code(&output), 0, "{output:?}");
    let broken = start(Some(3));
    let output = check_in(folder.path(), [&broken.url]);
    assert_eq!(code(&output), 2, "{output:?}");
    let error = text(&output.stderr);
    assert!(error.contains("000004") && error.contains("500"), "{error}");
    let partial = check_in(folder.path(), [&broken.url, "--partial"]);
    assert_eq!(code(&partial), 0, "{partial:?}");
}

/// What is left after `main` says nothing of what the program held.
#[test]
fn a_snapshot_at_the_end_alone_measures_neither_live_nor_peak() {
    let folder = tempdir().unwrap();
    Fixture::new(1)
        .site(&[MAIN, HOLD], 4_000, 5)
        .with(|snapshot| snapshot.header.reason = Reason::Exit)
        .write(&folder, "1.json.gz");
    let hold_to = |limit: &str| {
        let budget = format!("[total]\n{limit} = \"1 GiB\"\n");
        std::fs::write(folder.path().join("heaplens.toml"), budget).unwrap();
        check_in(folder.path(), [".", "--report", "x.xml"])
    };
    for limit in ["live", "peak"] {
        let output = hold_to(limit);
        assert_eq!(code(&output), 2, "{output:?}");
        let gap = format!("{limit} is limited, but there is no snapshot before the end");
        assert!(text(&output.stderr).contains(&gap), "{output:?}");
    }
    // What was measured, and holds, passes; the verdict is not among it.
    let output = hold_to("allocated");
    assert_eq!(code(&output), 0, "{output:?}");
    assert!(
        text(&output.stdout).contains("too little data"),
        "{output:?}"
    );
    let junit = std::fs::read_to_string(folder.path().join("x.xml")).unwrap();
    assert!(
        junit.contains("<skipped type=\"undecided\" message=\"too little data"),
        "{junit}"
    );
}

#[test]
fn a_check_that_ends_with_an_error_leaves_no_report_of_an_earlier_one() {
    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    let reports = [
        ".", "-o", "x.txt", "--report", "x.json", "--report", "x.xml",
    ];
    assert_eq!(code(&check_in(folder.path(), reports)), 0);
    std::fs::write(folder.path().join("heaplens.toml"), "x = 1\n").unwrap();
    assert_eq!(code(&check_in(folder.path(), reports)), 2);
    for file in ["x.txt", "x.json", "x.xml"] {
        let report = std::fs::read_to_string(folder.path().join(file)).unwrap();
        assert!(
            report.contains("unknown field `x`") || report.contains("unknown field &"),
            "{report}"
        );
        assert!(!report.contains("shop"), "{report}");
    }
}

#[test]
fn an_older_run_does_not_stand_for_the_newest() {
    let folder = tempdir().unwrap();
    quiet_run(&folder, 8);
    let files: Vec<std::path::PathBuf> = (20..=21)
        .map(|minute| {
            Fixture::new(minute)
                .site(&[MAIN, HOLD], 4_000_000, 5)
                .with(|snapshot| snapshot.header.program.pid = 8)
                .write(&folder, &format!("{minute}.json.gz"))
        })
        .collect();
    std::fs::write(
        folder.path().join("heaplens.toml"),
        "[total]\nlive = \"1 GiB\"\n",
    )
    .unwrap();
    let (code, document) = checked(folder.path(), &["."]);
    assert_eq!(code, 2, "{document:#}");
    let program = &document["programs"][0];
    let gap = program["gaps"][0].as_str().unwrap();
    assert!(
        gap.contains("has 2 of the 5 snapshots") && gap.contains("shop pid 7 "),
        "{gap}"
    );
    let note = program["notes"][0].as_str().unwrap();
    assert!(
        note.starts_with("judged is shop pid 8 ") && note.contains("other runs: shop pid 7 "),
        "{note}"
    );
    // Limits alone are asked for where there is no such run.
    let files: Vec<&str> = files.iter().map(|file| file.to_str().unwrap()).collect();
    assert_eq!(checked(folder.path(), &files).0, 0);
}
