//! One thread that does nothing but allocate and free: the most that a hook can cost.
//!
//! How much of a call stack is another than at the last allocation decides what a profiler can know
//! of it beforehand. So there are two orders of the same paths.

use super::paths::{self, Block};
use crate::budget::Budget;
use measure::Measurement;

/// Blocks that are live at a time.
const LIVE: usize = 1_024;
const PAIRS: u64 = 64 << 10;

/// Each path is unlike the one before: on average they part two levels below their common root.
pub(super) fn scattered(budget: Budget) -> Measurement {
    run(budget, |turn| turn.wrapping_mul(0x9e37_79b1))
}

/// Each path is like the one before but for its innermost calls, two levels on average.
pub(super) fn near(budget: Budget) -> Measurement {
    // The highest bit of a path's number is its innermost call, and is to change the most often.
    run(budget, u32::reverse_bits)
}

/// The highest bits of `path` are the path's number.
fn run(budget: Budget, path: impl Fn(u32) -> u32) -> Measurement {
    let mut live: Vec<Block> = (0..LIVE as u32).map(paths::allocate).collect();
    let mut turn = 0u32;
    budget.measure(PAIRS, |units| {
        for _ in 0..units * PAIRS {
            turn = turn.wrapping_add(1);
            let path = path(turn) >> (u32::BITS - paths::LEVELS);
            live[turn as usize % LIVE] = paths::allocate(path);
        }
    })
}
