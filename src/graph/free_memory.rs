//! Memory that an allocator has taken back: words in it are left over, and hold nothing.
//!
//! That of the C library's is told by what glibc writes into it. The same of its arenas, which list this memory: a
//! piece of it begins with the last word of the block before, so the lists point at blocks. Each pattern
//! proves itself: a random key of the process, lists that lead back, a size that ends where the mapping ends.
//! With another C library nothing matches.
//!
//! That of other allocators is told by the seals that blocks are left with, to the end of a page: what lies in
//! the next one may have been mapped anew; and by what mimalloc writes into what it has not given out. Where C programs get memory of the same allocator, one of
//! their blocks may have a seal within that nobody has written over; so not over glibc's, and not where the C
//! library's is not glibc's: it may be the program's own.
//!
//! What matches nothing is taken for memory in use.

use super::blocks::{Block, Blocks, HEADER};
use super::mappings::PAGE;
use crate::platform;
use crate::recorder::Recorder;

/// Bytes of a chunk before its memory: the size stands in the second word.
const CHUNK_HEADER: u64 = 16;
/// Flags in the low bits of a size.
const FLAGS: u64 = 7;
/// The chunk before is in use, so that what it wrote into this one's first word is its own.
const PREVIOUS_IN_USE: u64 = 1;
/// The chunk is a mapping of its own, and in use.
const IS_MAPPED: u64 = 2;
const SMALLEST: u64 = 32;
/// Chunks up to this size are kept in lists by size and thread, or in fast ones.
const LARGEST_CACHED: u64 = 1_088;
const LARGEST_FAST: u64 = 176;

/// An arena (`malloc_state`): its lock, the fast lists and two single chunks, and the lists of free chunks, each
/// of two words.
const FIRST_LIST: u64 = 112;
const LISTS: u64 = 127;
const ARENA: u64 = FIRST_LIST + LISTS * 16;

/// What an allocator gives out begins at a multiple of this: `malloc` has to.
const GRAIN: u64 = 16;

/// Of this many blocks it is seen whose chunks they are, and one in so many of them tells.
const LOOKED_AT: usize = 4_096;
const TELLING: usize = 64;

/// Finds free memory.
#[derive(Clone, Copy)]
pub(super) struct FreeMemory<'b> {
    blocks: &'b Blocks,
    /// What stands in memory that a thread keeps for itself; 0 where unknown.
    key: u64,
    /// Knows the seals, where these tell.
    recorder: Option<&'b Recorder>,
}

impl<'b> FreeMemory<'b> {
    pub(super) fn new(blocks: &'b Blocks, recorder: &'b Recorder, key: u64) -> Self {
        let without_seals = Self {
            blocks,
            key,
            recorder: None,
        };
        let are_telling = key != 0 && !without_seals.blocks_are_chunks();
        Self {
            recorder: are_telling.then_some(recorder),
            ..without_seals
        }
    }

    /// Where the free memory ends that begins at a multiple of 8, or the arena, if one does. `until` is
    /// where memory that is in use begins. `heap_end` is where the mapping ends, if it may be a heap.
    #[inline]
    pub(super) fn end(self, at: u64, until: u64, heap_end: Option<u64>) -> Option<u64> {
        let sealed = heap_end.and_then(|_| self.sealed_end(at, until));
        if sealed.is_some() || !at.is_multiple_of(GRAIN) {
            return sealed;
        }
        let chained = heap_end.and_then(|_| self.chained_end(at, until));
        if chained.is_some() {
            return chained;
        }
        if self.is_arena(at) {
            return Some((at + ARENA).min(until));
        }
        self.chunk_end(at, until, heap_end?)
    }

    /// Where a block ends that was freed, whose header begins here, or its first page.
    #[inline]
    fn sealed_end(self, at: u64, until: u64) -> Option<u64> {
        let size = self.sealed(at, until)?;
        let start = at + HEADER;
        let page_end = (start - 1 | (PAGE - 1)) + 1;
        let end = self.behind(start + size, size, until);
        Some(end.min(page_end).min(until))
    }

    /// The size of a block that was freed, whose header begins here.
    #[inline]
    fn sealed(self, at: u64, until: u64) -> Option<u64> {
        let (recorder, start) = (self.recorder?, at + HEADER);
        // SAFETY: what lies before `until` is there, and so the header.
        (start <= until).then(|| unsafe { recorder.find_freed(start) })?
    }

