//! Scans that come to nothing: without exact mode, for want of time, and when the program ends.

use crate::processes::children::{children, copies};
use crate::processes::{self, LONG, Left};
use heaplens::snapshot::Reason;
use heaplens::{Config, SnapshotError};
use std::hint::black_box;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;
use std::{fs, thread};

const WHY: &str =
    "only in exact mode are all blocks known: start the program with HEAPLENS_MODE=exact";

pub(crate) fn in_sampled_mode() {
    let _profiler = heaplens::start(Config::new()).expect("heaplens starts");
    for _ in 0..2 {
        let error = heaplens::snapshot_graph().expect_err("sampled mode knows some blocks only");
        assert!(matches!(error, SnapshotError::Scan(_)), "{error:?}");
        assert_eq!(error.to_string(), format!("the heap is not scanned: {WHY}"));
    }
}

/// It is said once, and the last snapshot is there.
pub(crate) fn has_told_why(left: &Left) {
    let line = format!("heaplens: the heap is not scanned: {WHY}; the program runs on");
    assert_eq!(left.lines, [line]);
    assert_eq!(left.reasons(), ["exit"]);
}

/// So many blocks that a scan takes its time.
fn blocks() -> Vec<Box<[u64]>> {
    (0..500_000).map(|at| Box::from([at])).collect()
}

/// A copy that takes too long is ended, and the next one is made as ever.
pub(crate) fn too_slow() {
    let _profiler = heaplens::start(Config::new()).expect("heaplens starts");
    let blocks = black_box(blocks());
    let scan = heaplens::scan_within;
    for _ in 0..3 {
        let error = scan(Duration::from_millis(1)).expect_err("nobody is so fast");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
        assert_eq!(error.to_string(), "it was not ready within 1ms");
        assert_eq!(children(), "");
    }
    scan(LONG).expect("there is time");
    drop(black_box(blocks));
}

pub(crate) fn returns_while_it_is_scanned() {
    let _profiler = heaplens::start(Config::new()).expect("heaplens starts");
    let blocks = black_box(blocks());
    stop_a_copy();
    drop(black_box(blocks));
}

pub(crate) fn is_terminated_while_it_is_scanned() {
    let _profiler = heaplens::start(Config::new()).expect("heaplens starts");
    let _blocks = black_box(blocks());
    stop_a_copy();
    // SAFETY: a signal to this process.
    unsafe { libc::raise(libc::SIGTERM) };
    loop {
        thread::sleep(LONG);
    }
}

/// Waits for a scan, and stops its copy of the process: by itself it ends no more.
fn stop_a_copy() {
    loop {
        for copy in copies() {
            // SAFETY: a signal to a process of ours. Nobody waits for it before it has ended.
            unsafe { libc::kill(copy, libc::SIGSTOP) };
            loop {
                let stat = fs::read_to_string(format!("/proc/{copy}/stat")).unwrap_or_default();
                match stat
                    .rsplit(") ")
                    .next()
                    .and_then(|rest| rest.chars().next())
                {
                    Some('T') => return,
                    Some('R' | 'S' | 'D') => thread::yield_now(),
                    // It was too late.
                    _ => break,
                }
            }
        }
        thread::yield_now();
    }
}

/// Whichever way the program ends, the last snapshot is taken at once, and nothing is said of the scan.
pub(crate) fn the_last_snapshot_does_not_wait() {
    let settings = [
        ("HEAPLENS_MODE", "exact"),
        ("HEAPLENS_GRAPH", "1s"),
        ("HEAPLENS_ON_TERM", "1"),
    ];
    for (role, signal) in [("return", None), ("terminate", Some(libc::SIGTERM))] {
        let left = processes::run(role, &settings);
        assert_eq!(left.status.signal(), signal, "{role}: {:?}", left.own_lines);
        assert!(left.lines.is_empty(), "{role}: {:?}", left.lines);
        let last = left.files.values().last().expect("a snapshot");
        assert_eq!(last.header.reason, Reason::Exit, "{role}");
        assert!(last.graph.is_none(), "{role}");
    }
}
