//! The places outside of blocks that point at some, one row for each: a stack, the thread-locals of a thread,
//! all registers, a word of static data.
//!
//! Rows are of bounded number. Words of static data beyond it count in one row for their module, stacks and
//! thread-locals in one for all of a kind.

use super::array::{Array, NoMemory};
use super::holders::{ROOTS, Root, RootKind};
use super::report::Sum;
use crate::snapshot::SPECIAL_MODULE;

/// Most words of static data with rows of their own, and most stacks and thread-locals.
const WORDS: usize = 1 << 12;
const THREADS: usize = 1 << 13;
// The others are one for each module, and a few.
const _: () = assert!(WORDS + THREADS + 2_048 + 16 <= ROOTS);

/// Where a word outside of blocks stands, as far as rows tell it apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Register,
    /// Nobody knows where: the block was pointed at a moment before.
    Moving,
    /// Memory that is not the recorder's.
    Foreign,
    /// A stack, by where its mapping ends; 0 for all that have no row.
    Stack(u64),
    /// The same of thread-locals.
    ThreadLocal(u64),
    /// Static data: a module as a snapshot counts them, and an address in it; 0 for all that have no row.
    Global {
        module: u32,
        address: u64,
    },
}

impl Place {
    /// The row of those that have none of their own.
    fn rest(self) -> Self {
        match self {
            Self::Stack(_) => Self::Stack(0),
            Self::ThreadLocal(_) => Self::ThreadLocal(0),
            Self::Global { module, .. } => Self::Global { module, address: 0 },
            other => other,
        }
    }
}

/// The rows so far.
pub(super) struct Roots {
    places: Array<Place>,
    direct: Array<Sum>,
    /// The row of the word before.
    last: Option<usize>,
    /// Blocks that it points at, some of them more than once, and their sizes.
    held: Array<(u32, u64)>,
    words: usize,
    threads: usize,
}

impl Roots {
    pub(super) fn new() -> Result<Self, NoMemory> {
        Ok(Self {
            places: Array::new()?,
            direct: Array::new()?,
            last: None,
            held: Array::new()?,
            words: 0,
            threads: 0,
        })
    }

    /// How many rows there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// The row of a place, which is added where it is missing. Words of one place come one after the other.
    #[inline]
    pub(super) fn row(&mut self, place: Place) -> Result<usize, NoMemory> {
        match self.last.filter(|&last| self.places[last] == place) {
            Some(last) => Ok(last),
            None => self.other_row(place),
        }
    }

    #[cold]
    fn other_row(&mut self, mut place: Place) -> Result<usize, NoMemory> {
        let rest = place.rest();
        let is_new = match place {
            Place::Stack(_) | Place::ThreadLocal(_) => self.threads < THREADS,
            Place::Global { .. } => place != rest && self.words < WORDS,
            _ => false,
        };
        if !is_new {
            place = rest;
        }
        // A place with a row of its own is new: its words come one after the other.
        let known = match is_new {
            true => None,
            false => self.places.iter().position(|known| *known == place),
        };
        let row = match known {
            Some(row) => row,
            None => {
                self.words += usize::from(matches!(place, Place::Global { .. }));
                let is_thread = matches!(place, Place::Stack(_) | Place::ThreadLocal(_));
                self.threads += usize::from(is_thread);
                self.places.push(place)?;
                self.direct.push(Sum::default())?;
                self.places.len() - 1
            }
        };
        if self.last != Some(row) {
            self.count_held();
            self.last = Some(row);
        }
        Ok(row)
    }

    /// The row that was asked for last points at a block of so many bytes.
    #[inline]
    pub(super) fn hold(&mut self, block: u32, size: u64) -> Result<(), NoMemory> {
        self.held.push((block, size))
    }

