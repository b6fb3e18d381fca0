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
                    match round & 1 {
                        0 => even(0, 0, walk),
                        _ => odd(0, 0, walk),
                    }
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

/// Runs `work` so many calls further in; the bits of `path` pick each function.
#[inline(always)]
fn inward(depth: usize, path: u64, work: &mut dyn FnMut()) {
    match (depth, path & 1) {
        (0, _) => work(),
        (_, 0) => even(depth - 1, path >> 1, work),
        _ => odd(depth - 1, path >> 1, work),
    }
}

#[inline(never)]
fn even(depth: usize, path: u64, work: &mut dyn FnMut()) {
    inward(depth, path, work);
    black_box(());
}

#[inline(never)]
fn odd(depth: usize, path: u64, work: &mut dyn FnMut()) {
    inward(depth, path, work);
    black_box(1);
}
