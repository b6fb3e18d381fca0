//! The ways in which a process ends, and what is kept of its snapshots in each.
//!
//! The rows here are those of the table in `docs/reliability.md`, and the two are compared. Each
//! row is a process of its own, which takes a snapshot, says that it is ready, and ends. Without a
//! harness, so that `main` is the main thread's and its `return` the process's.

mod group;
#[path = "../processes/mod.rs"]
mod processes;
mod roles;
mod rows;
#[path = "../system_calls/mod.rs"]
mod system_calls;

use heaplens::{Allocator, Config};
use processes::{Left, left, skip, wait_until, wrapped};
use rows::{Ends, Place, ROWS, Row};
use std::alloc::System;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System, Config::new());

/// Longest time that heaplens holds up the end.
const CAP: Duration = Duration::from_secs(10);

fn main() {
    if processes::play(roles::ALL) {
        return;
    }
    the_documentation_has_these_rows();
    // Who has started the tests in the background may have had it ignored, for all below as well.
    // SAFETY: no other thread runs yet.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_DFL) };
    // Some of them do nothing but wait.
    const AT_ONCE: usize = 6;
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(row) = ROWS.get(next.fetch_add(1, Ordering::Relaxed)) {
            check(row);
        }
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().expect("each row holds");
        }
    });
    println!("test result: ok. {} passed; 0 failed", ROWS.len() + 1);
}

/// Runs the process of a row, and compares what it leaves with what the row says.
fn check(row: &Row) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let group;
    let wrapper: Vec<String> = match row.place {
        Place::Here => Vec::new(),
        Place::Process1 => words("unshare --pid --fork --kill-child --mount-proc"),
        Place::SmallGroup => {
            let Some(made) = group::Group::new(64 << 20) else {
                return skip("the right to make a control group of memory");
            };
            group = made;
            let mut enter = words("sh -c");
            enter.push("echo $$ > \"$0\" && exec \"$@\"".to_owned());
            enter.push(group.members().display().to_string());
            enter
        }
    };
    if row.place == Place::Process1 {
        let works = Command::new(&wrapper[0])
            .args(&wrapper[1..])
            .arg("true")
            .output();
        if !works.is_ok_and(|output| output.status.success()) {
            return skip("unshare, of util-linux, and the right to make namespaces");
        }
    }
    let started = wrapped(&wrapper, row.role, dir.path(), row.settings).spawn();
    let mut child = started.expect("this program starts");
    if !is_ready(&mut child) {
        return skip("seccomp filters with user notification");
    }
    let pid = match row.place {
        Place::Process1 => only_child_of(child.id()),
        _ => child.id(),
    };
    let told = Instant::now();
    for signal in row.signals {
        send(pid, *signal);
    }
    let left = left(child, dir.path());
    if row.what.ends_with(": at once") {
        assert!(told.elapsed() < CAP, "{}", row.what);
    }
    compare(row, &left);
}

fn compare(row: &Row, left: &Left) {
    let what = row.what;
    let told = || {
        format!(
            "{what}: {}, {:?}, {:?}",
            left.status, left.lines, left.own_lines
        )
    };
    match row.ends {
        Ends::Code(code) => assert_eq!(left.status.code(), Some(code), "{}", told()),
        Ends::Signal(_, signal) => assert_eq!(left.status.signal(), Some(signal), "{}", told()),
    }
    let asked = row.signals.contains(&libc::SIGUSR2).then_some("signal");
    let kept: Vec<&str> = Some("before")
        .into_iter()
        .chain(asked)
        .chain(row.last)
        .collect();
    assert_eq!(left.reasons(), kept, "{}", told());
    assert_eq!(left.lines, row.lines, "{}", told());
    for word in row.own_words {
        assert!(
            left.own_lines.iter().any(|line| line.contains(word)),
            "{}",
            told()
        );
    }
    println!("test {what} ... ok");
}

/// A row in the text for each row here, and none besides.
fn the_documentation_has_these_rows() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");
    let text = fs::read_to_string(path).expect("the documentation");
    let section = text
        .split_once("## The end of the process")
        .expect("the section")
        .1;
    let section = section.split_once("\n## ").expect("another section").0;
    let start = "| the process ends by | it ends with | last snapshot |\n|---|---|---|\n";
    let table = section.split_once(start).expect("the table").1;
    let documented: Vec<&str> = table
        .lines()
        .take_while(|line| line.starts_with('|'))
        .collect();
    let expected: Vec<String> = ROWS
        .iter()
        .map(|row| {
            let last = row
                .last
                .map_or("none".to_owned(), |reason| format!("`{reason}`"));
            format!("| {} | {} | {last} |", row.what, row.ends)
        })
        .collect();
    assert_eq!(documented, expected, "{}", expected.join("\n"));
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// Waits until the role says that it is ready, or that it cannot be.
fn is_ready(child: &mut Child) -> bool {
    let mut stdout = BufReader::with_capacity(1, child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a pipe");
    child.stdout = Some(stdout.into_inner());
    match line.trim_end() {
        "ready" => true,
        roles::IMPOSSIBLE => false,
        other => {
            let mut stderr = String::new();
            let pipe = child.stderr.as_mut().expect("a pipe");
            pipe.read_to_string(&mut stderr).expect("a pipe");
            panic!("{other:?} instead of being ready: {stderr}");
        }
    }
}

fn only_child_of(pid: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.expect("the system tells a process's children");
    children.trim().parse().expect("one child")
}

/// Sends a signal and waits until it has arrived: two that wait together are one.
fn send(pid: u32, signal: i32) {
    // SAFETY: sends a signal to a process of our own.
    assert_eq!(unsafe { libc::kill(pid.cast_signed(), signal) }, 0);
    wait_until("the signal to arrive", || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let field = |name| status.lines().find_map(|line| line.strip_prefix(name));
        let waiting = field("ShdPnd:").and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        let has_ended = field("State:").is_none_or(|state| state.contains("zombie"));
        has_ended || waiting.is_none_or(|mask| mask & (1 << (signal - 1)) == 0)
    });
}
