//! Ten seconds with a snapshot at every fifth part of one: all of them where there is room, and
//! what is kept where there is not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use heaplens::snapshot::{FileName, Limits, Reason, read};
use tempfile::tempdir;

use crate::build::{PLAIN, Program};
use crate::run::snapshots_of;

/// Live bytes of the program in the middle of its run.
const PEAK: i64 = 16 << 20;
/// Files that are left of the run with few files.
const FEW: u64 = 20;
/// Bytes that are left of the run with little room.
const LITTLE: u64 = 20 << 10;

type Files = BTreeMap<FileName, PathBuf>;

#[test]
fn snapshots_of_ten_seconds() {
    let program = Program::build("pulse", &PLAIN);
    let folders = [(); 3].map(|()| tempdir().expect("a temporary folder"));
    let run = |folder: &Path, limits: &[(&str, &str)]| {
        let settings = [&[("HEAPLENS_INTERVAL", "200ms")], limits].concat();
        snapshots_of(&program.path, &[], &settings, folder)
    };
    let (few, little) = (FEW.to_string(), LITTLE.to_string());
    thread::scope(|scope| {
        let all = scope.spawn(|| run(folders[0].path(), &[("HEAPLENS_KEEP", "100")]));
        let few = scope.spawn(|| run(folders[1].path(), &[("HEAPLENS_KEEP", &few)]));
        let little = scope.spawn(|| {
            let limits = [("HEAPLENS_KEEP", "100"), ("HEAPLENS_MAX_DISK", &little)];
            run(folders[2].path(), &limits)
        });
        let [all, few, little] = [all, few, little].map(|run| run.join().expect("the run"));
        all_are_there(&all);
        few_span_the_run(&few);
        little_room_spans_the_run(&little, all.values().map(|path| file_bytes(path)).sum());
    });
}

fn sequences(files: &Files) -> Vec<u64> {
    files.keys().map(|name| name.sequence).collect()
}

fn file_bytes(path: &Path) -> u64 {
    fs::metadata(path).expect("a file").len()
}

fn all_are_there(files: &Files) {
    let sequences = sequences(files);
    assert!((45..=51).contains(&sequences.len()), "{sequences:?}");
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>());
    let reasons: Vec<&str> = files.keys().map(|name| name.reason.as_str()).collect();
    let (last, before) = reasons.split_last().expect("snapshots");
    assert_eq!(*last, "exit");
    assert!(
        before.iter().all(|reason| *reason == "interval"),
        "{reasons:?}"
    );
}

/// The first snapshot, the last one, and the peak; returns their numbers.
fn span(files: &Files) -> Vec<u64> {
    let sequences = sequences(files);
    assert_eq!(sequences[0], 1, "{sequences:?}");
    let headers: Vec<_> = files
        .values()
        .map(|path| read(path, &Limits::default()).expect("a snapshot").header)
        .collect();
    let last = headers.last().expect("snapshots");
    assert_eq!(last.reason, Reason::Exit, "{sequences:?}");
    assert!((45..=51).contains(&last.sequence), "{sequences:?}");
    let has_peak = headers
        .iter()
        .any(|header| header.totals.live_bytes >= PEAK);
    assert!(has_peak, "{sequences:?}");
    assert!(last.totals.peak_live_bytes >= PEAK && last.totals.live_bytes < PEAK);
    sequences
}

fn few_span_the_run(files: &Files) {
    let sequences = span(files);
    let last = sequences[sequences.len() - 1];
    assert_eq!(sequences.len() as u64, FEW, "{sequences:?}");
    assert!(
        sequences.ends_with(&(last - 11..=last).collect::<Vec<_>>()),
        "{sequences:?}"
    );
    // Between the first and the newest no part of the run is missing.
    let widest = sequences.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(widest.is_some_and(|gap| gap <= last / 3), "{sequences:?}");
}

fn little_room_spans_the_run(files: &Files, bytes_of_all: u64) {
    assert!(
        bytes_of_all > 2 * LITTLE,
        "the limit would not matter: {bytes_of_all}"
    );
    let sequences = span(files);
    let bytes: u64 = files.values().map(|path| file_bytes(path)).sum();
    assert!(bytes <= LITTLE, "{bytes} bytes in {sequences:?}");
    assert!(bytes > LITTLE / 2, "{bytes} bytes in {sequences:?}");
}