    /// Counts the blocks of the row at hand, each once.
    fn count_held(&mut self) {
        let Some(row) = self.last else { return };
        self.held.sort_unstable();
        let mut before = None;
        for &(block, size) in self.held.iter() {
            if before.replace(block) != Some(block) {
                self.direct[row].add(size);
            }
        }
        self.held.clear();
    }

    /// All rows.
    pub(super) fn finish(mut self) -> Result<Array<Root>, NoMemory> {
        self.count_held();
        let mut roots = Array::new()?;
        for (&place, &direct) in self.places.iter().zip(self.direct.iter()) {
            let (kind, module, address) = match place {
                Place::Register => (RootKind::Register, SPECIAL_MODULE, 0),
                Place::Moving => (RootKind::Moving, SPECIAL_MODULE, 0),
                Place::Foreign => (RootKind::Foreign, SPECIAL_MODULE, 0),
                Place::Stack(_) => (RootKind::Stack, SPECIAL_MODULE, 0),
                Place::ThreadLocal(_) => (RootKind::ThreadLocal, SPECIAL_MODULE, 0),
                Place::Global { module, address } => (RootKind::Global, module, address),
            };
            roots.push(Root {
                kind,
                module,
                address,
                direct,
            })?;
        }
        Ok(roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: impl IntoIterator<Item = (Place, u32)>) -> Vec<(RootKind, u32, u64, u64, u64)> {
        let mut roots = Roots::new().expect("memory");
        for (place, block) in words {
            roots.row(place).expect("memory");
            roots.hold(block, 8).expect("memory");
        }
        let rows = roots.finish().expect("memory");
        rows.iter()
            .map(|root| {
                let Sum { count, bytes } = root.direct;
                (root.kind, root.module, root.address, count, bytes)
            })
            .collect()
    }

    fn global(module: u32, address: u64) -> Place {
        Place::Global { module, address }
    }

    #[test]
    fn a_row_counts_each_block_once() {
        let words = [
            (Place::Register, 1),
            (Place::Stack(0x5000), 1),
            (Place::Stack(0x5000), 2),
            (Place::Stack(0x5000), 1),
            (Place::Stack(0x9000), 1),
            (Place::ThreadLocal(0x9000), 4),
            (global(1, 0x40), 7),
            (global(1, 0x48), 7),
            (Place::Foreign, 9),
            (Place::Moving, 3),
            (Place::Foreign, 9),
        ];
        assert_eq!(
            told(words),
            [
                (RootKind::Register, 0, 0, 1, 8),
                (RootKind::Stack, 0, 0, 2, 16),
                (RootKind::Stack, 0, 0, 1, 8),
                (RootKind::ThreadLocal, 0, 0, 1, 8),
                (RootKind::Global, 1, 0x40, 1, 8),
                (RootKind::Global, 1, 0x48, 1, 8),
                // Whoever comes twice counts twice.
                (RootKind::Foreign, 0, 0, 2, 16),
                (RootKind::Moving, 0, 0, 1, 8),
            ]
        );
    }

    #[test]
    fn what_has_no_row_counts_in_one_for_its_module_or_kind() {
        let words = (0..WORDS as u32 + 10)
            .map(|word| (global(1 + word % 2, 8 + 8 * u64::from(word)), word))
            .chain((0..THREADS as u32 + 5).map(|at| (Place::Stack(1 + u64::from(at)), at)))
            .chain([(Place::ThreadLocal(7), 1)]);
        let rows = told(words);
        assert_eq!(rows.len(), WORDS + 2 + THREADS + 2);
        let rest: Vec<_> = rows[WORDS..WORDS + 2].to_vec();
        assert_eq!(
            rest,
            [
                (RootKind::Global, 1, 0, 5, 40),
                (RootKind::Global, 2, 0, 5, 40)
            ]
        );
        assert_eq!(rows[rows.len() - 2], (RootKind::Stack, 0, 0, 5, 40));
        assert_eq!(rows[rows.len() - 1], (RootKind::ThreadLocal, 0, 0, 1, 8));
    }
}
