//! The blocks of the heap, found by their headers, and which of them an address points into.

use super::array::{Array, NoMemory};
use super::mappings::{Mappings, PAGE, Run};
use crate::recorder::Recorder;
use crate::tables::scopes::{NO_SCOPE, ScopeId};
use crate::tables::site_tree::NodeId;

/// Bytes of the header before a block.
pub(super) const HEADER: u64 = crate::recorder::HEADER as u64;

/// Bits of a size in [`Block::packed`]; above them stands the site.
const SIZE_BITS: u32 = 40;
/// The bit above the site.
const LEFT_OUT: u64 = 1 << 63;

/// A block that is allocated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) start: u64,
    packed: u64,
}

impl Block {
    #[inline]
    pub(super) fn size(self) -> u64 {
        self.packed % (1 << SIZE_BITS)
    }

    /// Where its header begins.
    #[inline]
    pub(super) fn header(self) -> u64 {
        self.start - HEADER
    }

    #[inline]
    pub(super) fn end(self) -> u64 {
        self.start + self.size()
    }

    #[inline]
    pub(super) fn site(self) -> NodeId {
        ((self.packed & !LEFT_OUT) >> SIZE_BITS) as NodeId
    }

    /// Whether it is followed and not counted: it is heaplens' own, or not in the scope that is asked for.
    #[inline]
    pub(super) fn is_left_out(self) -> bool {
        self.packed & LEFT_OUT != 0
    }
}

/// All blocks by address, and what finds them.
pub(super) struct Blocks {
    pub(super) list: Array<Block>,
    pages: PageIndex,
    /// Start of the first block, and bytes from there to the end of the last one.
    start: u64,
    extent: u64,
}

impl Blocks {
    /// Looks for blocks at each place where one may begin. Those of the scope count, or all if it is none.
    ///
    /// # Safety
    /// The mappings are those of this process, in which nothing else runs.
    pub(super) unsafe fn find(
        recorder: &Recorder,
        scope: ScopeId,
        mappings: &Mappings,
    ) -> Result<Self, NoMemory> {
        let runs: &[Run] = &mappings.runs;
        let sites = recorder.walker.tree.len() as u64;
        // What only looks like a header names any site and any size.
        let is_possible =
            |site: NodeId, size| u64::from(site) < sites && size <= mappings.private_bytes;
        let own = recorder.own_site();
        let mut list: Array<Block> = Array::new()?;
        // Where the last block ends: there is none within another.
        let mut free_from = 0;
        for run in runs.iter().filter(|run| run.is_private) {
            let mut at = (run.start + HEADER)
                .next_multiple_of(8)
                .max(free_from + HEADER);
            while at <= run.end {
                // SAFETY: the caller vouches for the run, which has the 16 bytes before `at`.
                let found = unsafe { recorder.find_block(at) };
                match found {
                    Some((size, site, _)) if is_possible(site, size) => {
                        // SAFETY: it has just been found.
                        let counts = site != own
                            && (scope == NO_SCOPE || unsafe { recorder.is_in_scope(at, scope) });
                        let left_out = if counts { 0 } else { LEFT_OUT };
                        list.push(Block {
                            start: at,
                            packed: size | u64::from(site) << SIZE_BITS | left_out,
                        })?;
                        free_from = at.saturating_add(size);
                        at = (free_from + HEADER).next_multiple_of(8);
                    }
                    _ => at += 8,
                }
            }
        }
        let pages = PageIndex::new(runs, &list)?;
        let ends = list.first().zip(list.last());
        let (start, end) = ends.map_or((u64::MAX, u64::MAX), |(first, last)| {
            (first.start, last.end())
        });
        Ok(Self {
            list,
            pages,
            start,
            extent: end - start,
        })
    }

