//! Which blocks a path of pointers leads to, and from what kind of memory it begins.

use super::array::{Array, NoMemory};
use super::blocks::Blocks;
use super::free_memory::FreeMemory;
use super::mappings::{Kind, Run};

/// From where a block is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Mark {
    /// From nowhere.
    Unreached = 0,
    /// From what the program can reach for certain.
    Held,
    /// Only from memory that is not the recorder's.
    Foreign,
}

/// The marks of all blocks, by their index.
pub(super) struct Marks<'b> {
    blocks: &'b Blocks,
    pub(super) of: Array<Mark>,
    /// Blocks that are marked, and whose contents are still to be looked at.
    open: Array<u32>,
}

impl<'b> Marks<'b> {
    pub(super) fn new(blocks: &'b Blocks) -> Result<Self, NoMemory> {
        Ok(Self {
            blocks,
            // SAFETY: zero is `Unreached`.
            of: unsafe { Array::zeroed(blocks.list.len()) }?,
            open: Array::new()?,
        })
    }

    /// Marks what these words point at, and all that is reached from there.
    ///
    /// # Safety
    /// The blocks are as they were found.
    pub(super) unsafe fn follow_words(
        &mut self,
        words: impl IntoIterator<Item = u64>,
        mark: Mark,
    ) -> Result<(), NoMemory> {
        for word in words {
            self.touch(word, mark)?;
        }
        // SAFETY: passed on.
        unsafe { self.follow(mark) }
    }

    /// Marks what memory of this kind outside of blocks points at, and all that is reached from there. `key`
    /// tells free memory of the C library.
    ///
    /// # Safety
    /// The runs are those that the blocks were found in, as they were then.
    pub(super) unsafe fn follow_memory(
        &mut self,
        runs: &[Run],
        kind: Kind,
        mark: Mark,
        key: u64,
    ) -> Result<(), NoMemory> {
        let free = FreeMemory::new(self.blocks, key);
        for run in runs.iter().filter(|run| run.kind == kind) {
            let mut at = run.start;
            let mut next = self.blocks.first_after(at);
            while at < run.end {
                let block = self.blocks.list.get(next).copied();
                // Headers hold no pointers.
                let until = block.map_or(run.end, |block| block.header().min(run.end));
                while at < until {
                    let heap_end = (kind == Kind::Weak).then_some(run.mapping_end);
                    if at % 16 == 0
                        && let Some(end) = free.end(at, until, heap_end)
                    {
                        at = end;
                        continue;
                    }
                    // SAFETY: the caller vouches for the run.
                    let word = unsafe { (at as *const u64).read() };
                    match kind {
                        Kind::Strong => self.touch(word, mark)?,
                        Kind::Weak => {
                            if let Some(index) = self.blocks.around(word) {
                                self.mark(index, mark)?;
                            }
                        }
                    }
                    at += 8;
                }
                at = match block {
                    Some(block) if block.header() < run.end => block.end().next_multiple_of(8),
                    _ => run.end,
                };
                next += 1;
            }
            // SAFETY: passed on.
            unsafe { self.follow(mark) }?;
        }
        Ok(())
    }

    /// Marks a block itself, and all that is reached from there.
    ///
    /// # Safety
    /// As for [`Marks::follow_words`].
    pub(super) unsafe fn follow_block(&mut self, index: u32, mark: Mark) -> Result<(), NoMemory> {
        self.mark(index, mark)?;
        // SAFETY: passed on.
        unsafe { self.follow(mark) }
    }

    #[inline]
    fn touch(&mut self, word: u64, mark: Mark) -> Result<(), NoMemory> {
        match self.blocks.at(word) {
            Some(index) => self.mark(index, mark),
            None => Ok(()),
        }
    }

    #[inline]
    fn mark(&mut self, index: u32, mark: Mark) -> Result<(), NoMemory> {
        let known = &mut self.of[index as usize];
        if *known != Mark::Unreached {
            return Ok(());
        }
        *known = mark;
        self.open.push(index)
    }

    unsafe fn follow(&mut self, mark: Mark) -> Result<(), NoMemory> {
        while let Some(index) = self.open.pop() {
            let block = self.blocks.list[index as usize];
            let mut result = Ok(());
            // SAFETY: the caller vouches for the blocks.
            unsafe {
                self.blocks.words(block, |word, _| {
                    if let Err(error) = self.touch(word, mark) {
                        result = Err(error);
                    }
                });
            }
            result?;
        }
        Ok(())
    }
}
