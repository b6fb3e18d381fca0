//! Memory that an allocator has taken back: words in it are left over, and hold nothing.
//!
//! Of glibc it is known by what that writes there. Of other allocators by the seals that blocks are left with,
//! where nobody else has memory of them: a block of a C program may have a seal within that it has not written over.
//! So not where the recorder's blocks are glibc's, and not where the C library's allocator is another one: it may be
//! the program's own. What matches nothing is taken for memory in use.

mod glibc;
mod sealed;

use super::blocks::{Block, Blocks};
use crate::recorder::Recorder;
use glibc::Glibc;
pub(super) use glibc::key_of_cached_memory;
use sealed::Sealed;

/// What an allocator gives out begins at a multiple of this: `malloc` has to.
const GRAIN: u64 = 16;

/// Finds free memory.
#[derive(Clone, Copy)]
pub(super) struct FreeMemory<'b> {
    glibc: Glibc<'b>,
    sealed: Option<Sealed<'b>>,
}

impl<'b> FreeMemory<'b> {
    pub(super) fn new(blocks: &'b Blocks, recorder: &'b Recorder, key: u64) -> Self {
        let glibc = Glibc::new(blocks, key);
        let sealed = glibc
            .is_for_others_alone()
            .then(|| Sealed::new(blocks, recorder));
        Self { glibc, sealed }
    }

    /// Where the free memory ends that begins at a multiple of 8, or the arena, if one does. `until` is
    /// where memory that is in use begins. `heap_end` is where the mapping ends, if it may be a heap.
    #[inline]
    pub(super) fn end(self, at: u64, until: u64, heap_end: Option<u64>) -> Option<u64> {
        let sealed = heap_end.and(self.sealed);
        let freed = sealed.and_then(|sealed| sealed.freed_end(at, until));
        if freed.is_some() || !at.is_multiple_of(GRAIN) {
            return freed;
        }
        let chained = sealed.and_then(|sealed| sealed.chained_end(at, until));
        if chained.is_some() {
            return chained;
        }
        match self.glibc.arena_end(at) {
            Some(end) => Some(end.min(until)),
            None => self.glibc.chunk_end(at, until, heap_end?),
        }
    }

    /// Where memory that may be in use begins behind a block. `until` is the next header, or the end of what is
    /// there.
    #[inline]
    pub(super) fn end_behind(self, block: Block, until: u64) -> u64 {
        let from = block.end().next_multiple_of(8);
        let next = match self.sealed {
            Some(sealed) => sealed.next_behind(from, block.size(), until),
            None => self.glibc.next_behind(block),
        };
        next.unwrap_or(block.end().next_multiple_of(GRAIN))
            .min(until.max(from))
    }
}
