//! A doorbell between threads: one side rings, the other waits, at most for a given time.
//!
//! Made of one word and a futex, so that a signal handler may ring it, and so that nothing here can
//! be closed by a host that closes all descriptors (an event descriptor could, and the next file
//! of the host would then get our bytes).

use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Counts rings; wraps.
pub(super) struct Wake(AtomicU32);

impl Wake {
    pub(super) const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// The count so far. To be taken before looking for work, so that no ring is missed.
    pub(super) fn rings(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Wakes all who wait. Safe in a signal handler, but changes `errno`.
    pub(super) fn ring(&self) {
        self.0.fetch_add(1, Ordering::Release);
        // SAFETY: the word outlives the call; this operation only reads its address.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                i32::MAX,
            );
        }
    }

    /// Waits for a ring after `seen`, until `deadline` at most.
    pub(super) fn wait(&self, seen: u32, deadline: Instant) {
        while self.rings() == seen {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let timeout = timespec(left);
            // SAFETY: the word and the timeout outlive the call, which returns when the word is not
            // `seen` any more, by a ring, by a signal, or after the timeout: each is handled above.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    self.0.as_ptr(),
                    libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                    seen,
                    &raw const timeout,
                    ptr::null::<u32>(),
                    0,
                );
            }
        }
    }
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn a_ring_before_the_wait_is_not_missed() {
        let wake = Wake::new();
        let seen = wake.rings();
        wake.ring();
        let start = Instant::now();
        wake.wait(seen, start + Duration::from_secs(60));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_wait_ends_by_a_ring_or_by_its_time() {
        let wake = Arc::new(Wake::new());
        let start = Instant::now();
        wake.wait(wake.rings(), start + Duration::from_millis(30));
        assert!(start.elapsed() >= Duration::from_millis(30));

        let seen = wake.rings();
        let ringer = thread::spawn({
            let wake = Arc::clone(&wake);
            move || {
                thread::sleep(Duration::from_millis(20));
                wake.ring();
            }
        });
        wake.wait(seen, Instant::now() + Duration::from_secs(60));
        assert_ne!(wake.rings(), seen);
        assert!(start.elapsed() < Duration::from_secs(30));
        ringer.join().expect("the ringer does not panic");
    }
}