    /// Where the first of several pieces ends that are free and of one size, in a page that has blocks: each
    /// begins with the address of the next, as mimalloc leaves those that nobody has had since it cut a page into
    /// this size.
    #[inline]
    fn chained_end(self, at: u64, until: u64) -> Option<u64> {
        self.recorder?;
        let size = self.word(at)?.wrapping_sub(at);
        let next = at.checked_add(size)?;
        let is_piece = (HEADER..=PAGE).contains(&size) && size % GRAIN == 0 && next <= until;
        if !is_piece || self.word(next) != next.checked_add(size) {
            return None;
        }
        let page = at & !(PAGE - 1);
        let block = self.blocks.list.get(self.blocks.first_after(page))?;
        (block.header() < page + PAGE).then_some(next)
    }

    /// Where memory that may be in use begins behind a block. `until` is the next header, or the end of what is
    /// there.
    #[inline]
    pub(super) fn end_behind(self, block: Block, until: u64) -> u64 {
        match block.end() < until {
            true => self.behind(block.end(), block.size(), until),
            false => until,
        }
    }

    /// The same behind a block that is in use or was. Where the next one begins nearer than this one is long,
    /// nothing is between them: there is no room for another one of its size, or for a page.
    #[inline]
    fn behind(self, end: u64, size: u64, until: u64) -> u64 {
        let from = end.next_multiple_of(8);
        let room = (size + HEADER).min(PAGE);
        let next = self.recorder.and_then(|_| {
            (from..until)
                .step_by(8)
                .take((room / 8) as usize)
                .find(|&at| self.sealed(at, until).is_some())
                .or((until.saturating_sub(from) < room).then_some(until))
        });
        next.unwrap_or(end.next_multiple_of(GRAIN))
    }

    /// Whether blocks are chunks of glibc's: the size of one stands in front of it.
    fn blocks_are_chunks(self) -> bool {
        let all = &self.blocks.list;
        let is_chunk = |block: &Block| {
            let least = (block.size() + HEADER + 8)
                .next_multiple_of(16)
                .max(SMALLEST);
            let size = self.word(block.header() - 8).map(|word| word & !FLAGS);
            // What is left of a larger one and too small for another is a part of it.
            size == Some(least) || size == Some(least + 16)
        };
        let looked_at = all.iter().step_by((all.len() / LOOKED_AT).max(1));
        let chunks = looked_at.clone().filter(|block| is_chunk(block)).count();
        chunks * TELLING > looked_at.count()
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
        let Some((first, last)) = self.word(at).zip(self.word(at + 8)) else {
            return false;
        };
        let leads_back = |chunk: u64, offset: u64| {
            chunk == list
                || chunk.is_multiple_of(16)
                    && chunk.checked_add(offset).and_then(|place| self.word(place)) == Some(list)
        };
        leads_back(first, 24) && leads_back(last, 16)
    }

    fn chunk_end(self, at: u64, until: u64, mapping_end: u64) -> Option<u64> {
        let size_word = self.word(at - 8)?;
        let (size, chunk) = (size_word & !FLAGS, at - CHUNK_HEADER);
        let end = chunk.checked_add(size)?;
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
        is_free.then_some(end)
    }

    fn is_cached(self, at: u64, size: u64) -> bool {
        self.key != 0 && size <= LARGEST_CACHED && self.word(at + 8) == Some(self.key)
    }

    /// The address of the next one of the same size, encoded with the place that it stands at.
    fn is_fast(self, at: u64, size: u64) -> bool {
        if size > LARGEST_FAST {
            return false;
        }
        let next = self.word(at).unwrap_or(1) ^ at >> 12;
        next == 0
            || next.is_multiple_of(16)
                && next
                    .checked_add(8)
                    .and_then(|place| self.word(place))
                    .is_some_and(|other| other & !FLAGS == size)
    }

    /// Both neighbours in the list lead back, and the chunk behind knows that this one is free and how large
    /// it is: else any list of a C program looks the same.
    fn is_listed(self, at: u64, size: u64) -> bool {
        let chunk = at - CHUNK_HEADER;
        let is_known_free = self.word(chunk + size) == Some(size)
            && self
                .word(chunk + size + 8)
                .is_some_and(|next| next & PREVIOUS_IN_USE == 0);
        let leads_back = |place: u64, offset: u64| {
            self.word(place)
                .filter(|neighbour| neighbour % 16 == 0)
                .and_then(|neighbour| self.word(neighbour.checked_add(offset)?))
                == Some(chunk)
        };
        is_known_free && leads_back(at, 24) && leads_back(at + 8, 16)
    }

    fn word(self, place: u64) -> Option<u64> {
        // SAFETY: an aligned word in a page that is there, of a process in which nothing else runs.
        (place.is_multiple_of(8) && self.blocks.is_there(place))
            .then(|| unsafe { (place as *const u64).read() })
    }
}

/// The key that glibc writes into memory which a thread keeps for itself; 0 where it is not glibc.
pub(super) fn key_of_cached_memory() -> u64 {
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
