//! Each system call of a snapshot with a scan of the heap fails in turn: those of heaplens' thread, of the
//! copies and of the process that stops the threads.

use crate::calls::{Failure, asked_failure, next_run, start, step, survived};
use crate::processes::children::children;
use crate::processes::{be_patient, wait_until};
use crate::system_calls::{Answer, Call, answer, answered};
use heaplens::SnapshotError;
use heaplens::snapshot::{self, Limits};
use std::thread;

pub(crate) const ROLES: &[(&str, fn())] = &[("fail scans", fails)];

/// More calls than a scan makes.
const MOST: u32 = 5_000;

/// A descriptor whose closing fails stays open: it may be one of a copy.
const FAILURES: [Failure; 4] = [
    ("EPERM", is_no_wait, |_| Answer::Fail(libc::EPERM)),
    ("ENOMEM", is_no_wait, |_| Answer::Fail(libc::ENOMEM)),
    ("EINTR", is_no_wait, |_| Answer::Fail(libc::EINTR)),
    ("a wait for a process", is_wait, |_| {
        Answer::Fail(libc::EINTR)
    }),
];

/// How often it is looked whether something is over is no matter of the calls that are made. The last one of a
/// process cannot fail. With memory that is not given back each scan would make more calls than the one before.
fn is_no_wait(call: &Call) -> bool {
    !is_wait(call)
        && ![
            libc::SYS_futex,
            libc::SYS_nanosleep,
            libc::SYS_clock_nanosleep,
            libc::SYS_munmap,
            libc::SYS_exit,
            libc::SYS_exit_group,
        ]
        .contains(&call.number)
}

fn is_wait(call: &Call) -> bool {
    call.number == libc::SYS_wait4
}

/// One process for all calls: it is to survive each.
fn fails() {
    let (_, counts, with) = asked_failure(&FAILURES);
    let _profiler = start();
    let unreached = scan().expect("a scan");
    let (mut calls, mut failed) = (0, 0);
    for nth in (0..MOST).step_by(step()) {
        answer(nth, counts, with);
        let result = scan();
        let Some(call) = answered() else {
            println!("{calls} calls, {failed} failed");
            std::process::exit(3);
        };
        calls += 1;
        match result {
            // A call that has failed is no reason to report a block that is held.
            Ok(told) => assert_eq!(told, unreached, "call {nth}, {call}"),
            Err(SnapshotError::Scan(_) | SnapshotError::Write { .. }) => {
                failed += 1;
                scan().unwrap_or_else(|error| panic!("after call {nth}, {call}: {error}"));
            }
            Err(error) => panic!("call {nth}, {call}: {error}"),
        }
        // The supervisor stays.
        let what = format!("the end of the copies, after call {nth}, {call}");
        wait_until(&what, || children().split_whitespace().count() == 1);
    }
    panic!("a scan never ends");
}

/// Blocks that a scan has found unreached, in a sound file.
fn scan() -> Result<u64, SnapshotError> {
    let path = heaplens::snapshot_graph()?;
    let snapshot = snapshot::read(&path, &Limits::default()).expect("a sound file");
    let graph = snapshot.graph.expect("a graph");
    Ok(graph.sites.unreached_count.iter().sum())
}

#[test]
fn failed_at_every_system_call_of_a_scan() {
    // All calls are done within some minutes.
    be_patient(10);
    thread::scope(|scope| {
        for (what, ..) in FAILURES {
            scope.spawn(move || failed_with(what));
        }
    });
}

fn failed_with(what: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if survived("fail scans", what, folder.path(), "exact").is_some() {
        next_run(folder.path());
    }
}
