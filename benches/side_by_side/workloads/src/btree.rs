//! An ordered map of small vectors: built key by key in scattered order, and destroyed.

use crate::budget::Budget;
use measure::Measurement;
use std::collections::BTreeMap;
use std::hint::black_box;

const ENTRIES: u64 = 20_000;

pub(super) fn run(budget: Budget) -> Measurement {
    budget.measure(1, |units| {
        for unit in 0..units {
            let mut map = BTreeMap::new();
            for entry in 0..ENTRIES {
                let key = entry.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(unit);
                map.insert(key, vec![entry; 2]);
            }
            drop(black_box(map));
        }
    })
}
