//! Whether a process that shares this one's memory may be started at all.
//!
//! Where a filter of system calls answers one of its calls with a signal, that signal ends it with a core
//! dump, and up to Linux 5.15 that ends everybody who shares its memory. So a copy with memory of its own
//! makes these calls first. What the calls achieve is not asked here.

use super::task;
use crate::platform::{self, monotonic_ns, pause_briefly, tracing};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// Seconds of work after which the helper, or the copy that makes its calls, is ended by the system.
pub(super) const SECONDS: u64 = 10;
/// Longest time that the calls may take.
const LIMIT_NS: u64 = 1_000_000_000;

/// Whether the helper's calls leave their caller alive. Asked of the system once.
pub(super) fn is_harmless(process: i32) -> bool {
    const UNKNOWN: u8 = 0;
    const NO: u8 = 1;
    const YES: u8 = 2;
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
    if ANSWER.load(Relaxed) == UNKNOWN {
        // Who asks at the same time gets the same answer.
        let is_harmless = survives(|| make_calls(process));
        ANSWER.store(if is_harmless { YES } else { NO }, Relaxed);
    }
    ANSWER.load(Relaxed) == YES
}

/// Whether a copy of the process that does such work ends by itself, and soon.
fn survives(work: impl FnOnce()) -> bool {
    // SAFETY: the work makes system calls, and neither allocates nor takes a lock.
    let Ok(copy) = (unsafe { platform::copy_process(work) }) else {
        return false;
    };
    match copy.wait_until(monotonic_ns() + LIMIT_NS, || false, pause_briefly) {
        Ok(status) => libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        Err(_) => {
            copy.end();
            false
        }
    }
}

/// Each call of the helper's, on nobody.
fn make_calls(process: i32) {
    /// No thread has it.
    const NOBODY: i32 = i32::MAX;
    platform::become_harmless(process, SECONDS);
    pause_briefly();
    task::for_each(process, |tid| {
        task::waits(process, tid);
    });
    tracing::seize(NOBODY);
    tracing::interrupt(NOBODY);
    tracing::look(NOBODY);
    tracing::registers(NOBODY);
    tracing::has_pending_signal(NOBODY);
    tracing::let_go(NOBODY, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_ends_its_caller_ends_a_copy_only() {
        assert!(is_harmless(platform::own_pid()));
        // SAFETY: a signal to the copy itself, as from a filter.
        assert!(!survives(|| unsafe {
            libc::raise(libc::SIGKILL);
        }));
        // SAFETY: ends the copy.
        assert!(!survives(|| unsafe { libc::_exit(1) }));
    }
}
