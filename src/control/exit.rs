//! The end of the process, and its forked children.
//!
//! The last snapshot is taken when the guard is dropped, or else when the process exits; once, and
//! nobody waits for it for longer than [`CAP`]. A forked child has no keeper: it takes and writes
//! nothing. What ends without running exit handlers (`abort`, a fatal signal, `_exit`) leaves no
//! last snapshot; for two signals `termination` can take it.

use super::requests::REQUESTS;
use super::{keeper, stderr};
use crate::recorder;
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Longest time that the end of the process is held up.
pub(super) const CAP: Duration = Duration::from_secs(10);

/// The process that started the profiler; 0 before.
static PROCESS: AtomicU32 = AtomicU32::new(0);
static FORKED: AtomicBool = AtomicBool::new(false);

/// Takes note of the process, and asks to be told of its end and of its children.
pub(super) fn watch() {
    PROCESS.store(process::id(), Ordering::Release);
    // Both fail only for lack of memory. Then a process that ends by `exit` leaves no last snapshot,
    // and a child is told by its process id alone.
    // SAFETY: both handlers are functions that stay, and neither allocates, locks or unwinds.
    unsafe {
        libc::atexit(at_exit);
        libc::pthread_atfork(None, None, Some(in_child));
    }
}

/// Whether this is a child that was forked off the process that started the profiler.
pub(super) fn is_forked_child() -> bool {
    let process = PROCESS.load(Ordering::Acquire);
    // The number also tells children that were made without running fork handlers.
    FORKED.load(Ordering::Acquire) || (process != 0 && process != process::id())
}

/// Takes the last snapshot, if this is the process and the time for it.
pub(super) fn end() {
    // The keeper cannot wait for itself: it may get here if a panic hook of the host exits.
    if is_forked_child() || keeper::is_current() {
        return;
    }
    if let Err(error) = recorder::as_own(keeper::wake_up) {
        stderr::line(&format!(
            "no last snapshot, for want of a thread to take it: {error}"
        ));
        return;
    }
    REQUESTS.end(thread::panicking(), CAP);
}

extern "C" fn at_exit() {
    end();
}

extern "C" fn in_child() {
    FORKED.store(true, Ordering::Release);
    recorder::stop_in_child();
}
