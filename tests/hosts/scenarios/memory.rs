//! No memory: for the program, for a thread's state, for any of the tables.

use crate::driver::{Ended, SCENARIO};
use crate::host::{Books, bare_thread, block, churn, is_exact, join, start, storm, take};
use crate::inner::{
    be_of_the_program, failures_of_others, failures_of_this_thread, let_fail_every,
    let_others_fail_every,
};
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::hint::black_box;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Barrier;
use std::thread;

/// The inner allocator fails at every k-th call: so does the program's then, and no other.
pub(crate) fn at_every_kth_call() {
    let _profiler = start();
    let books = Books::open();
    for every in 1..=16 {
        for seed in 0..storm(200) as u64 {
            let_fail_every(every);
            calls(&mut fastrand::Rng::with_seed(seed));
            let_fail_every(0);
        }
    }
    assert!(failures_of_this_thread() > 200);
    books.balance();
}

fn calls(random: &mut fastrand::Rng) {
    let mut blocks: [(*mut u8, Layout); 8] = [(std::ptr::null_mut(), Layout::new::<u8>()); 8];
    for call in 0..32 {
        let size = match random.u8(..4) {
            0 => random.usize(64 << 10..300 << 10),
            _ => random.usize(1..20 << 10),
        };
        let (block, layout) = &mut blocks[call % 8];
        let failures = failures_of_this_thread();
        // SAFETY: blocks are used with their own layouts; sizes are at least 1.
        unsafe {
            let new = if block.is_null() {
                *layout = Layout::from_size_align(size, 1 << random.u8(..14)).expect("a layout");
                match random.bool() {
                    true => alloc(*layout),
                    false => alloc_zeroed(*layout),
                }
            } else {
                realloc(*block, *layout, size)
            };
            let has_failed = failures_of_this_thread() > failures;
            assert_eq!(new.is_null(), has_failed, "{layout:?} to {size}");
            if !new.is_null() {
                *block = new;
                *layout = Layout::from_size_align(size, layout.align()).expect("a layout");
                new.write(call as u8);
            } else if !block.is_null() {
                // As it was.
                assert_eq!(block.read(), (call - 8) as u8);
                block.write(call as u8);
            }
            if !block.is_null() && random.u8(..4) == 0 {
                dealloc(*block, *layout);
                *block = std::ptr::null_mut();
            }
            if block.is_null() {
                // The next call at this place makes a block.
                *layout = Layout::new::<u8>();
            }
        }
    }
    for (block, layout) in blocks {
        if !block.is_null() {
            // SAFETY: alive, of this layout, and freed once.
            unsafe { dealloc(block, layout) };
        }
    }
}

/// The inner allocator has nothing for heaplens' own thread: now and then, for a while, and under a limit
/// that leaves less than a snapshot takes.
pub(crate) fn for_snapshots() {
    be_of_the_program();
    let _profiler = start();
    let first = take("first").header;
    for every in [7, 31, 101] {
        let_others_fail_every(every);
        take("now and then");
    }
    let failures = failures_of_others();
    assert!(failures > 10, "{failures} calls have failed");
    let_others_fail_every(1);
    thread::scope(|scope| {
        scope.spawn(|| {
            be_of_the_program();
            take("after a while");
        });
        while failures_of_others() < failures + 20 {
            thread::yield_now();
        }
        let_others_fail_every(0);
    });
    limit_address_space(Some(bytes_mapped() + (2 << 20)));
    let refused = heaplens::snapshot("under a limit");
    limit_address_space(None);
    assert!(refused.is_err(), "{refused:?}");
    let last = take("last").header;
    assert_eq!(last.losses.snapshots_failed, 1);
    // One of each, beside those that have been taken here.
    assert_eq!(last.sequence - first.sequence, 5);
}

pub(crate) fn is_told_of_the_failure(ended: &Ended) -> Result<(), String> {
    let lines: Vec<&str> = ended.stderr.lines().collect();
    match lines[..] {
        _ if !ended.status.success() => Err("did not end well".to_owned()),
        [failed, again] if failed.contains("MiB of memory") && again.contains("again") => Ok(()),
        _ => Err("said something else".to_owned()),
    }
}

const THREADS: usize = 8;

/// Threads make their first allocation when no address space is left: there is no state for them, but
/// they are served, and what they keep is in the books.
pub(crate) fn for_thread_states() {
    // The system's allocator has a little in reserve, for all threads alike.
    // SAFETY: sets two options.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TOP_PAD, 4 << 20);
    }
    let _profiler = start();
    let books = Books::open();
    let stages = [(); 3].map(|()| Barrier::new(THREADS + 1));
    let [ready, limited, done] = &stages;
    let threads = [(); THREADS].map(|()| {
        bare_thread(256 << 10, move || {
            ready.wait();
            limited.wait();
            let blocks = [(); 100].map(|()| block(100));
            drop(black_box(blocks));
            done.wait();
        })
    });
    ready.wait();
    limit_address_space(Some(bytes_mapped()));
    limited.wait();
    done.wait();
    limit_address_space(None);
    threads.into_iter().for_each(join);
    let losses = books.balance().header.losses;
    assert_eq!(losses.threads_unregistered, THREADS as u64);
}

fn bytes_mapped() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages: u64 = pages
        .split(' ')
        .next()
        .expect("a field")
        .parse()
        .expect("a number");
    pages * 4096
}

/// Sets the soft limit.
fn limit_address_space(bytes: Option<u64>) {
    let limit = libc::rlimit {
        rlim_cur: bytes.unwrap_or(libc::RLIM_INFINITY),
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: reads the local above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
}

/// Programs under limits of which each lets another table's mapping fail.
pub(crate) fn for_each_table() {
    let mut with_losses = 0;
    // What all tables need, and a little more, in MiB.
    let all = if is_exact() { 400 } else { 1_600 };
    let programs = storm(240);
    for limit in (1..=programs as u64).map(|number| 24 + all * number / programs as u64) {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.env(SCENARIO, "under_a_limit");
        // SAFETY: one system call in the child.
        unsafe {
            command.pre_exec(move || {
                let limit = libc::rlimit {
                    rlim_cur: limit << 20,
                    rlim_max: limit << 20,
                };
                match libc::setrlimit(libc::RLIMIT_AS, &limit) {
                    0 => Ok(()),
                    _ => Err(io::Error::last_os_error()),
                }
            });
        }
        let output = command.output().expect("this program starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        let status = output.status;
        assert!(status.success(), "{limit} MiB: {status} {stderr}");
        let lines = stderr.lines().count();
        assert!(lines <= 1, "{limit} MiB: {stderr}");
        assert!(lines == 0 || stderr.contains("address space"), "{stderr}");
        with_losses += lines;
    }
    assert!(
        with_losses > 3,
        "{with_losses} programs were told of a limit"
    );
}

/// What runs under each limit.
pub(crate) fn under_a_limit() {
    let _profiler = heaplens::start(heaplens::Config::new());
    let kept: Vec<Vec<u8>> = (0..200).map(|n| vec![n as u8; 1_000]).collect();
    churn(&mut fastrand::Rng::with_seed(1), 500);
    drop(black_box(block(5_000)));
    assert!(
        kept.iter()
            .enumerate()
            .all(|(n, bytes)| bytes[999] == n as u8)
    );
}
