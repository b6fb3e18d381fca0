//! The profiler from start to end, in processes of its own: when snapshots are taken, what is said
//! on stderr, and what a process leaves behind however it ends.
//!
//! Each test starts this program again to run one of the functions in `roles`.

mod processes;

use heaplens::snapshot::{self, FileName, Reason, Snapshot};
use heaplens::{Allocator, Config, Profiler, SnapshotError, StartError};
use processes::{LONG, MS, command, files, run, run_in, wait_until};
use std::alloc::System;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System, Config::new());

#[test]
#[ignore = "what the other tests run in processes of their own"]
fn role() {
    assert!(processes::play(roles::ALL), "started by another test");
}

mod roles {
    use super::*;

    pub(super) const ALL: &[(&str, fn())] = &[
        ("return", returns),
        ("panic", panics),
        ("exit", exits),
        ("exit from another thread", exits_from_another_thread),
        ("exit while a thread panics", exits_while_a_thread_panics),
        ("forget the guard", forgets_the_guard),
        ("sleep", sleeps),
        ("stay", stays),
        ("ask", asks),
        ("start twice", starts_twice),
        ("bad config", bad_config),
        ("signal", signals),
        ("own handler", handles_the_signal_itself),
        ("recover", recovers),
        ("off", is_off),
        ("fork", forks),
        ("closed stderr", closes_stderr),
        ("ask in many threads", asks_in_many_threads),
        ("count threads", counts_threads),
    ];

    fn start() -> Profiler {
        heaplens::start(Config::new()).expect("the profiler starts")
    }

    /// Heaplens' threads in this process.
    fn threads() -> usize {
        let tasks = fs::read_dir("/proc/self/task").expect("/proc is mounted");
        tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .filter(|name| name.starts_with("heaplens"))
            .count()
    }

    fn counts_threads() {
        let _profiler = start();
        if std::env::var("HEAPLENS_SIGNAL").as_deref() == Ok("none") {
            thread::sleep(50 * MS);
            assert_eq!(threads(), 0);
        } else {
            // It gives itself its name.
            wait_until("the thread", || threads() == 1);
        }
        heaplens::snapshot("asked").expect("a snapshot");
        assert_eq!(threads(), 1);
    }

    fn returns() {
        let _profiler = start();
    }

    fn panics() {
        let _profiler = start();
        panic!("as it should");
    }

    fn exits() {
        let _profiler = start();
        std::process::exit(3);
    }

    fn exits_from_another_thread() {
        let _profiler = start();
        let _ = thread::spawn(|| std::process::exit(3)).join();
    }

    fn exits_while_a_thread_panics() {
        let _profiler = start();
        thread::spawn(|| panic!("caught by join"))
            .join()
            .expect_err("it panicked");
        std::process::exit(3);
    }

    fn forgets_the_guard() {
        std::mem::forget(start());
    }

    fn sleeps() {
        let _profiler = start();
        thread::sleep(3_000 * MS);
    }

    fn stays() {
        let _profiler = start();
        thread::sleep(LONG);
    }

    fn asks() {
        assert!(matches!(
            heaplens::snapshot("x"),
            Err(SnapshotError::NotStarted)
        ));
        heaplens::work_done(40);
        let profiler = start();
        heaplens::work_done(2);
        let path = heaplens::snapshot("After warm-up!").expect("a snapshot");
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("text");
        assert!(name.ends_with(".000001.after-warm-up.json.gz"), "{name}");
        assert!(path.is_absolute() && path.exists());
        drop(profiler);
        assert!(matches!(
            heaplens::snapshot("late"),
            Err(SnapshotError::Ended)
        ));
    }

    fn starts_twice() {
        let _profiler = start();
        assert!(matches!(
            heaplens::start(Config::new()),
            Err(StartError::AlreadyStarted)
        ));
    }

    fn bad_config() {
        let refused = heaplens::start(Config::new().keep(0));
        assert!(matches!(refused, Err(StartError::OutOfRange { .. })));
        let refused = heaplens::start(Config::new().mode(heaplens::Mode::Exact));
        assert!(matches!(refused, Err(StartError::Fixed { .. })));
        assert!(heaplens::start_from_macro(&Config::new().keep(0)).is_none());
        // A start that was refused is no start.
        drop(start());
    }

