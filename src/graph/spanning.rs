//! In which order a walk reached blocks, from one start above all roots, and who points at whom: all that
//! dominators are told from.
//!
//! Nodes are numbered as a depth-first walk meets them. Of each are kept the node that it was met from,
//! and the others that point at it. Most blocks have no other, so this is little beside a list of all
//! pointers. What nodes stand for is not known here.

use super::array::{Array, Budget, NoMemory};

/// The number of the start.
pub(super) const START: u32 = 0;

/// Nodes and pointers that are taken in between two looks at the memory that is left.
const BETWEEN_LOOKS: usize = 1 << 14;

/// The nodes so far.
pub(super) struct Spanning {
    /// What each stands for, by its number.
    pub(super) meaning: Array<u32>,
    /// From which node each was met first; the start from itself.
    pub(super) parent: Array<u32>,
    /// For each the place of the last of the others that point at it, plus one; 0 for none.
    last_other: Array<u32>,
    others: Array<Other>,
    pub(super) budget: Budget,
}

/// A node that points at one which was met before.
#[derive(Clone, Copy)]
struct Other {
    holder: u32,
    /// The one before, as in `last_other`.
    before: u32,
}

impl Spanning {
    /// The start alone.
    pub(super) fn new(budget: Budget) -> Result<Self, NoMemory> {
        let mut spanning = Self {
            meaning: Array::new()?,
            parent: Array::new()?,
            last_other: Array::new()?,
            others: Array::new()?,
            budget,
        };
        spanning.enter(u32::MAX, START)?;
        Ok(spanning)
    }

    pub(super) fn len(&self) -> usize {
        self.parent.len()
    }

    /// The walk meets a node: its number.
    #[inline]
    pub(super) fn enter(&mut self, meaning: u32, parent: u32) -> Result<u32, NoMemory> {
        let number = self.len();
        if number.is_multiple_of(BETWEEN_LOOKS) {
            self.budget.covers(0)?;
        }
        self.meaning.push(meaning)?;
        self.parent.push(parent)?;
        self.last_other.push(0)?;
        u32::try_from(number).map_err(|_| NoMemory)
    }

    /// A node points at one that was met before.
    #[inline]
    pub(super) fn point(&mut self, holder: u32, held: u32) -> Result<(), NoMemory> {
        if self.others.len().is_multiple_of(BETWEEN_LOOKS) {
            self.budget.covers(0)?;
        }
        // No walk comes back to the start, and what a node holds of itself tells nothing.
        if holder == held || held == START {
            return Ok(());
        }
        let last = &mut self.last_other[held as usize];
        self.others.push(Other {
            holder,
            before: *last,
        })?;
        *last = u32::try_from(self.others.len()).map_err(|_| NoMemory)?;
        Ok(())
    }

    /// The nodes that point at one beside its parent; some of them may be the parent again.
    #[inline]
    pub(super) fn others(&self, held: u32) -> impl Iterator<Item = u32> {
        let mut at = self.last_other[held as usize];
        std::iter::from_fn(move || {
            let other = self.others[at.checked_sub(1)? as usize];
            at = other.before;
            Some(other.holder)
        })
    }

    /// What nodes stand for, alone.
    pub(super) fn into_meaning(self) -> Array<u32> {
        self.meaning
    }
}
