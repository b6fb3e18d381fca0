//! Call paths by number, and a heap with a block on each.

use std::hint::black_box;

/// Levels of calls, of two functions each.
pub(crate) const LEVELS: u32 = 17;

/// A block on each of `sites` call paths, of `bytes` together, every page of them written to.
pub(crate) fn build(sites: u32, bytes: u64) -> Vec<Vec<u8>> {
    let size = usize::try_from(bytes / u64::from(sites)).expect("blocks fit the address space");
    let mut blocks = Vec::with_capacity(sites as usize);
    for site in 0..sites {
        call(LEVELS, site, &mut || blocks.push(vec![1; size.max(1)]));
    }
    blocks
}

/// Calls `action` down the path with that number, of which the lowest `levels` bits count.
#[inline(never)]
pub(crate) fn call(levels: u32, path: u32, action: &mut dyn FnMut()) {
    match (levels, path & 1) {
        (0, _) => action(),
        (_, 0) => left(levels - 1, path >> 1, action),
        (_, _) => right(levels - 1, path >> 1, action),
    }
    // Comes after the calls, or they would be jumps that leave no frame.
    black_box(levels);
}

#[inline(never)]
fn left(levels: u32, path: u32, action: &mut dyn FnMut()) {
    call(levels, path, action);
    black_box(levels);
}

#[inline(never)]
fn right(levels: u32, path: u32, action: &mut dyn FnMut()) {
    call(levels, path, action);
    black_box(path);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_site_has_its_block() {
        let blocks = build(100, 100 << 10);
        assert_eq!(blocks.len(), 100);
        assert!(blocks.iter().all(|block| block.len() == 1 << 10));
    }
}
