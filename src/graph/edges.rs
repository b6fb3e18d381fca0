//! Who points at whom, summed by site, in a table of bounded size.
//!
//! Between two sites a few offsets are told apart. Once there are more, as in an array, all pointers of the pair
//! count as one row. Pairs for which there is no room are counted together. Which pointers count, is not known
//! here.

use super::array::{Array, Budget, NoMemory};
use super::holders::{EDGES, Edge, Holder, Holders, MANY_OFFSETS};
use super::report::{OFFSETS, Sum};
use crate::tables::site_tree::NodeId;

/// Slots of the table, of which half stay free, so that looking is short.
const SLOTS: usize = 1 << 17;
const PAIRS: usize = SLOTS / 2;
// Each pair can be told with all its offsets.
const _: () = assert!(PAIRS * OFFSETS <= EDGES);

/// Pointers from a holder to blocks of a site. Valid when all zero.
#[derive(Clone, Copy)]
struct Pair {
    holder: u32,
    held: NodeId,
    /// How many of the offsets are in use; 0 for a free slot.
    used: usize,
    offsets: [u64; OFFSETS],
    pointers: [Sum; OFFSETS],
}

/// The pointers so far.
pub(super) struct Edges {
    slots: Array<Pair>,
    used: usize,
    /// Where the pair before is: most pointers of a block lead to blocks of one site.
    last: usize,
    left_out: Sum,
}

impl Edges {
    pub(super) fn new(budget: Budget) -> Result<Self, NoMemory> {
        budget.covers(SLOTS * size_of::<Pair>())?;
        Ok(Self {
            // SAFETY: a pair is valid when all zero.
            slots: unsafe { Array::zeroed(SLOTS) }?,
            used: 0,
            last: 0,
            left_out: Sum::default(),
        })
    }

    /// Adds a pointer to a block of so many bytes.
    #[inline]
    pub(super) fn add(&mut self, holder: Holder, held: NodeId, offset: u64, bytes: u64) {
        let slot = &self.slots[self.last];
        let is_last = slot.used > 0 && (slot.holder, slot.held) == (holder.bits(), held);
        if !is_last && !self.find(holder, held) {
            self.left_out.add(bytes);
            return;
        }
        let pair = &mut self.slots[self.last];
        let used = pair.used;
        let known = pair.offsets[..used]
            .iter()
            .position(|&known| known == offset || known == MANY_OFFSETS);
        let place = match known {
            Some(place) => place,
            None if used < OFFSETS => {
                pair.offsets[used] = offset;
                pair.used += 1;
                used
            }
            None => {
                pair.offsets[0] = MANY_OFFSETS;
                let mut all = Sum::default();
                for sum in pair.pointers {
                    all.count += sum.count;
                    all.bytes += sum.bytes;
                }
                pair.pointers[0] = all;
                pair.used = 1;
                0
            }
        };
        pair.pointers[place].add(bytes);
    }

    /// Has `last` be the slot of a pair. `false`: there is none, and no room for it.
    fn find(&mut self, holder: Holder, held: NodeId) -> bool {
        let key = u64::from(holder.bits()) << 32 | u64::from(held);
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut slot = (hash >> (u64::BITS - SLOTS.ilog2())) as usize;
        loop {
            let pair = &mut self.slots[slot];
            if pair.used > 0 && (pair.holder, pair.held) == (holder.bits(), held) {
                break;
            }
            if pair.used == 0 {
                if self.used == PAIRS {
                    return false;
                }
                (pair.holder, pair.held) = (holder.bits(), held);
                self.used += 1;
                break;
            }
            slot = (slot + 1) % SLOTS;
        }
        self.last = slot;
        true
    }

    /// Tells them all. What was left out, as pointers and bytes in what they point at.
    pub(super) fn tell(self, holders: &mut Holders) -> Sum {
        let mut left_out = self.left_out;
        for pair in self.slots.iter() {
            for (&offset, &pointers) in pair.offsets[..pair.used].iter().zip(&pair.pointers) {
                let is_told = holders.add_edge(Edge {
                    holder: Holder::from_bits(pair.holder),
                    held: pair.held,
                    offset,
                    pointers,
                });
                if !is_told {
                    left_out.count += pointers.count;
                    left_out.bytes += pointers.bytes;
                }
            }
        }
        left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn told(edges: Edges) -> (BTreeMap<(Holder, NodeId, u64), Sum>, Sum) {
        let mut holders = Holders::new().expect("memory");
        let left_out = edges.tell(&mut holders);
        holders.tell(&[], (&[], Sum::default()), left_out);
        let holding = holders.told().expect("told");
        let rows = holding.edges.iter();
        let rows = rows.map(|edge| ((edge.holder, edge.held, edge.offset), edge.pointers));
        (rows.collect(), holding.edges_left_out)
    }

    /// As many as there are, counted one by one.
    #[test]
    fn pointers_are_summed_by_pair_and_offset() {
        let mut edges = Edges::new(Budget::UNLIMITED).expect("memory");
        let mut expected: BTreeMap<(Holder, NodeId), BTreeMap<u64, Sum>> = BTreeMap::new();
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..100_000 {
            let site = random.u32(1..60);
            let holder = match random.bool() {
                true => Holder::site(site),
                false => Holder::root(site),
            };
            let held = random.u32(1..60);
            // Between some pairs few offsets, between others many.
            let offset = 8 * random.u64(0..=u64::from(held) % 7);
            let bytes = random.u64(0..1 << 30);
            edges.add(holder, held, offset, bytes);
            let pair = expected.entry((holder, held)).or_default();
            pair.entry(offset).or_default().add(bytes);
        }
        let mut rows = BTreeMap::new();
        for ((holder, held), offsets) in expected {
            let is_few = offsets.len() <= OFFSETS;
            for (offset, sum) in offsets {
                let offset = if is_few { offset } else { MANY_OFFSETS };
                let row: &mut Sum = rows.entry((holder, held, offset)).or_default();
                row.count += sum.count;
                row.bytes += sum.bytes;
            }
        }
        assert_eq!(told(edges), (rows, Sum::default()));
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let mut edges = Edges::new(Budget::UNLIMITED).expect("memory");
        for site in 1..=PAIRS as NodeId + 10 {
            edges.add(Holder::site(site), 1, 0, 5);
        }
        edges.add(Holder::site(1), 1, 0, 5);
        let (rows, left_out) = told(edges);
        assert_eq!(rows.len(), PAIRS);
        assert_eq!(
            left_out,
            Sum {
                count: 10,
                bytes: 50
            }
        );
        assert_eq!(rows[&(Holder::site(1), 1, 0)].count, 2);
    }
}
