//! A heap of 200 MB in blocks of many sizes, for its peak of resident memory.

use crate::budget::Budget;
use measure::Measurement;
use std::hint::black_box;

const LISTS: u64 = 40_000;
const BYTES: u64 = 200_000_000;

pub(super) fn run(budget: Budget) -> Measurement {
    budget.measure(1, |units| {
        for _ in 0..units {
            drop(black_box(build()));
        }
    })
}

/// Lists of blocks, of which every byte is written.
fn build() -> Vec<Vec<Box<[u8]>>> {
    let mut seed = 1;
    let mut next = move || {
        // The multiplier of Knuth's MMIX.
        seed = 6_364_136_223_846_793_005u64
            .wrapping_mul(seed)
            .wrapping_add(1);
        seed >> 33
    };
    (0..LISTS)
        .map(|list| {
            let mut rest = BYTES / LISTS;
            let mut blocks = Vec::new();
            while rest > 0 {
                // 16 bytes to 4 KiB, half of them below 256 bytes.
                let size = (16 << (next() % 8)) + next() % 16;
                let size = size.min(rest);
                blocks.push(vec![list as u8; size as usize].into_boxed_slice());
                rest -= size;
            }
            blocks
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_have_200_mb_together() {
        let bytes: usize = build().iter().flatten().map(|block| block.len()).sum();
        assert_eq!(bytes as u64, BYTES);
    }
}
