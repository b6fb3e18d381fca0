//! The 16 bytes in front of each block in exact mode.
//!
//! Word 0: the site in the low 20 bits, the scope in the next 12, a check in the high half. Word 1:
//! the size in the low 40 bits, the birth tick in the high 24. The check is the high half of the seal, a hash of
//! the block's own address and size with a random key of the process. It tells our blocks from others on
//! free, and lets a scan of memory find every live block; so it is cleared before a block is freed, and
//! replaced while it moves, since allocators leave the old bytes behind. A freed block has its seal in word 1,
//! from which a scan gets its size, until somebody writes there.
//!
//! Nothing here allocates, counts, or decides what a header means.

use crate::tables::scopes::{SCOPES, ScopeId};
use crate::tables::site_tree::NodeId;
use std::alloc::Layout;

/// Bytes of a header.
pub(crate) const HEADER: usize = 16;

/// Sizes from here on are written as this: 2^40 − 1.
const SIZE_MASK: u64 = (1 << 40) - 1;

/// Bits of a site. Above them stands the scope.
pub(super) const SITE_BITS: u32 = 20;

const _: () = assert!(SCOPES < 1 << (u32::BITS - SITE_BITS));

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The site and the scope. Of a block that is in no scope this is the site.
    pub(crate) place: u32,
    /// Birth tick, modulo 2^24.
    pub(crate) birth: u32,
}

impl Header {
    /// The same block in a scope.
    pub(crate) fn in_scope(self, scope: ScopeId) -> Self {
        Self {
            place: self.place | scope << SITE_BITS,
            ..self
        }
    }

    /// The scope, and the block as if it were in none.
    pub(crate) fn split(self) -> (ScopeId, Self) {
        let site: NodeId = self.place % (1 << SITE_BITS);
        let plain = Self {
            place: site,
            ..self
        };
        (self.place >> SITE_BITS, plain)
    }
}

/// Bytes between what the inner allocator returns and the block: a header's, or the alignment.
#[inline(always)]
pub(crate) fn offset(layout: Layout) -> usize {
    layout.align().max(HEADER)
}

/// What to ask of the inner allocator for a block of this layout; `None` where it would be more
/// than an allocation can have.
#[inline(always)]
pub(crate) fn with_header(layout: Layout) -> Option<Layout> {
    // SAFETY: does not overflow: a size and an alignment are at most isize::MAX + 1 together.
    let size = unsafe { layout.size().unchecked_add(offset(layout)) };
    let align = layout.align().max(8);
    let is_allowed = size <= isize::MAX as usize + 1 - align;
    // SAFETY: the alignment is the layout's own or 8, and the size rounded up to it fits.
    is_allowed.then(|| unsafe { Layout::from_size_align_unchecked(size, align) })
}

/// [`with_header`] of a layout that a block was made with.
///
/// # Safety
/// [`with_header`] of the layout is not `None`.
#[inline(always)]
pub(crate) unsafe fn with_header_unchecked(layout: Layout) -> Layout {
    let (size, align) = (layout.size() + offset(layout), layout.align().max(8));
    // SAFETY: what `with_header` made of it was a layout.
    unsafe { Layout::from_size_align_unchecked(size, align) }
}

/// # Safety
/// The 16 bytes before `block` are writable, and `block` is a multiple of 8.
#[inline(always)]
pub(crate) unsafe fn write(block: *mut u8, key: u64, size: usize, header: Header) {
    let sizes = (size as u64).min(SIZE_MASK) | u64::from(header.birth) << 40;
    let check = check(seal(block as u64, sizes & SIZE_MASK, key));
    // SAFETY: the caller vouches for both words.
    unsafe {
        let words = block.cast::<u64>();
        words.sub(1).write(sizes);
        words
            .sub(2)
            .write(u64::from(header.place) | u64::from(check) << 32);
    }
}

/// The header of a block and its seal, or `None` where there is none of ours.
///
/// # Safety
/// The 16 bytes before `block` are readable, and `block` is a multiple of 8.
#[inline(always)]
pub(crate) unsafe fn read(block: *mut u8, key: u64) -> Option<(Header, u64)> {
    // SAFETY: the caller vouches for both words.
    let (sizes, place) = unsafe {
        let words = block.cast::<u64>();
        (words.sub(1).read(), words.sub(2).read())
    };
    let seal = seal(block as u64, sizes & SIZE_MASK, key);
    let header = Header {
        place: place as u32,
        birth: (sizes >> 40) as u32,
    };
    ((place >> 32) as u32 == check(seal)).then_some((header, seal))
}

