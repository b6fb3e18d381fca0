//! What glibc's allocator has taken back, told by what it writes there; and its arenas, which list it.
//!
//! Each pattern proves itself: a random key of the process, lists that lead back, a size that ends where the
//! mapping ends. With another C library nothing matches.

use crate::graph::blocks::{Block, Blocks, HEADER};
use crate::platform;

/// Bytes of a chunk before its memory: the size stands in the second word.
const CHUNK_HEADER: u64 = 16;
/// Flags in the low bits of a size.
const FLAGS: u64 = 7;
/// The chunk before is in use, so that what it wrote into this one's first word is its own.
const PREVIOUS_IN_USE: u64 = 1;
/// The chunk is a mapping of its own, and in use.
const IS_MAPPED: u64 = 2;
/// The chunk is of another arena than the first.
const IN_OTHER_ARENA: u64 = 4;
const SMALLEST: u64 = 32;
/// Chunks up to this size are kept in lists by size and thread, or in fast ones.
const LARGEST_CACHED: u64 = 1_088;
const LARGEST_FAST: u64 = 176;

/// An arena (`malloc_state`): its lock, the fast lists and two single chunks, and the lists of free chunks, each
/// of two words.
const FIRST_LIST: u64 = 112;
const LISTS: u64 = 127;
const ARENA: u64 = FIRST_LIST + LISTS * 16;

/// Of this many blocks it is seen whose chunks they are, and one in so many of them tells.
const LOOKED_AT: usize = 4_096;
const TELLING: usize = 64;
/// An allocator between the recorder and glibc may have a header of its own, up to these bytes.
const LONGEST_OTHER_HEADER: u64 = 64;

/// Knows glibc's chunks and arenas.
#[derive(Clone, Copy)]
pub(super) struct Glibc<'b> {
    blocks: &'b Blocks,
    /// What stands in memory that a thread keeps for itself; 0 where unknown.
    key: u64,
}

impl<'b> Glibc<'b> {
    pub(super) fn new(blocks: &'b Blocks, key: u64) -> Self {
        Self { blocks, key }
    }

    /// Whether C programs get their memory from glibc, and the blocks come from elsewhere.
    pub(super) fn is_for_others_alone(self) -> bool {
        self.key != 0 && !self.blocks_are_chunks()
    }

    /// Where the arena ends that begins here.
    #[inline]
    pub(super) fn arena_end(self, at: u64) -> Option<u64> {
        self.is_arena(at).then_some(at + ARENA)
    }

    /// Whether blocks are chunks of glibc's, or lie within some.
    fn blocks_are_chunks(self) -> bool {
        let all = &self.blocks.list;
        let is_chunk = |block: &Block| {
            let mut headers = (0..=LONGEST_OTHER_HEADER).step_by(16);
            headers.any(|other_header| self.chunk_of(*block, other_header).is_some())
        };
        let looked_at = all.iter().step_by((all.len() / LOOKED_AT).max(1));
        let chunks = looked_at.clone().filter(|block| is_chunk(block)).count();
        chunks * TELLING > looked_at.count()
    }

    /// Where the memory of the next chunk begins behind that of a block.
    #[inline]
    pub(super) fn next_behind(self, block: Block) -> Option<u64> {
        let size = self.chunk_of(block, 0).filter(|_| self.key != 0)?;
        block.header().checked_add(size)
    }

    /// The size of the chunk that a block lies in, behind another header: it stands in front, and the chunk
    /// before it is in use.
    #[inline]
    fn chunk_of(self, block: Block, other_header: u64) -> Option<u64> {
        let size = block.size() + HEADER + other_header;
        let least = (size + 8).next_multiple_of(16).max(SMALLEST);
        let place = block.header().checked_sub(other_header + 8)?;
        let known = self.blocks.word(place)? & !IN_OTHER_ARENA;
        // What is left of a larger one and too small for another is a part of it.
        let sizes = [least, least + 16];
        sizes
            .into_iter()
            .find(|size| known == size | PREVIOUS_IN_USE)
    }

