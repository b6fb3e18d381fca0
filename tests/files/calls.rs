//! Each system call of a snapshot in turn: killed there, failed there, the folder exchanged there.

use crate::processes::{Left, command, files, left, run_in, skip};
use crate::system_calls::{Answer, Call, answer, answered, watch};
use heaplens::snapshot::{self, FileName, Limits};
use heaplens::{Config, Profiler, SnapshotError};
use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

pub(crate) const ROLES: &[(&str, fn())] = &[
    ("kill", is_killed),
    ("fail", fails),
    ("exchange", exchanges),
    ("order", syncs_before_naming),
];

/// The thread is started by the first request, hence as a watched one. Few files, so that some are
/// removed as well.
const SETTINGS: [(&str, &str); 2] = [("HEAPLENS_SIGNAL", "none"), ("HEAPLENS_KEEP", "3")];
/// Which call the process is killed at.
const NTH: &str = "HOST_NTH";
/// What a call fails with.
const FAILURE: &str = "HOST_FAILURE";
/// Exit code of a process that cannot watch system calls.
const IMPOSSIBLE: i32 = 77;
/// More calls than a snapshot makes.
pub(crate) const MANY: u32 = 1_000;

pub(crate) fn step() -> usize {
    match std::env::var("HEAPLENS_STORMS") {
        Ok(size) if size == "full" => 1,
        _ => 7,
    }
}

fn dir() -> PathBuf {
    std::env::var_os("HEAPLENS_DIR")
        .expect("set by the test")
        .into()
}

pub(crate) fn start() -> Profiler {
    let started = watch(|| {
        let profiler = heaplens::start(Config::new()).expect("the profiler starts");
        heaplens::snapshot("first").expect("a snapshot");
        profiler
    });
    started.unwrap_or_else(|| std::process::exit(IMPOSSIBLE))
}

fn is_impossible(left: &Left) -> bool {
    let impossible = left.status.code() == Some(IMPOSSIBLE);
    if impossible {
        skip("seccomp filters with user notification");
    }
    impossible
}

fn is_killed() {
    let _profiler = start();
    heaplens::snapshot("second").expect("a snapshot");
    heaplens::snapshot("third").expect("a snapshot");
    let nth = std::env::var(NTH).expect("set by the test");
    answer(
        nth.parse().expect("a number"),
        |_| true,
        |_| {
            // SAFETY: ends the supervisor's parent, which is this process.
            unsafe { libc::kill(libc::getppid(), libc::SIGKILL) };
            Answer::Never
        },
    );
    heaplens::snapshot("fourth").expect("a snapshot");
    // Its calls are over.
    answered();
}

/// Old files stay, the new one is whole or not there, and the next run clears the rest away.
#[test]
fn killed_at_every_system_call() {
    let mut unfinished = 0;
    for (calls, nth) in (0..MANY).step_by(step()).enumerate() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let nth = nth.to_string();
        let child = command("kill", folder.path(), &SETTINGS)
            .env(NTH, &nth)
            .spawn();
        // Not with its files: one of them may be unfinished.
        let left = left(child.expect("this program starts"), Path::new("/nowhere"));
        if is_impossible(&left) {
            return;
        }
        let names = names(folder.path());
        let has = |ending: &str| names.iter().any(|name| name.ends_with(ending));
        assert!(has(".000001.first.json.gz"), "call {nth}: {names:?}");
        // The third goes when the fourth and the last one are there.
        let newest = has(".000003.third.json.gz") || has(".000004.fourth.json.gz");
        assert!(newest, "call {nth}: {names:?}");
        if left.status.success() {
            assert!(calls > 20 / step(), "{calls} calls make no snapshot");
            assert!(unfinished > 0, "no kill fell into the writing");
            return;
        }
        assert_eq!(left.status.signal(), Some(libc::SIGKILL), "call {nth}");
        unfinished += usize::from(has(".tmp"));
        // All that has a name is sound, and nothing else is left.
        let next = run_in(
            folder.path(),
            "kill",
            &[("HEAPLENS_KEEP", "48"), (NTH, "1000")],
        );
        assert!(next.status.success(), "call {nth}: {:?}", next.own_lines);
        assert!(next.files.len() >= 6, "call {nth}: {:?}", next.reasons());
    }
    panic!("a snapshot never ends");
}

