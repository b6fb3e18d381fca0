//! Repeats a piece of work: what grows with each run is a leak, what stops growing is a cache.

use super::failure::{self, Cause};
use super::report::Report;
use super::scope::Scope;
use crate::recorder;

/// Runs `body` to warm up, then `runs` times more, and asserts that it retains no more at the end than
/// when it was warm: [`Repeat`] with its defaults.
///
/// ```
/// # heaplens::testing::install!();
/// # fn main() {
/// use std::collections::HashMap;
///
/// let mut cache = HashMap::new();
/// let mut request = 0;
/// heaplens::testing::assert_no_growth(100, || {
///     request += 1;
///     cache.entry(request % 5).or_insert_with(|| vec![0_u8; 1024]).len()
/// });
/// # }
/// ```
///
/// # Panics
///
/// If it grows: with the paths that do. And where [`Scope::begin`] does.
#[track_caller]
pub fn assert_no_growth<T>(runs: u32, body: impl FnMut() -> T) {
    Repeat::new(runs).assert_no_growth(body);
}

/// How often a piece of work is repeated, and how often it may fill its caches before that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeat {
    runs: u32,
    warm_up: u32,
}

impl Repeat {
    /// So many runs, at least 1, after a tenth of them, at least 10, to warm up.
    pub fn new(runs: u32) -> Self {
        Self {
            runs: runs.max(1),
            warm_up: (runs / 10).max(10),
        }
    }

    /// So many runs to warm up, at least 1.
    #[must_use]
    pub fn warm_up(self, runs: u32) -> Self {
        Self {
            warm_up: runs.max(1),
            ..self
        }
    }

    /// Asserts that `body` retains no more after its last run than it did, at most, after any of the
    /// runs of the second half of the warm-up.
    ///
    /// So what goes up and down from run to run is no growth, and what is kept once is none either:
    /// caches, pools, tables that are filled at first. One byte that each run leaves behind is. What a
    /// run returns is freed at its end.
    ///
    /// # Panics
    ///
    /// If it grows: with the paths that do. And where [`Scope::begin`] does.
    #[track_caller]
    pub fn assert_no_growth<T>(self, mut body: impl FnMut() -> T) {
        let (warm_up, runs) = (u64::from(self.warm_up), u64::from(self.runs));
        let scope = Scope::begin();
        let (mut warm, mut last) = (0, 0);
        let mut before = Report::default();
        // In one loop, so that all runs are called from one place and have the same paths.
        for run in 1..=warm_up + runs {
            drop(body());
            last = scope.retained_bytes();
            if run > warm_up / 2 && run <= warm_up {
                warm = last.max(warm);
            }
            if run == warm_up {
                before = scope.report();
            }
        }
        let Some(grown @ 1..) = last.checked_sub(warm) else {
            return;
        };
        let after = scope.end();
        let (text, report) = recorder::as_own(|| {
            let text = format!(
                "grew by {} in {} runs, after {} to warm up: {} a run. A cache that is still filling \
                 needs a longer warm-up",
                failure::bytes(grown),
                failure::grouped(runs),
                failure::grouped(warm_up),
                failure::bytes(grown.div_ceil(runs)),
            );
            (text, after.since(&before))
        });
        failure::fail(&text, &report, Cause::Retained);
    }
}