    fn raise(signal: i32) {
        // SAFETY: sends a signal to this thread.
        assert_eq!(unsafe { libc::raise(signal) }, 0);
    }

    fn signals() {
        let _profiler = start();
        raise(libc::SIGUSR2);
        let dir = std::env::var_os("HEAPLENS_DIR").expect("set by the test");
        wait_until("the snapshot", || {
            let names = fs::read_dir(&dir).into_iter().flatten();
            names.flatten().any(|entry| {
                entry
                    .file_name()
                    .to_str()
                    .is_some_and(|name| name.contains(".signal.json"))
            })
        });
    }

    extern "C" fn handler(_: i32) {}

    fn handles_the_signal_itself() {
        let handler = handler as extern "C" fn(i32) as libc::sighandler_t;
        // SAFETY: the handler does nothing.
        unsafe { libc::signal(libc::SIGUSR2, handler) };
        let _profiler = start();
        raise(libc::SIGUSR2);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::signal(libc::SIGUSR2, handler) }, handler);
    }

    fn recovers() {
        let dir = std::env::var_os("HEAPLENS_DIR").expect("set by the test");
        fs::write(&dir, "in the way").expect("a file");
        let _profiler = start();
        thread::sleep(300 * MS);
        for _ in 0..3 {
            assert!(matches!(
                heaplens::snapshot("x"),
                Err(SnapshotError::Write { .. })
            ));
        }
        fs::remove_file(&dir).expect("the file");
        heaplens::snapshot("better").expect("a snapshot");
    }

    fn is_off() {
        let _profiler = start();
        assert!(matches!(heaplens::snapshot("x"), Err(SnapshotError::Off)));
    }

    fn forks() {
        let _profiler = start();
        heaplens::snapshot("before").expect("a snapshot");
        // SAFETY: the child only does what it may after a fork of a threaded process: heaplens'
        // functions, which return at once there, and an exit.
        unsafe {
            let child = libc::fork();
            if child == 0 {
                let refused = heaplens::snapshot("in the child");
                let again = heaplens::start(Config::new());
                let right = matches!(refused, Err(SnapshotError::ForkedChild))
                    && matches!(again, Err(StartError::ForkedChild));
                // Runs the exit handlers.
                libc::exit(if right { 7 } else { 8 });
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
            assert!(libc::WIFEXITED(status));
            assert_eq!(libc::WEXITSTATUS(status), 7);
        }
        heaplens::snapshot("after").expect("a snapshot");
    }

    fn closes_stderr() {
        // SAFETY: nothing else here owns the descriptor.
        unsafe { libc::close(libc::STDERR_FILENO) };
        drop(start());
        std::process::exit(3);
    }

    fn asks_in_many_threads() {
        let _profiler = start();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| heaplens::snapshot("one of many").expect("a snapshot"));
            }
        });
    }
}

#[test]
fn every_end_leaves_one_last_snapshot() {
    for (role, code, reason) in [
        ("return", 0, Reason::Exit),
        ("panic", 101, Reason::Panic),
        ("exit", 3, Reason::Exit),
        ("exit from another thread", 3, Reason::Exit),
        ("exit while a thread panics", 3, Reason::Exit),
        ("forget the guard", 0, Reason::Exit),
    ] {
        let left = run(role, &[]);
        assert_eq!(left.status.code(), Some(code), "{role}");
        assert_eq!(left.reasons(), [reason.slug()], "{role}");
        assert_eq!(
            left.files.values().next().expect("one").header.reason,
            reason
        );
        assert_eq!(left.lines, Vec::<String>::new(), "{role}");
    }
}

#[test]
fn a_thread_is_started_when_it_is_needed() {
    for signal in ["none", "USR1"] {
        let left = run("count threads", &[("HEAPLENS_SIGNAL", signal)]);
        assert!(left.status.success(), "{signal}: {:?}", left.lines);
        assert_eq!(left.reasons(), ["asked", "exit"]);
    }
    let left = run("return", &[("HEAPLENS_SIGNAL", "none")]);
    assert_eq!(left.reasons(), ["exit"]);
    let left = run("exit", &[("HEAPLENS_SIGNAL", "none")]);
    assert_eq!(left.reasons(), ["exit"]);
}

