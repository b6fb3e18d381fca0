//! Snapshots that could not be written, and when to try again. What went wrong is not known here.

use std::time::{Duration, Instant};

/// Longest wait after failures, unless the interval is longer.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(300);

/// Snapshots that could not be written.
#[derive(Default)]
pub(super) struct Failures {
    total: u64,
    in_a_row: u32,
    /// No regular snapshot is tried before this.
    retry: Option<Instant>,
}

impl Failures {
    /// All of the run.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Whether the last try failed.
    pub(super) fn is_failing(&self) -> bool {
        self.in_a_row > 0
    }

    /// A snapshot has been written.
    pub(super) fn end(&mut self) {
        self.in_a_row = 0;
        self.retry = None;
    }

    /// Whether it is too early to try again of one's own accord.
    pub(super) fn is_waiting(&self, now: Instant) -> bool {
        self.retry.is_some_and(|retry| now < retry)
    }

    /// Waits twice as long after each failure in a row.
    pub(super) fn count(&mut self, interval: Duration, now: Instant) {
        let doublings = self.in_a_row.min(16);
        self.total += 1;
        self.in_a_row = self.in_a_row.saturating_add(1);
        let wait = interval
            .saturating_mul(1 << doublings)
            .min(LONGEST_BACK_OFF.max(interval));
        // A little early, so that it falls before the regular time and not just behind it.
        self.retry = now.checked_add(wait - wait / 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_back_off() {
        let now = Instant::now();
        let mut failures = Failures::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            failures.count(Duration::from_secs(1), now);
            waits.push((failures.retry.expect("in reach") - now).as_secs_f64());
        }
        assert_eq!(waits[..3], [0.875, 1.75, 3.5]);
        assert_eq!(waits[11], 262.5);
        assert_eq!(failures.total, 12);
        failures.count(Duration::from_secs(3_600), now);
        assert_eq!((failures.retry.expect("in reach") - now).as_secs(), 3_150);
    }
}
