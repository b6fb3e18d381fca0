//! Blocks from a hundred thousand call paths, for what a large snapshot costs.

use std::hint::black_box;

/// Call paths, and so sites.
pub(crate) const PATHS: usize = 100_000;

/// Branches at each of the first calls of a path: as many as it takes digits to number the paths.
const DIGITS: u32 = 5;

/// Makes a block of `bytes` bytes at each path. The last `alone` calls before each block, ten at most,
/// are shared with no other path, so that there are so many more nodes for each site.
pub(crate) fn blocks(alone: usize, bytes: usize) -> Vec<Box<[u8]>> {
    let mut calls = Vec::with_capacity(DIGITS as usize + alone);
    let block = |path: usize| {
        calls.clear();
        // No function twice: a path that repeated itself would be recorded as a shorter one.
        let digit = |digit: u32| path / 10usize.pow(digit) % 10;
        calls.extend((0..DIGITS).map(|level| 10 * level as usize + digit(level)));
        calls.extend((0..alone).map(|call| 10 * DIGITS as usize + call));
        descend(&calls, bytes)
    };
    (0..PATHS).map(block).collect()
}

/// Takes the calls that are left of a path, and the size of the block at its end.
type Call = fn(&[usize], usize) -> Box<[u8]>;

/// Goes on where the next call of the path says.
#[inline(never)]
fn descend(calls: &[usize], bytes: usize) -> Box<[u8]> {
    macro_rules! branches {
        ($($tens:literal)*) => {
            [$(
                branch::<{ 10 * $tens }>,
                branch::<{ 10 * $tens + 1 }>,
                branch::<{ 10 * $tens + 2 }>,
                branch::<{ 10 * $tens + 3 }>,
                branch::<{ 10 * $tens + 4 }>,
                branch::<{ 10 * $tens + 5 }>,
                branch::<{ 10 * $tens + 6 }>,
                branch::<{ 10 * $tens + 7 }>,
                branch::<{ 10 * $tens + 8 }>,
                branch::<{ 10 * $tens + 9 }>,
            )*]
        };
    }
    const BRANCHES: [Call; 60] = branches!(0 1 2 3 4 5);
    match calls {
        [] => black_box(vec![0; bytes].into_boxed_slice()),
        [call, rest @ ..] => black_box(BRANCHES[*call](rest, bytes)),
    }
}

/// A function of its own for each number: code that is the same would be merged.
#[inline(never)]
fn branch<const NUMBER: usize>(calls: &[usize], bytes: usize) -> Box<[u8]> {
    black_box(NUMBER);
    black_box(descend(calls, bytes))
}
