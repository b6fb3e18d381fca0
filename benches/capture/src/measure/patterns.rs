//! Stacks that change from one walk to the next, or do not.

use std::hint::black_box;

/// How stacks follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// The same stack each time, as in a loop.
    SameLeaf,
    /// The innermost frame is another one than the last time.
    ChangedLeaf,
    /// A frame in the middle is another one, and those further in are called anew.
    ChangedMiddle,
    /// From the middle inward, each frame is one of two by chance.
    Random,
}

/// All of them.
pub(crate) const ALL: [Pattern; 4] = [
    Pattern::SameLeaf,
    Pattern::ChangedLeaf,
    Pattern::ChangedMiddle,
    Pattern::Random,
];

impl Pattern {
    /// As it is written in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SameLeaf => "same leaf",
            Self::ChangedLeaf => "changed leaf",
            Self::ChangedMiddle => "changed middle",
            Self::Random => "random",
        }
    }

    /// Walks `rounds` times from `depth` calls further in; `depth` is at least 2.
    pub(crate) fn run(self, depth: usize, rounds: u64, walk: &mut dyn FnMut()) {
        let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
        match self {
            Self::SameLeaf => inward(depth, 0, &mut || {
                for _ in 0..rounds {
                    walk();
                }
            }),
            Self::ChangedLeaf => inward(depth - 1, 0, &mut || {
                for round in 0..rounds {
                    inward(1, round & 1, walk);
                }
            }),
            Self::ChangedMiddle => inward(depth / 2, 0, &mut || {
                for round in 0..rounds {
                    // The lowest bit is the first call, in the middle of the stack.
                    inward(depth - depth / 2, round & 1, walk);
                }
            }),
            Self::Random => inward(depth / 2, 0, &mut || {
                for _ in 0..rounds {
                    random ^= random << 13;
                    random ^= random >> 7;
                    random ^= random << 17;
                    inward(depth - depth / 2, random, walk);
                }
            }),
        }
    }
}

/// Runs `work` so many calls further in; the bits of `path` pick each function of two.
///
/// Which two depends on the depth, so that no part of a stack is followed by the same part: it would
/// be folded as recursion is, and its frames would lie on a few nodes of the tree.
#[inline(always)]
fn inward(depth: usize, path: u64, work: &mut dyn FnMut()) {
    if depth == 0 {
        return work();
    }
    let (depth, rest) = (depth - 1, path >> 1);
    match ORDER[depth % ORDER.len()] | (path & 1) as u8 {
        0 => call::<0>(depth, rest, work),
        1 => call::<1>(depth, rest, work),
        2 => call::<2>(depth, rest, work),
        3 => call::<3>(depth, rest, work),
        4 => call::<4>(depth, rest, work),
        _ => call::<5>(depth, rest, work),
    }
}

/// A function of its own for each number: code that is the same would be merged.
#[inline(never)]
fn call<const NUMBER: u8>(depth: usize, path: u64, work: &mut dyn FnMut()) {
    inward(depth, path, work);
    black_box(NUMBER);
}

/// 0, 2 and 4 in an order in which no part is followed by itself: the differences in the sequence of
/// Thue and Morse, where each number stands for the parity of its ones.
const ORDER: [u8; 128] = {
    let mut order = [0; 128];
    let mut index = 0u32;
    while index < 128 {
        let (parity, next) = (index.count_ones() & 1, (index + 1).count_ones() & 1);
        order[index as usize] = ((3 + next - parity) % 3 * 2) as u8;
        index += 1;
    }
    order
};