/// Runs the program once more in the same folder, which then holds sound snapshots alone.
pub(crate) fn next_run(folder: &Path) -> BTreeSet<FileName> {
    let left = run_in(folder, "kill", &[("HEAPLENS_KEEP", "48"), (NTH, "1000")]);
    assert!(left.status.success(), "{:?}", left.own_lines);
    left.files.into_keys().collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("the folder");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    entries
        .map(|entry| name(entry).into_string().expect("text"))
        .collect()
}

/// Waiting for one another is no affair of files, and none of these errors is one of it.
fn is_no_wait(call: &Call) -> bool {
    call.number != libc::SYS_futex
}

fn is_write(call: &Call) -> bool {
    call.number == libc::SYS_write
}

/// As a nearly full disk, or a signal: half of what was asked for.
fn half(call: &Call) -> Answer {
    let [file, start, bytes, ..] = call.arguments;
    // SAFETY: the call that this one stands for was to write these bytes and more.
    let written = unsafe { libc::write(file as i32, start as *const _, bytes as usize / 2) };
    Answer::Return(written as i64)
}

fn fail(call: &Call, error: i32) -> Answer {
    if call.number == libc::SYS_close {
        // The system closes a file whatever it says of it.
        // SAFETY: the descriptor is the caller's, which closes it.
        unsafe { libc::close(call.arguments[0] as i32) };
    }
    Answer::Fail(error)
}

/// Its name, which calls count, and what is answered to one of them.
pub(crate) type Failure = (&'static str, fn(&Call) -> bool, fn(&Call) -> Answer);

const FAILURES: [Failure; 7] = [
    ("EIO", is_no_wait, |call| fail(call, libc::EIO)),
    ("ENOSPC", is_no_wait, |call| fail(call, libc::ENOSPC)),
    ("EINTR", is_no_wait, |call| fail(call, libc::EINTR)),
    ("EMFILE", is_no_wait, |call| fail(call, libc::EMFILE)),
    ("EROFS", is_no_wait, |call| fail(call, libc::EROFS)),
    ("ENOSYS", is_no_wait, |call| fail(call, libc::ENOSYS)),
    ("half of a write", is_write, half),
];

/// The one that the test wants of this process.
pub(crate) fn asked_failure(failures: &[Failure]) -> Failure {
    let asked = std::env::var(FAILURE).expect("set by the test");
    let known = failures.iter().find(|(what, ..)| *what == asked);
    *known.expect("a failure")
}

/// One process for all calls: it is to survive each.
fn fails() {
    let (_, counts, with) = asked_failure(&FAILURES);
    let _profiler = start();
    let (mut calls, mut failed) = (0, 0);
    for nth in (0..MANY).step_by(step()) {
        answer(nth, counts, with);
        let result = heaplens::snapshot("failing");
        let Some(call) = answered() else {
            break;
        };
        calls += 1;
        match result {
            Ok(path) => {
                snapshot::read(&path, &Limits::default())
                    .unwrap_or_else(|error| panic!("call {nth}, {call}: {error}"));
            }
            Err(SnapshotError::Write { .. }) => failed += 1,
            Err(error) => panic!("call {nth}, {call}: {error}"),
        }
        let path = heaplens::snapshot("sound")
            .unwrap_or_else(|error| panic!("after call {nth}, {call}: {error}"));
        let sound = snapshot::read(&path, &Limits::default())
            .unwrap_or_else(|error| panic!("after call {nth}, {call}: {error}"));
        let counted = sound.header.losses.snapshots_failed;
        assert_eq!(counted, failed, "call {nth}, {call}");
    }
    println!("{calls} calls, {failed} failed");
    std::process::exit(3);
}

/// The same output and exit code, each failure counted and told, and all files sound.
#[test]
fn failed_at_every_system_call() {
    thread::scope(|scope| {
        for (what, ..) in FAILURES {
            scope.spawn(move || failed_with(what));
        }
    });
}

/// Runs a role in which calls fail: what it has left, and how many it has counted. `None` where system calls cannot
/// be watched.
pub(crate) fn survived(
    role: &str,
    what: &str,
    folder: &Path,
    mode: &str,
) -> Option<(Left, String)> {
    let child = command(role, folder, &SETTINGS)
        .env(FAILURE, what)
        .env("HEAPLENS_MODE", mode)
        .spawn();
    let left = left(child.expect("this program starts"), Path::new("/nowhere"));
    if is_impossible(&left) {
        return None;
    }
    assert_eq!(left.own_lines, Vec::<String>::new(), "{what}");
    assert_eq!(left.status.code(), Some(3), "{what}");
    let mut lines = left.stdout.lines();
    let counted = lines.find(|line| line.ends_with("failed"));
    let counted = counted.expect("a count").to_owned();
    println!("{what}: {counted}");
    Some((left, counted))
}

fn failed_with(what: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some((left, counted)) = survived("fail", what, folder.path(), "sampled") else {
        return;
    };
    let failures = left
        .lines
        .iter()
        .filter(|line| line.contains("cannot write"))
        .count();
    let recoveries = left
        .lines
        .iter()
        .filter(|line| line.ends_with(" again"))
        .count();
    assert_eq!(
        (failures, failures + recoveries),
        (recoveries, left.lines.len()),
        "{:?}",
        left.lines
    );
    assert!(
        counted.ends_with(&format!(" calls, {failures} failed")),
        "{what}: {counted}"
    );
    assert!(!counted.starts_with("0 "), "{what}: {counted}");
    // What could not be removed at first is gone after the next run.
    let next = next_run(folder.path());
    assert!(next.len() > 3, "{what}: {next:?}");
}

/// A name that is given before the file is on disk is refused, and so is the snapshot then.
fn syncs_before_naming() {
    static SYNCED: AtomicBool = AtomicBool::new(false);
    let is_naming = |call: &Call| {
        if call.number == libc::SYS_fsync {
            SYNCED.store(true, Ordering::Relaxed);
        }
        call.number == libc::SYS_renameat2
    };
    let name = |_: &Call| match SYNCED.load(Ordering::Relaxed) {
        true => Answer::Pass,
        false => Answer::Fail(libc::EIO),
    };
    let _profiler = start();
    answer(0, is_naming, name);
    heaplens::snapshot("second").expect("synced first");
    assert_eq!(answered(), Some(libc::SYS_renameat2));
}

#[test]
fn a_file_is_on_disk_before_it_has_its_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let left = run_in(folder.path(), "order", &SETTINGS);
    if !is_impossible(&left) {
        assert!(left.status.success(), "{:?}", left.own_lines);
    }
}

