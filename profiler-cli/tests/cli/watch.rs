//! `heaplens watch`, on a terminal and elsewhere.

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::fixture::*;
use tempfile::{TempDir, tempdir};

const ROWS: u16 = 9;
const COLUMNS: u16 = 50;

/// The snapshot of a minute, under the name that its run would give it.
fn snapshot(folder: &TempDir, minute: u64, fixture: Fixture) -> PathBuf {
    let name = format!("heaplens.shop.20260105T140000.000Z-7.{minute:06}.interval.json.gz");
    fixture.write(folder, &name)
}

#[test]
fn growth_counts_from_the_snapshot_before() {
    let folder = tempdir().unwrap();
    snapshot(&folder, 1, before());
    snapshot(&folder, 9, after());
    let at = folder.path();
    let line = args!["watch", at, "--count", "1", "-n", "1"];
    let view = stdout(line);
    let lines: Vec<&str> = view.lines().collect();
    assert_eq!(
        lines[0],
        "shop pid 7 on pod-a, up 9m, seen 2026-01-05 14:09:00 UTC"
    );
    assert!(
        lines[1].starts_with("live          10.5 MiB      +1.2 MiB/min  in 9,110"),
        "{view}"
    );
    let owner = lines.iter().find(|line| line.contains("shop::compose"));
    let owner = owner.unwrap_or_else(|| panic!("{view}"));
    assert!(
        owner
            .trim_start()
            .starts_with("+9.5 MiB  +1.2 MiB/min  9.5 MiB"),
        "{view}"
    );
    // The cache shrinks, and what is gone does not grow.
    assert!(
        !view.contains("shop::cache") && !view.contains("warm_up"),
        "{view}"
    );
    assert!(!view.contains('\u{1b}'), "{view}");

    let same = stdout(args![
        "watch",
        at,
        "--count",
        "2",
        "--interval",
        "1ms",
        "-n",
        "1"
    ]);
    assert_eq!(same, format!("{view}\n{view}"), "there is nothing new");

    let of_all = stdout(args!["watch", at, "--count", "1", "-n", "0"]);
    assert_eq!(of_all, view, "one owner has grown, and 0 stands for all");
}

#[test]
fn what_cannot_be_watched_is_told_at_once() {
    let folder = tempdir().unwrap();
    let error = failure(args!["watch", folder.path()]);
    assert!(
        error.ends_with("no snapshots in this folder yet"),
        "{error}"
    );
    let error = failure(args!["watch", folder.path().join("absent")]);
    assert!(error.contains("No such file"), "{error}");
    for (interval, what) in [
        ("0s", "must be longer than no time"),
        ("fast", "not a time such as 100ms"),
        ("100000years", "not a time such as 100ms"),
    ] {
        let line = args!["watch", folder.path(), "--interval", interval];
        let stderr = String::from_utf8(heaplens(line).stderr).unwrap();
        assert!(stderr.contains(what), "{stderr}");
    }
}

/// Both ends of a terminal of a fixed size.
fn terminal() -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let size = libc::winsize {
        ws_row: ROWS,
        ws_col: COLUMNS,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the call fills in two descriptors and reads the size; names and modes are not asked for.
    let opened = unsafe {
        libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    assert_eq!(opened, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both are fresh and nobody else's.
    unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

#[test]
fn a_terminal_is_drawn_over_and_left_as_it_should_be() {
    let folder = tempdir().unwrap();
    snapshot(&folder, 1, before());
    let name = "x".repeat(200);
    let long = format!("shop::{name}@/w/shop/src/main.rs:1");
    let mut grown = after().site(&[MAIN, &long], 20_000_000, 1);
    // More owners than there are rows.
    for owner in 0..ROWS {
        let owner = format!("shop::owner{owner}@/w/shop/src/main.rs:1");
        grown = grown.site(&[MAIN, &owner], 1_000, 1);
    }
    snapshot(&folder, 9, grown);
    let (mut ours, theirs) = terminal();
    let mut child = Command::new(env!("CARGO_BIN_EXE_heaplens"))
        .args(["watch", "--interval", "20ms"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(theirs)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = String::new();
    let mut bytes = [0; 4096];
    // Three views, which are drawn over one another.
    while seen.matches("\u{1b}[J").count() < 2 {
        let read = ours.read(&mut bytes).unwrap();
        seen += str::from_utf8(&bytes[..read]).unwrap();
    }
    // SAFETY: the process is ours, and has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGINT));

    let rows = usize::from(ROWS) - 1;
    let erase = format!("\r\u{1b}[{rows}A\u{1b}[J");
    let views: Vec<&str> = seen.split(&*erase).collect();
    assert!(views.len() >= 3, "{seen:?}");
    // The last one may have been read in part.
    for view in &views[..views.len() - 1] {
        assert!(!view.contains('\u{1b}'), "no other mode is set: {view:?}");
        let lines: Vec<&str> = view.lines().collect();
        assert_eq!(lines.len(), rows, "{view:?}");
        let widest = lines.iter().map(|line| line.chars().count()).max();
        assert_eq!(widest, Some(COLUMNS.into()), "{view:?}");
        assert!(view.ends_with('\n'), "the cursor stands below: {view:?}");
    }
}