#[test]
fn regular_snapshots_keep_to_their_times() {
    let left = run(
        "sleep",
        &[("HEAPLENS_INTERVAL", "50ms"), ("HEAPLENS_KEEP", "100")],
    );
    let regular: Vec<&Snapshot> = left
        .files
        .values()
        .filter(|snapshot| snapshot.header.reason == Reason::Interval)
        .collect();
    // 59 or 60 where nothing else runs; the rest is for busy machines.
    assert!(
        (30..=60).contains(&regular.len()),
        "{} snapshots",
        regular.len()
    );
    let sequences: Vec<u64> = left.files.keys().map(|name| name.sequence).collect();
    assert_eq!(sequences, (1..=left.files.len() as u64).collect::<Vec<_>>());
    // One for each time on the schedule at most, and never early: then there is no drift.
    let slots: Vec<u64> = regular
        .iter()
        .map(|snapshot| snapshot.header.uptime_ms / 50)
        .collect();
    assert!(slots[0] >= 1);
    assert!(slots.windows(2).all(|pair| pair[0] < pair[1]), "{slots:?}");
}

#[test]
fn a_snapshot_on_request() {
    let left = run("ask", &[]);
    assert!(left.status.success());
    assert_eq!(left.reasons(), ["after-warm-up", "exit"]);
    let header = &left.files.values().next().expect("the first").header;
    assert_eq!(header.reason, Reason::Request);
    assert_eq!(header.label.as_deref(), Some("After warm-up!"));
    assert_eq!(header.work_done, 42);
    assert!(header.memory.rss_bytes > Some(100 << 10));
    assert!(header.program.executable.contains("life_cycle"));
    assert_eq!(
        header.program.started,
        snapshot::rfc3339(header.program.started_unix_ms)
    );
}

#[test]
fn many_requests_each_get_a_file() {
    let left = run("ask in many threads", &[]);
    assert!(left.status.success());
    assert_eq!(left.files.len(), 9);
}

#[test]
fn a_snapshot_by_signal() {
    let left = run("signal", &[]);
    assert!(left.status.success());
    assert_eq!(left.reasons(), ["signal", "exit"]);
}

#[test]
fn a_handler_of_the_program_stays() {
    let left = run("own handler", &[]);
    assert!(left.status.success());
    assert_eq!(left.reasons(), ["exit"]);
    assert_eq!(left.lines.len(), 1, "{:?}", left.lines);
    assert!(
        left.lines[0].contains("signal USR2 takes no snapshots"),
        "{}",
        left.lines[0]
    );
    assert_eq!(
        run("own handler", &[("HEAPLENS_SIGNAL", "none")])
            .lines
            .len(),
        0
    );
}

#[test]
fn only_one_start_counts() {
    assert!(run("start twice", &[]).status.success());
    let left = run("bad config", &[]);
    assert!(left.status.success());
    assert_eq!(left.reasons(), ["exit"]);
    assert_eq!(
        left.lines,
        ["heaplens: not profiling: keep is out of range: at least 1 file"]
    );
}

#[test]
fn bad_settings_are_told_once_and_do_no_harm() {
    let left = run(
        "return",
        &[
            ("HEAPLENS_MODE", "sometimes"),
            ("HEAPLENS_KEEP", "0"),
            ("HEAPLENS_SIGNAL", "KILL"),
            ("HEAPLENS_INTERVALL", "1s"),
            ("HEAPLENS_TEST_TOOLS", "require"),
        ],
    );
    assert!(left.status.success());
    assert_eq!(left.reasons(), ["exit"]);
    let mut lines = left.lines;
    lines.sort();
    assert_eq!(
        lines,
        [
            "heaplens: HEAPLENS_INTERVALL is not a setting: did you mean HEAPLENS_INTERVAL?",
            "heaplens: HEAPLENS_KEEP=\"0\" is ignored: it takes a number of files, at least 1",
            "heaplens: HEAPLENS_MODE=\"sometimes\" is ignored: it takes off, sampled or exact",
            "heaplens: HEAPLENS_SIGNAL=\"KILL\" is ignored: it takes USR1, USR2, HUP, QUIT, WINCH or none",
        ]
    );
}

