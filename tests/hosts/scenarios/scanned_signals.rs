//! Signals that come while threads are stopped, and copied.

use crate::host::{churn, start, storm};
use fastrand::Rng;
use std::mem::zeroed;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// Far longer than signals take on a slow machine.
const LONG: Duration = Duration::from_secs(60);
/// Signals of one sender: no more than the system keeps.
const MANY: usize = 2_000;
static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_: libc::c_int) {
    HANDLED.fetch_add(1, Relaxed);
}

/// Each signal to the process's group is handled by the process once: none is lost where a thread was just being
/// stopped, and none is handled by a process of heaplens' own, which may share this one's memory.
pub(crate) fn are_handled_once() {
    // Signals from here on are not merged.
    let signal = libc::SIGRTMIN();
    // SAFETY: the handler only counts.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = count as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(signal, &raw const action, null_mut()), 0);
    }
    let _profiler = start();
    let is_over = AtomicBool::new(false);
    let mut sent = 0;
    thread::scope(|scope| {
        for seed in 0..3 {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut random = Rng::with_seed(seed);
                while !is_over.load(Relaxed) {
                    churn(&mut random, 20);
                }
            });
        }
        // The first scan takes longer than others.
        heaplens::snapshot_graph().expect("a scan");
        for _ in 0..storm(100) {
            let sender = begin_to_send(signal);
            sent += MANY;
            let began = Instant::now();
            while HANDLED.load(Relaxed) < sent {
                let handled = HANDLED.load(Relaxed);
                assert!(began.elapsed() < LONG, "{handled} of {sent} handled");
                churn(&mut Rng::with_seed(3), 1);
            }
            // SAFETY: waits for a child, and writes nothing.
            assert_eq!(unsafe { libc::waitpid(sender, null_mut(), 0) }, sender);
        }
        is_over.store(true, Relaxed);
    });
    assert_eq!(HANDLED.load(Relaxed), sent, "handled, of those sent");
}

/// Has a process that nobody stops send [`MANY`] signals to the group, which this process leads.
fn begin_to_send(signal: libc::c_int) -> libc::pid_t {
    // Some 50 µs, as the system rounds it up.
    const SHORT: libc::timespec = libc::timespec {
        tv_sec: 0,
        tv_nsec: 1,
    };
    // SAFETY: the child makes system calls, and ends.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: as above; the sender does not handle what it sends.
        unsafe {
            libc::signal(signal, libc::SIG_IGN);
            for _ in 0..MANY {
                libc::kill(0, signal);
                libc::nanosleep(&SHORT, null_mut());
            }
            libc::_exit(0);
        }
    }
    assert!(child > 0, "no sender");
    child
}
