//! What time it is for snapshots: the uptime on the monotonic clock, and the wall clock.
//!
//! When the next snapshot is due, and how long anyone waits, is not asked here. Under the feature
//! `internals` a test sets the uptime, so that hours pass in a moment and ages are known.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time since `started`, or the time that was set.
pub(super) fn uptime(started: Instant) -> Duration {
    set::uptime().unwrap_or_else(|| started.elapsed())
}

/// When a snapshot that is taken now is taken, in milliseconds since the Unix epoch.
pub(super) fn taken_unix_ms(started_unix_ms: u64) -> u64 {
    match set::uptime() {
        Some(uptime) => {
            started_unix_ms.saturating_add(u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX))
        }
        None => unix_ms(),
    }
}

/// Milliseconds since the Unix epoch; 0 for a clock that is set before it.
pub(super) fn unix_ms() -> u64 {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(not(feature = "internals"))]
mod set {
    /// Nothing sets the time.
    pub(super) fn uptime() -> Option<std::time::Duration> {
        None
    }
}

#[cfg(feature = "internals")]
mod set {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// Milliseconds, plus one; 0 while nobody has set it.
    static UPTIME: AtomicU64 = AtomicU64::new(0);

    pub(super) fn uptime() -> Option<Duration> {
        let plus_one = UPTIME.load(Ordering::Relaxed);
        Some(Duration::from_millis(plus_one.checked_sub(1)?))
    }

    pub(super) fn set(uptime: Duration) {
        let milliseconds = u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX - 1);
        UPTIME.store(milliseconds.saturating_add(1), Ordering::Relaxed);
    }
}

/// Sets the uptime, for births from now on and for snapshots.
#[cfg(feature = "internals")]
pub fn set_uptime(uptime: Duration) {
    set::set(uptime);
    crate::recorder::as_own(|| super::freeze::tick(uptime));
}