/// Size and site of the block at this address, or `None` where there is none of ours; and a number that
/// other blocks at this address hardly have.
///
/// # Safety
/// As for [`read`].
#[inline(always)]
pub(super) unsafe fn find(block: *const u8, key: u64) -> Option<(u64, NodeId, u64)> {
    // SAFETY: the caller vouches for both words.
    let place = unsafe { block.cast::<u64>().sub(2).read() };
    // Most words are told from a header by this bit.
    if place >> 32 & 1 == 0 {
        return None;
    }
    // SAFETY: as above.
    let sizes = unsafe { block.cast::<u64>().sub(1).read() };
    let size = sizes & SIZE_MASK;
    let is_ours = (place >> 32) as u32 == check(seal(block as u64, size, key));
    is_ours.then_some((size, place as u32 % (1 << SITE_BITS), place ^ sizes))
}

/// The scope that the header before a block names.
///
/// # Safety
/// [`find`] has found a block there.
pub(super) unsafe fn scope(block: *const u8) -> ScopeId {
    // SAFETY: so it has a header.
    let place = unsafe { block.cast::<u64>().sub(2).read() } as u32;
    place >> SITE_BITS
}

/// Makes the block invisible to [`read`] and [`find`], and known to [`find_freed`].
///
/// # Safety
/// As for [`write`].
#[inline(always)]
pub(crate) unsafe fn clear(block: *mut u8, seal: u64) {
    // SAFETY: the caller vouches for the words. Volatile, since stores to memory that is about to
    // be freed are dead to the compiler.
    unsafe {
        block.cast::<u32>().sub(3).write_volatile(0);
        block.cast::<u64>().sub(1).write_volatile(seal);
    }
}

/// The size of the block that was freed at this address, if one was and its word still stands.
///
/// # Safety
/// The 8 bytes before `block` are readable, and `block` is a multiple of 8.
#[inline(always)]
pub(super) unsafe fn find_freed(block: *const u8, key: u64) -> Option<u64> {
    // SAFETY: the caller vouches for the word.
    let seal = unsafe { block.cast::<u64>().sub(1).read() };
    let size = (seal.wrapping_mul(INVERSE) ^ block as u64 ^ key).rotate_right(ROTATION);
    (size <= LARGEST_FREED).then_some(size)
}

/// The multiplier of splitmix64, and what undoes it.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const INVERSE: u64 = 0xf1de_83e1_9937_733d;
const _: () = assert!(MULTIPLIER.wrapping_mul(INVERSE) == 1);
const ROTATION: u32 = 17;

/// Freed blocks are told up to this size: of all other words one in 2^43 looks like one.
const LARGEST_FREED: u64 = 1 << 20;

/// A keyed hash of address and size, of which both can be had back with the key.
#[inline(always)]
fn seal(block: u64, size: u64, key: u64) -> u64 {
    (block ^ size.rotate_left(ROTATION) ^ key).wrapping_mul(MULTIPLIER)
}

/// The part of a seal by which a live block is known; never 0, which means cleared.
#[inline(always)]
fn check(seal: u64) -> u32 {
    (seal >> 32) as u32 | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_by_this_block_and_key_alone() {
        let mut memory = [0u64; 8];
        let block = memory[4..].as_mut_ptr().cast::<u8>();
        let header = Header {
            place: 0xdead_beef,
            birth: (1 << 24) - 1,
        };
        for size in [0, 1, 1000, (1 << 40) - 1, 1 << 40, isize::MAX as usize] {
            // SAFETY: in the middle of `memory`, aligned.
            unsafe {
                write(block, 42, size, header);
                let (known, seal) = read(block, 42).expect("its own key");
                assert_eq!(known, header);
                assert_eq!(read(block, 43), None);
                assert_eq!(find_freed(block, 42), None);
                clear(block, seal);
                assert_eq!(read(block, 42), None);
                assert_eq!(find(block, 42), None);
                let is_told = size as u64 <= LARGEST_FREED;
                assert_eq!(find_freed(block, 42), is_told.then_some(size as u64));
                assert_eq!(find_freed(block, 43), None);
                assert_eq!(find_freed(block.sub(8), 42), None);
            }
        }
    }

    #[test]
    fn layouts_keep_alignment_and_refuse_overflow() {
        for align in (0..=20).map(|bits| 1usize << bits) {
            let layout = Layout::from_size_align(100, align).unwrap();
            let outer = with_header(layout).unwrap();
            assert_eq!(outer.size() - 100, offset(layout));
            assert_eq!(offset(layout) % align, 0);
            assert!(outer.align() >= 8 && offset(layout) >= HEADER);
        }
        let huge = Layout::from_size_align(isize::MAX as usize - 8, 1).unwrap();
        assert_eq!(with_header(huge), None);
    }
}
