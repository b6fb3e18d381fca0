//! The same work on one thread and on more: what threads do to each other through the allocator.

use super::paths::{self, Block, PATHS};
use crate::budget::Budget;
use measure::Measurement;

/// Blocks that a thread has live at a time.
const LIVE: usize = 256;
const PAIRS: u64 = 64 << 10;
/// Call paths of a thread.
const PRIVATE: u32 = 64;

/// Each thread on call paths of its own.
pub(super) fn private(budget: Budget, threads: usize) -> Measurement {
    assert!(threads as u32 * PRIVATE <= PATHS, "no path has two threads");
    churn(budget, threads, |thread, turn| {
        thread as u32 * PRIVATE + turn % PRIVATE
    })
}

/// All threads on one call path.
pub(super) fn shared(budget: Budget, threads: usize) -> Measurement {
    churn(budget, threads, |_, _| 0)
}

fn churn(budget: Budget, threads: usize, path: fn(usize, u32) -> u32) -> Measurement {
    budget.measure_threads(threads, PAIRS, |thread| {
        let mut live: Vec<Block> = (0..LIVE as u32)
            .map(|turn| paths::allocate(path(thread, turn)))
            .collect();
        let mut turn = 0u32;
        move || {
            for _ in 0..PAIRS {
                turn = turn.wrapping_add(1);
                live[turn as usize % LIVE] = paths::allocate(path(thread, turn));
            }
        }
    })
}