    /// Whether an arena begins here: all of its lists are empty, and point at themselves, or lead there and
    /// back.
    #[inline]
    fn is_arena(self, at: u64) -> bool {
        // That of the largest chunks is rarely in use, and few words look like an empty one.
        let is_list = |list: u64| self.is_list(at + FIRST_LIST + list * 16);
        is_list(LISTS - 1) && (0..LISTS - 1).all(is_list)
    }

    /// Whether a list's first and last chunk are itself, or know it for their neighbour. To a list, its own
    /// place is a chunk whose memory it is.
    #[inline]
    fn is_list(self, at: u64) -> bool {
        let list = at - CHUNK_HEADER;
        let Some((first, last)) = self.blocks.word(at).zip(self.blocks.word(at + 8)) else {
            return false;
        };
        let leads_back = |chunk: u64, offset: u64| {
            chunk == list
                || chunk.is_multiple_of(16)
                    && chunk
                        .checked_add(offset)
                        .and_then(|place| self.blocks.word(place))
                        == Some(list)
        };
        leads_back(first, 24) && leads_back(last, 16)
    }

    /// Where the free chunk ends whose memory begins here: where the memory of the next one begins, behind its size.
    /// `until` is where memory that is in use begins.
    pub(super) fn chunk_end(self, at: u64, until: u64, mapping_end: u64) -> Option<u64> {
        let size_word = self.blocks.word(at - 8)?;
        let (size, chunk) = (size_word & !FLAGS, at - CHUNK_HEADER);
        let (end, next) = (chunk.checked_add(size)?, at.checked_add(size)?);
        if size < SMALLEST || size % 16 != 0 {
            return None;
        }
        // The last chunk is all that has not been given out. One with a mapping of its own ends there too.
        let flags = size_word & (PREVIOUS_IN_USE | IS_MAPPED);
        if end == mapping_end && flags == PREVIOUS_IN_USE {
            return Some(until.min(mapping_end));
        }
        let is_free = end <= until
            && (self.is_cached(at, size) || self.is_fast(at, size) || self.is_listed(at, size));
        is_free.then_some(next.min(until))
    }

    fn is_cached(self, at: u64, size: u64) -> bool {
        self.key != 0 && size <= LARGEST_CACHED && self.blocks.word(at + 8) == Some(self.key)
    }

    /// The address of the next one of the same size, encoded with the place that it stands at.
    fn is_fast(self, at: u64, size: u64) -> bool {
        if size > LARGEST_FAST {
            return false;
        }
        let next = self.blocks.word(at).unwrap_or(1) ^ at >> 12;
        next == 0
            || next.is_multiple_of(16)
                && next
                    .checked_add(8)
                    .and_then(|place| self.blocks.word(place))
                    .is_some_and(|other| other & !FLAGS == size)
    }

    /// Both neighbours in the list lead back, and the chunk behind knows that this one is free and how large
    /// it is: else any list of a C program looks the same.
    fn is_listed(self, at: u64, size: u64) -> bool {
        let chunk = at - CHUNK_HEADER;
        let is_known_free = self.blocks.word(chunk + size) == Some(size)
            && self
                .blocks
                .word(chunk + size + 8)
                .is_some_and(|next| next & PREVIOUS_IN_USE == 0);
        let leads_back = |place: u64, offset: u64| {
            self.blocks
                .word(place)
                .filter(|neighbour| neighbour % 16 == 0)
                .and_then(|neighbour| self.blocks.word(neighbour.checked_add(offset)?))
                == Some(chunk)
        };
        is_known_free && leads_back(at, 24) && leads_back(at + 8, 16)
    }
}

/// The key that glibc writes into memory which a thread keeps for itself; 0 where it is not glibc.
pub(in crate::graph) fn key_of_cached_memory() -> u64 {
    let keys = [24, 40].map(platform::second_word_of_freed);
    if keys[0] == keys[1] { keys[0] } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_env = "gnu")]
    fn the_key_is_one_of_the_process() {
        let key = key_of_cached_memory();
        assert!(key != 0 && key == key_of_cached_memory());
    }
}