static EXCHANGE: OnceLock<[CString; 3]> = OnceLock::new();

/// Somebody moves the folder away and puts a link to another one in its place.
fn exchange(_: &Call) -> Answer {
    let [dir, moved, other] = EXCHANGE.get().expect("set before").each_ref();
    // SAFETY: the paths end with a zero.
    unsafe {
        assert_eq!(libc::rename(dir.as_ptr(), moved.as_ptr()), 0);
        assert_eq!(libc::symlink(other.as_ptr(), dir.as_ptr()), 0);
    }
    Answer::Pass
}

fn exchanges() {
    let dir = dir();
    let path = |path: &Path| CString::new(path.to_str().expect("text")).expect("no zero");
    let (moved, other) = (dir.with_extension("moved"), dir.with_extension("other"));
    let paths = EXCHANGE.get_or_init(|| [path(&dir), path(&moved), path(&other)]);
    fs::create_dir(&other).expect("a new folder");
    let _profiler = start();
    for nth in (0..MANY).step_by(step()) {
        answer(nth, |_| true, exchange);
        heaplens::snapshot("moving").unwrap_or_else(|error| panic!("call {nth}: {error}"));
        let Some(call) = answered() else {
            break;
        };
        // Where the folder was opened, there the file is, and the others are counted: by path it
        // would be in one, and the other would get fuller and fuller.
        for folder in [&moved, &other] {
            let names = names(folder);
            assert!(names.len() <= 3, "{names:?} after call {call}");
            for name in names {
                assert!(!name.ends_with(".tmp"), "{name} after call {call}");
            }
        }
        fs::remove_file(&dir).expect("the link");
        rename(&paths[1], &paths[0]);
    }
}

fn rename(from: &CStr, to: &CStr) {
    // SAFETY: both end with a zero.
    assert_eq!(unsafe { libc::rename(from.as_ptr(), to.as_ptr()) }, 0);
}

#[test]
fn a_folder_exchanged_at_every_system_call() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("snapshots");
    let other = dir.with_extension("other");
    let left = run_in(&dir, "exchange", &SETTINGS);
    if is_impossible(&left) {
        return;
    }
    assert!(left.status.success(), "{:?}", left.own_lines);
    assert_eq!(left.lines, Vec::<String>::new());
    assert!(left.files.len() <= 3);
    assert!(
        !files(&other).is_empty(),
        "no exchange fell before the opening"
    );
}