    /// The block that an address points at or into, or right behind the end of.
    #[inline]
    pub(super) fn at(&self, address: u64) -> Option<u32> {
        // Most words are no addresses.
        if address.wrapping_sub(self.start) > self.extent {
            return None;
        }
        let all = self.list.len();
        let (mut low, mut high) = match self.pages.blocks_around(address) {
            // The blocks that begin in this page before the address, and the last one before it.
            Some((first, next)) => (
                first,
                next.unwrap_or(all).min(first + MOST_IN_PAGE).min(all),
            ),
            // Nobody has touched the page: a large block has many such.
            None => (0, all),
        };
        while low < high {
            let middle = (low + high) / 2;
            if self.list[middle].start <= address {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let index = low.checked_sub(1)?;
        (address <= self.list[index].end()).then_some(index as u32)
    }

    /// The same without what lies behind the end: other allocators keep addresses there, where the next
    /// block of theirs begins.
    #[inline]
    pub(super) fn around(&self, address: u64) -> Option<u32> {
        let index = self.at(address)?;
        let block = self.list[index as usize];
        (address < block.end() || address == block.start).then_some(index)
    }

    /// Whether the page of an address is there.
    #[inline]
    fn is_there(&self, address: u64) -> bool {
        self.pages.is_there(address)
    }

    /// The word at an address, if it is aligned and there.
    #[inline]
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        // SAFETY: an aligned word in a page that is there, of a process in which nothing else runs.
        (address.is_multiple_of(8) && self.is_there(address))
            .then(|| unsafe { (address as *const u64).read() })
    }

    /// The block before which a run of memory begins, or which it begins in.
    pub(super) fn first_after(&self, address: u64) -> usize {
        self.list.partition_point(|block| block.end() <= address)
    }

    /// Calls `visit` with each aligned word of a block, and its offset.
    ///
    /// # Safety
    /// The blocks are as they were found.
    #[inline]
    pub(super) unsafe fn words(&self, block: Block, mut visit: impl FnMut(u64, u64)) {
        // SAFETY: passed on.
        let none: Option<((), u64)> = unsafe {
            self.find_word(block, 0, |word, offset| {
                visit(word, offset);
                None
            })
        };
        debug_assert!(none.is_none());
    }

    /// What `wanted` makes of the first aligned word of a block that it takes, from an offset on, and the
    /// offset behind that word. It is given each word and its offset.
    ///
    /// # Safety
    /// The blocks are as they were found.
    #[inline]
    pub(super) unsafe fn find_word<R>(
        &self,
        block: Block,
        from: u64,
        mut wanted: impl FnMut(u64, u64) -> Option<R>,
    ) -> Option<(R, u64)> {
        let mut at = block.start + from;
        let end = block.end() & !7;
        while at < end {
            let page_end = ((at | (PAGE - 1)) + 1).min(end);
            if self.pages.is_there(at) {
                for word in (at..page_end).step_by(8) {
                    // SAFETY: in a page that is there, of a process in which nothing else runs.
                    let value = unsafe { (word as *const u64).read() };
                    let offset = word - block.start;
                    if let Some(found) = wanted(value, offset) {
                        return Some((found, offset + 8));
                    }
                }
            }
            at = page_end;
        }
        None
    }
}

/// Blocks that can begin in a page: each has its header and lies at a multiple of 8.
const MOST_IN_PAGE: usize = (PAGE / HEADER) as usize + 1;

/// For each page that is there, the first block that begins in it or behind it: a table of two levels,
/// of which only what is used takes memory.
struct PageIndex {
    /// For each GiB its part of `pages`, counted from 1; 0 for none.
    gibs: Array<u32>,
    /// For each page its first block plus one; 0 for a page that is not there.
    pages: Array<u32>,
}

const GIB_BITS: u32 = 30;
const PAGE_BITS: u32 = 12;
const PAGES_IN_GIB: usize = 1 << (GIB_BITS - PAGE_BITS);
/// Addresses of programs are below 2^47.
const ADDRESS_BITS: u32 = 47;

impl PageIndex {
    fn new(runs: &[Run], blocks: &[Block]) -> Result<Self, NoMemory> {
        // SAFETY: zero is a number.
        let mut gibs = unsafe { Array::<u32>::zeroed(1 << (ADDRESS_BITS - GIB_BITS)) }?;
        let mut parts = 0;
        for run in runs {
            for gib in run.start >> GIB_BITS..=(run.end - 1) >> GIB_BITS {
                if let Some(part @ 0) = gibs.get_mut(gib as usize) {
                    parts += 1;
                    *part = parts;
                }
            }
        }
        // SAFETY: zero is a number.
        let pages = unsafe { Array::<u32>::zeroed(parts as usize * PAGES_IN_GIB) }?;
        let mut index = Self { gibs, pages };
        let mut next = 0;
        for run in runs {
            for page in run.start >> PAGE_BITS..run.end.div_ceil(PAGE) {
                let address = page << PAGE_BITS;
                while blocks.get(next).is_some_and(|block| block.start < address) {
                    next += 1;
                }
                if let Some(place) = index.place(address)
                    && let Some(first) = index.pages.get_mut(place)
                    && *first == 0
                {
                    *first = next as u32 + 1;
                }
            }
        }
        Ok(index)
    }

    #[inline]
    fn place(&self, address: u64) -> Option<usize> {
        let part = *self.gibs.get((address >> GIB_BITS) as usize)?;
        let page = (address >> PAGE_BITS) as usize % PAGES_IN_GIB;
        Some((part as usize).checked_sub(1)? * PAGES_IN_GIB + page)
    }

    #[inline]
    fn is_there(&self, address: u64) -> bool {
        self.place(address)
            .is_some_and(|place| self.pages[place] != 0)
    }

    /// The first block that begins in a page or behind it, and that of the next page where it is known.
    #[inline]
    fn blocks_around(&self, address: u64) -> Option<(usize, Option<usize>)> {
        let place = self.place(address)?;
        let first = self.pages[place].checked_sub(1)?;
        // What follows the last page of a GiB may be any other's first.
        let next = match (place + 1) % PAGES_IN_GIB {
            0 => None,
            _ => self.pages[place + 1].checked_sub(1),
        };
        Some((first as usize, next.map(|next| next as usize)))
    }
}
