//! What an allocator has taken back that nobody but the recorder has memory from, told by the seals that blocks
//! are left with, and by what mimalloc writes into what it has not given out.
//!
//! A piece ends with its page at the latest: the next one may have been mapped anew.

use super::GRAIN;
use crate::graph::blocks::{Blocks, HEADER};
use crate::graph::mappings::PAGE;
use crate::recorder::Recorder;

/// Knows seals, and what is between blocks.
#[derive(Clone, Copy)]
pub(super) struct Sealed<'b> {
    blocks: &'b Blocks,
    recorder: &'b Recorder,
}

impl<'b> Sealed<'b> {
    pub(super) fn new(blocks: &'b Blocks, recorder: &'b Recorder) -> Self {
        Self { blocks, recorder }
    }

    /// Where a block ends that was freed, whose header begins here, and what is left behind it. `until` is where
    /// memory that is in use begins.
    #[inline]
    pub(super) fn freed_end(self, at: u64, until: u64) -> Option<u64> {
        let size = self.freed(at, until)?;
        let start = at + HEADER;
        let page_end = start.next_multiple_of(PAGE);
        let end = (start + size).next_multiple_of(8);
        let end = self.next_behind(end, size, until).unwrap_or(end);
        Some(end.min(page_end).min(until))
    }

    /// The size of a block that was freed, whose header begins here.
    #[inline]
    fn freed(self, at: u64, until: u64) -> Option<u64> {
        let start = at + HEADER;
        // SAFETY: what lies before `until` is there, and so the header.
        (start <= until).then(|| unsafe { self.recorder.find_freed(start) })?
    }

    /// What comes next behind a block that is in use or was, if that is nearer than the block is long: nothing
    /// is between them then, for there is no room for another block of its size, or for a page.
    #[inline]
    pub(super) fn next_behind(self, end: u64, size: u64, until: u64) -> Option<u64> {
        let room = (size + HEADER).min(PAGE);
        (end..until)
            .step_by(8)
            .take((room / 8) as usize)
            .find(|&at| self.freed(at, until).is_some())
            .or((until.saturating_sub(end) < room).then_some(until))
    }

    /// Where the first of several pieces ends that are free and of one size, in a page that has blocks: each
    /// begins with the address of the next, as mimalloc leaves those that nobody has had since it cut a page
    /// into this size.
    #[inline]
    pub(super) fn chained_end(self, at: u64, until: u64) -> Option<u64> {
        let size = self.blocks.word(at)?.wrapping_sub(at);
        let next = at.checked_add(size)?;
        let is_piece = (HEADER..=PAGE).contains(&size) && size % GRAIN == 0 && next <= until;
        if !is_piece || self.blocks.word(next) != next.checked_add(size) {
            return None;
        }
        let page = at & !(PAGE - 1);
        let block = self.blocks.list.get(self.blocks.first_after(page))?;
        (block.header() < page + PAGE).then_some(next)
    }
}
