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
    /// For each component whether another one points at it.
    is_held: Array<bool>,
    /// For each component whether it is a cycle: it has several blocks, or one that points at its own start.
    is_cycle: Array<bool>,
}

/// A block whose pointers are being followed.
#[derive(Clone, Copy)]
struct Step {
    block: u32,
    /// It points at its own start.
    is_cycle: bool,
    /// Offset of the next word.
    next: u64,
}

/// A pointer to an unreached block.
struct Pointer {
    target: u32,
    /// It is at the start of the block that it points at.
    is_cycle: bool,
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
                is_held: Array::new()?,
                is_cycle: Array::new()?,
            },
            visit,
            low,
            visited: 0,
            path: Array::new()?,
            open: Array::new()?,
        };
        // Component 0 stands for none.
        search.components.begin(0, false)?;
        for block in 0..len as u32 {
            if marks[block as usize] == Mark::Unreached && search.visit[block as usize] == 0 {
                search.from(block)?;
            }
        }
        let end = search.components.order.len() as u32;
        search.components.first.push(end)?;
        Ok(search.components)
    }

    /// Another component, whose blocks begin at a place in `order`.
    fn begin(&mut self, first: usize, is_cycle: bool) -> Result<(), NoMemory> {
        self.first.push(first as u32)?;
        self.is_held.push(false)?;
        self.is_cycle.push(is_cycle)
    }

    /// Whether a component is held by another one.
    pub(super) fn is_held(&self, component: ComponentId) -> bool {
        self.is_held[component as usize]
    }

    /// Whether a component is a cycle.
    pub(super) fn is_cycle(&self, component: ComponentId) -> bool {
        self.is_cycle[component as usize]
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
        while let Some(&Step {
            block,
            next,
            is_cycle,
        }) = self.path.last()
        {
            let at = block as usize;
            match self.next_pointer(block, next) {
                Some((pointer, next)) => {
                    if let Some(step) = self.path.last_mut() {
                        step.next = next;
                        step.is_cycle |= pointer.is_cycle;
                    }
                    let to = pointer.target as usize;
                    if self.visit[to] == 0 {
                        self.enter(pointer.target)?;
                        continue;
                    }
                    match self.components.of[to] {
                        // Whatever is on the way leads back here.
                        NONE => self.low[at] = self.low[at].min(self.visit[to]),
                        other => self.components.is_held[other as usize] = true,
                    }
                }
                None => {
                    self.path.pop();
                    let holder = self.path.last().map(|step| step.block as usize);
                    if let Some(holder) = holder {
                        self.low[holder] = self.low[holder].min(self.low[at]);
                    }
                    if self.low[at] == self.visit[at] {
                        self.close(block, is_cycle, holder.is_some())?;
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
        self.path.push(Step {
            block,
            is_cycle: false,
            next: 0,
        })
    }

    /// Everything that was visited since this block is one component with it. `is_cycle`: the block points at
    /// itself.
    fn close(&mut self, block: u32, is_cycle: bool, is_held: bool) -> Result<(), NoMemory> {
        let id = self.components.first.len() as ComponentId;
        let first = self.components.order.len();
        let is_alone = self.open.last() == Some(&block);
        self.components.begin(first, is_cycle || !is_alone)?;
        self.components.is_held[id as usize] = is_held;
        while let Some(member) = self.open.pop() {
            self.components.of[member as usize] = id;
            self.components.order.push(member)?;
            if member == block {
                break;
            }
        }
        Ok(())
    }

    /// The next pointer to an unreached block in this one, from an offset on, and the offset behind.
    fn next_pointer(&self, block: u32, from: u64) -> Option<(Pointer, u64)> {
        let holder = self.blocks.list[block as usize];
        // SAFETY: the blocks are as they were found, in a copy in which nothing else runs.
        unsafe {
            self.blocks.find_word(holder, from, |word, _| {
                let target = self.blocks.at(word)?;
                let is_unreached = self.marks[target as usize] == Mark::Unreached;
                is_unreached.then_some(Pointer {
                    target,
                    is_cycle: word == holder.start,
                })
            })
        }
    }
}
