//! Which blocks a path of pointers leads to, and from what kind of memory it begins.

use super::array::{Array, NoMemory};
use super::blocks::Blocks;
use super::free_memory::FreeMemory;
use super::holding::Holding;
use super::mappings::Run;
use super::roots::Place;

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
    /// Blocks that are marked and whose contents are being looked at, each held by the one before.
    path: Array<Step>,
    /// Who points at whom, where that is asked for and there is room.
    holding: Option<Holding<'b>>,
}

/// A block whose pointers are being followed.
#[derive(Clone, Copy)]
struct Step {
    block: u32,
    /// Words that have been looked at. Of blocks with more than fit, the last ones are looked at again.
    words: u32,
}

impl<'b> Marks<'b> {
    pub(super) fn new(blocks: &'b Blocks, holding: Option<Holding<'b>>) -> Result<Self, NoMemory> {
        Ok(Self {
            blocks,
            // SAFETY: zero is `Unreached`.
            of: unsafe { Array::zeroed(blocks.list.len()) }?,
            path: Array::new()?,
            holding,
        })
    }

    /// What was taken in of who points at whom, once all is marked. `None`: it was not asked for, or memory
    /// was short.
    pub(super) fn take_holding(&mut self) -> Option<Holding<'b>> {
        self.holding.take()
    }

    /// Marks what registers point at, and all that is reached from there.
    ///
    /// # Safety
    /// The blocks are as they were found.
    pub(super) unsafe fn follow_registers(
        &mut self,
        words: impl IntoIterator<Item = u64>,
    ) -> Result<(), NoMemory> {
        for word in words {
            if let Some(index) = self.blocks.at(word) {
                // SAFETY: passed on.
                unsafe { self.follow(index, Mark::Held, |_| Place::Register) }?;
            }
        }
        Ok(())
    }

    /// Marks what memory outside of blocks points at, and all that is reached from there: strong memory, or
    /// all other, without what is `free`.
    ///
    /// # Safety
    /// The runs are those that the blocks were found in, as they were then.
    pub(super) unsafe fn follow_memory(
        &mut self,
        runs: &[Run],
        is_strong: bool,
        free: FreeMemory<'_>,
    ) -> Result<(), NoMemory> {
        for run in runs.iter().filter(|run| run.kind.is_strong() == is_strong) {
            let mut at = run.start;
            let mut next = self.blocks.first_after(at);
            while at < run.end {
                let block = self.blocks.list.get(next).copied();
                // Headers hold no pointers.
                let until = block.map_or(run.end, |block| block.header().min(run.end));
                while at < until {
                    let heap_end = (!is_strong).then_some(run.mapping_end);
                    if let Some(end) = free.end(at, until, heap_end) {
                        at = end;
                        continue;
                    }
                    // SAFETY: the caller vouches for the run.
                    let word = unsafe { (at as *const u64).read() };
                    let (index, mark) = match is_strong {
                        true => (self.blocks.at(word), Mark::Held),
                        false => (self.blocks.around(word), Mark::Foreign),
                    };
                    if let Some(index) = index {
                        let place =
                            |holding: &Holding<'_>| holding.place(run.kind, at, run.mapping_end);
                        // SAFETY: passed on.
                        unsafe { self.follow(index, mark, place) }?;
                    }
                    at += 8;
                }
                at = match block {
                    Some(block) if block.header() < run.end => {
                        let follows = self.blocks.list.get(next + 1);
                        let until = follows.map_or(run.end, |block| block.header().min(run.end));
                        free.end_behind(block, until)
                    }
                    _ => run.end,
                };
                next += 1;
            }
        }
        Ok(())
    }

    /// Marks a block as held that nothing points at now, and all that is reached from there.
    ///
    /// # Safety
    /// As for [`Marks::follow_registers`].
    pub(super) unsafe fn follow_moving(&mut self, index: u32) -> Result<(), NoMemory> {
        // SAFETY: passed on.
        unsafe { self.follow(index, Mark::Held, |_| Place::Moving) }
    }

    /// A word at a place outside of blocks points at a block.
    ///
    /// # Safety
    /// As for [`Marks::follow_registers`].
    #[inline]
    unsafe fn follow(
        &mut self,
        index: u32,
        mark: Mark,
        place: impl FnOnce(&Holding<'_>) -> Place,
    ) -> Result<(), NoMemory> {
        let blocks = self.blocks;
        let is_met = self.of[index as usize].meet(mark);
        if self.of[index as usize].counts_pointers_of(mark) {
            note(&mut self.holding, |holding| {
                let place = place(holding);
                holding.root_points(place, blocks, index, is_met)
            });
        }
        if !is_met {
            return Ok(());
        }
        // SAFETY: passed on.
        unsafe { self.descend(index, mark) }
    }

    /// Marks all that a block leads to, depth first.
    unsafe fn descend(&mut self, index: u32, mark: Mark) -> Result<(), NoMemory> {
        let blocks = self.blocks;
        self.enter(index)?;
        while let Some(&Step { block, words }) = self.path.last() {
            let holder = blocks.list[block as usize];
            let Self { of, holding, .. } = self;
            // SAFETY: the caller vouches for the blocks.
            let found = unsafe {
                blocks.find_word(holder, u64::from(words) * 8, |word, offset| {
                    let target = blocks.at(word)?;
                    let known = &mut of[target as usize];
                    let is_met = known.meet(mark);
                    if known.counts_pointers_of(mark) {
                        note(holding, |holding| {
                            holding.block_points(blocks, (block, holder), offset, target, is_met)
                        });
                    }
                    is_met.then_some(target)
                })
            };
            match (found, self.path.last_mut()) {
                (Some((target, next)), Some(step)) => {
                    step.words = u32::try_from(next / 8).unwrap_or(u32::MAX);
                    self.enter(target)?;
                }
                _ => _ = self.path.pop(),
            }
        }
        Ok(())
    }

    fn enter(&mut self, block: u32) -> Result<(), NoMemory> {
        let step = Step { block, words: 0 };
        if self.path.push(step).is_ok() {
            return Ok(());
        }
        // What is marked counts for more.
        self.holding = None;
        self.path.push(step)
    }
}

impl Mark {
    /// A pointer from what is marked so leads here: whether it is the first one.
    #[inline]
    fn meet(&mut self, mark: Self) -> bool {
        let is_met = *self == Self::Unreached;
        if is_met {
            *self = mark;
        }
        is_met
    }

    /// Whether pointers from what is marked so hold what is marked like this: what foreign memory points at too
    /// does not depend on it.
    #[inline]
    fn counts_pointers_of(self, holder: Self) -> bool {
        holder == Self::Held || self == Self::Foreign
    }
}

/// Takes something in, or goes on without once there is no room.
#[inline]
fn note<'b>(
    holding: &mut Option<Holding<'b>>,
    take_in: impl FnOnce(&mut Holding<'b>) -> Result<(), NoMemory>,
) {
    if let Some(known) = holding
        && take_in(known).is_err()
    {
        *holding = None;
    }
}
