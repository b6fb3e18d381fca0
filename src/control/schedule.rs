//! When regular snapshots are due: at multiples of the interval since the start, on the monotonic clock.

use std::time::{Duration, Instant};

/// The first regular time after `now`; those that were missed are left out. `None` if there is none
/// in the reach of the clock.
pub(super) fn next_due(started: Instant, interval: Duration, now: Instant) -> Option<Instant> {
    let passed = now.saturating_duration_since(started).as_nanos() / interval.as_nanos().max(1);
    let nanos = interval.as_nanos().checked_mul(passed + 1)?;
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    started.checked_add(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_schedule_does_not_drift() {
        let started = Instant::now();
        let due = |now_ms: u32| {
            let due = next_due(started, 200 * MS, started + now_ms * MS);
            due.map(|due| (due - started).as_millis())
        };
        assert_eq!(due(0), Some(200));
        assert_eq!(due(199), Some(200));
        assert_eq!(due(200), Some(400));
        assert_eq!(due(203), Some(400));
        assert_eq!(due(1_050), Some(1_200), "missed ones are left out");
    }

    #[test]
    fn an_interval_beyond_all_time_is_never_due() {
        let started = Instant::now();
        assert_eq!(next_due(started, Duration::MAX, started), None);
    }
}
