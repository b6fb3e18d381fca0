//! Two threads, each of which frees what the other has allocated.

use super::paths::{self, Block, PATHS};
use crate::budget::Budget;
use measure::Measurement;
use std::sync::{Barrier, Mutex};

/// Blocks that change hands at a time: many, so that meeting costs little beside them.
const BATCH: u64 = 32 << 10;

pub(super) fn run(budget: Budget) -> Measurement {
    let meeting = Barrier::new(2);
    let counter: [Mutex<Vec<Block>>; 2] = Default::default();
    let (meeting, counter) = (&meeting, &counter);
    budget.measure_threads(2, BATCH, |thread| {
        move || {
            let blocks = (0..BATCH as u32).map(|turn| paths::allocate(turn % PATHS));
            *counter[thread].lock().expect("no thread panics") = blocks.collect();
            meeting.wait();
            let others =
                std::mem::take(&mut *counter[1 - thread].lock().expect("no thread panics"));
            drop(others);
            // Nobody puts down the next batch before the last one is taken.
            meeting.wait();
        }
    })
}
