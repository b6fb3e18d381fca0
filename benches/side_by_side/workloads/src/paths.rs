//! Call paths by number: a way down through levels of two functions each, which allocates at its end.

use std::hint::black_box;

/// A block as the workloads allocate it: small, as most are, and written to.
pub(super) type Block = Box<[u8; 64]>;

/// Levels of [`allocate`]; each doubles the number of paths.
pub(super) const LEVELS: u32 = 8;
/// Different ways to the allocation.
pub(super) const PATHS: u32 = 1 << LEVELS;

/// Allocates a block on the call path with that number, of which the lowest [`LEVELS`] bits count.
#[inline(never)]
pub(super) fn allocate(path: u32) -> Block {
    descend(LEVELS, path)
}

#[inline(never)]
fn descend(levels: u32, path: u32) -> Block {
    if levels == 0 {
        return black_box(Box::new([path as u8; 64]));
    }
    // `black_box` comes after the calls, or they would be jumps that leave no frame.
    black_box(match path & 1 {
        0 => left(levels - 1, path >> 1),
        _ => right(levels - 1, path >> 1),
    })
}

#[inline(never)]
fn left(levels: u32, path: u32) -> Block {
    let block = descend(levels, path);
    black_box(levels);
    block
}

#[inline(never)]
fn right(levels: u32, path: u32) -> Block {
    let block = descend(levels, path);
    black_box(path);
    block
}