#[test]
fn a_closed_stderr_does_no_harm() {
    let left = run("closed stderr", &[("HEAPLENS_KEEP", "0")]);
    assert_eq!(left.status.code(), Some(3));
    assert_eq!(left.reasons(), ["exit"]);
}

#[test]
fn a_folder_that_cannot_be_written_gets_one_line() {
    let left = run_in(
        Path::new("/proc/no/such/folder"),
        "sleep",
        &[("HEAPLENS_INTERVAL", "50ms")],
    );
    assert!(left.status.success());
    assert_eq!(left.lines.len(), 1, "{:?}", left.lines);
    assert!(
        left.lines[0].starts_with("heaplens: cannot write a snapshot to /proc/no/such/folder: ")
    );
}

#[test]
fn writing_goes_on_when_it_can() {
    let left = run("recover", &[("HEAPLENS_INTERVAL", "50ms")]);
    assert!(left.status.success());
    assert_eq!(left.lines.len(), 2, "{:?}", left.lines);
    assert!(
        left.lines[1].ends_with("/snapshots again"),
        "{}",
        left.lines[1]
    );
    let first = left.files.values().next().expect("a snapshot");
    assert_eq!(first.header.sequence, 1);
    assert!(first.header.losses.snapshots_failed >= 4);
}

#[test]
fn switched_off_there_is_nothing() {
    let left = run(
        "off",
        &[("HEAPLENS_MODE", "off"), ("HEAPLENS_INTERVAL", "50ms")],
    );
    assert!(left.status.success());
    assert!(left.files.is_empty());
    assert_eq!(left.lines, Vec::<String>::new());
}

#[test]
fn a_forked_child_takes_and_writes_nothing() {
    let left = run("fork", &[]);
    assert!(left.status.success());
    assert_eq!(left.reasons(), ["before", "after", "exit"]);
}

fn start(role: &str, dir: &Path, settings: &[(&str, &str)]) -> Child {
    command(role, dir, settings)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program starts")
}

#[test]
fn killed_and_restarted_nothing_is_overwritten() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut seen: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for round in 1..=3 {
        let mut child = start("stay", dir.path(), &[("HEAPLENS_INTERVAL", "20ms")]);
        let named = |name: &str| FileName::parse(name).is_some();
        let contents = || {
            let entries = fs::read_dir(dir.path()).expect("the folder").flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            names
                .filter(|name| named(name))
                .map(|name| {
                    (
                        name.clone(),
                        fs::read(dir.path().join(name)).expect("a file"),
                    )
                })
                .collect::<BTreeMap<_, _>>()
        };
        wait_until("three snapshots", || contents().len() >= seen.len() + 3);
        child.kill().expect("the child runs");
        child.wait().expect("the child ends");
        let now = contents();
        for (name, content) in &seen {
            assert_eq!(now.get(name), Some(content), "{name} in round {round}");
        }
        seen = now;
    }
    // What the killed ones left unfinished is cleared away, and all that has a name is sound.
    let left = run_in(dir.path(), "return", &[]);
    assert!(left.files.len() >= 10);
}

#[test]
fn processes_that_share_a_folder_leave_each_other_alone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let settings = [("HEAPLENS_INTERVAL", "20ms"), ("HEAPLENS_KEEP", "4")];
    let mut children: Vec<Child> = (0..2)
        .map(|_| start("sleep", dir.path(), &settings))
        .collect();
    for child in &mut children {
        assert!(child.wait().expect("the child ends").success());
    }
    let files = files(dir.path());
    for child in &children {
        let sequences: Vec<u64> = files
            .keys()
            .filter(|name| name.run.pid == child.id())
            .map(|name| name.sequence)
            .collect();
        // The one that ended later may have taken the other's for an earlier run's by then.
        assert!(
            !sequences.is_empty() && sequences.len() <= 4,
            "{sequences:?}"
        );
    }
    assert!(files.keys().any(|name| name.sequence == 1));
    assert!(files.len() <= 8);
}
