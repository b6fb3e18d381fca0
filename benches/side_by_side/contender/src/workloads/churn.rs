//! One thread that does nothing but allocate and free: the most that a hook can cost.

use super::paths::{self, Block};
use crate::budget::Budget;
use measure::Measurement;

/// Blocks that are live at a time.
const LIVE: usize = 1_024;
const PAIRS: u64 = 64 << 10;

pub(super) fn run(budget: Budget) -> Measurement {
    let mut live: Vec<Block> = (0..LIVE as u32).map(paths::allocate).collect();
    let mut turn = 0u32;
    budget.measure(PAIRS, |units| {
        for _ in 0..units * PAIRS {
            turn = turn.wrapping_add(1);
            // Multiplying spreads the paths, so that no two in a row are alike.
            let path = turn.wrapping_mul(0x9e37_79b1) >> (u32::BITS - paths::LEVELS);
            live[turn as usize % LIVE] = paths::allocate(path);
        }
    })
}
