//! Which unreached blocks hold each other: strongly connected components, in linear time, by Tarjan's
//! algorithm without recursion.

use super::array::{Array, NoMemory};
use super::blocks::Blocks;
use super::mark::Mark;

/// A component that a block is in.
pub(super) type ComponentId = u32;

/// Of a block that is in no component: somebody holds it.
pub(super) const NONE: ComponentId = 0;

/// The components of the unreached blocks. Whoever points at a component has a larger id.
pub(super) struct Components {
    /// For each block its component.
    pub(super) of: Array<ComponentId>,
    /// Blocks by component, in ascending order of components.
    pub(super) order: Array<u32>,
    /// For each component, from 1 on, where it begins in `order`, and one entry more for the end.
    first: Array<u32>,
}

/// A block whose pointers are being followed.
#[derive(Clone, Copy)]
struct Step {
    block: u32,
    /// Offset of the next word.
    next: u64,
}

impl Components {
    pub(super) fn of(blocks: &Blocks, marks: &[Mark]) -> Result<Self, NoMemory> {
        let len = blocks.list.len();
        // SAFETY: zero is a number.
        let (of, visit, low) = unsafe {
            (
                Array::zeroed(len)?,
                Array::zeroed(len)?,
                Array::zeroed(len)?,
            )
        };
        let mut search = Search {
            blocks,
            marks,
            components: Self {
                of,
                order: Array::new()?,
                first: Array::new()?,
            },
            visit,
            low,
            visited: 0,
            path: Array::new()?,
            open: Array::new()?,
        };
        // Component 0 stands for none.
        search.components.first.push(0)?;
        for block in 0..len as u32 {
            if marks[block as usize] == Mark::Unreached && search.visit[block as usize] == 0 {
                search.from(block)?;
            }
        }
        let end = search.components.order.len() as u32;
        search.components.first.push(end)?;
        Ok(search.components)
    }

    /// Ids of components are from 1 to this.
    pub(super) fn last(&self) -> ComponentId {
        self.first.len() as ComponentId - 2
    }

    /// The blocks of a component, from 1 on.
    pub(super) fn blocks(&self, component: ComponentId) -> &[u32] {
        let (from, to) = (
            self.first[component as usize],
            self.first[component as usize + 1],
        );
        &self.order[from as usize..to as usize]
    }
}

struct Search<'a> {
    blocks: &'a Blocks,
    marks: &'a [Mark],
    components: Components,
    /// When each block was first visited; 0 for not yet.
    visit: Array<u32>,
    /// The earliest visit that each block leads back to.
    low: Array<u32>,
    visited: u32,
    path: Array<Step>,
    /// Visited, and in no component yet.
    open: Array<u32>,
}

impl Search<'_> {
    fn from(&mut self, block: u32) -> Result<(), NoMemory> {
        self.enter(block)?;
        while let Some(&Step { block, next }) = self.path.last() {
            let at = block as usize;
            match self.next_pointer(block, next) {
                Some((target, next)) => {
                    if let Some(step) = self.path.last_mut() {
                        step.next = next;
                    }
                    let to = target as usize;
                    if self.visit[to] == 0 {
                        self.enter(target)?;
                    } else if self.components.of[to] == NONE {
                        self.low[at] = self.low[at].min(self.visit[to]);
                    }
                }
                None => {
                    self.path.pop();
                    if let Some(holder) = self.path.last() {
                        let holder = holder.block as usize;
                        self.low[holder] = self.low[holder].min(self.low[at]);
                    }
                    if self.low[at] == self.visit[at] {
                        self.close(block)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, block: u32) -> Result<(), NoMemory> {
        self.visited += 1;
        self.visit[block as usize] = self.visited;
        self.low[block as usize] = self.visited;
        self.open.push(block)?;
        self.path.push(Step { block, next: 0 })
    }

    /// Everything that was visited since this block is one component with it.
    fn close(&mut self, block: u32) -> Result<(), NoMemory> {
        let id = self.components.first.len() as ComponentId;
        self.components
            .first
            .push(self.components.order.len() as u32)?;
        while let Some(member) = self.open.pop() {
            self.components.of[member as usize] = id;
            self.components.order.push(member)?;
            if member == block {
                break;
            }
        }
        Ok(())
    }

    /// The next unreached block that this one points at, from an offset on, and the offset behind.
    fn next_pointer(&self, block: u32, from: u64) -> Option<(u32, u64)> {
        let holder = self.blocks.list[block as usize];
        // SAFETY: the blocks are as they were found, in a copy in which nothing else runs.
        unsafe {
            self.blocks.find_word(holder, from, |word, _| {
                let target = self.blocks.at(word)?;
                (self.marks[target as usize] == Mark::Unreached).then_some(target)
            })
        }
    }
}
