//! The tree of dominators summed by site: what would be freed with what.
//!
//! Blocks go by the distinct sites on the way down to them, in the order in which these come first: a list
//! is one row however long it is, and so is a tree of blocks of one site. No row lies below another of the
//! same site, so the depth is bounded by the number of sites. A block whose site is already on its way counts
//! among the blocks of that row, and what it dominates stays below the row where the way has led so far:
//! each byte is retained by exactly the rows of those sites whose blocks dominate it.

use super::array::{Array, NoMemory};
use super::holders::{Holder, ROWS, Row};
use super::report::Sum;
use crate::tables::site_tree::NodeId;

/// Most rows above each other.
const DEPTH: usize = 256;

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    /// The root of a row.
    Root(u32),
    Block {
        site: NodeId,
        size: u64,
    },
    /// A block that does not count, as heaplens' own: what it dominates counts as if it was not there.
    Uncounted,
}

/// The rows, each behind the one above.
pub(super) struct Summed {
    pub(super) rows: Array<Row>,
    /// Blocks that count in no row's own ones. What the rows above them retain includes them.
    pub(super) left_out: Sum,
}

/// Sums up. `dominators` has the dominator of each node, which is always less; node 0 is the start.
pub(super) fn sum(
    dominators: Array<u32>,
    roots: usize,
    node_of: impl Fn(usize) -> Node,
) -> Result<Summed, NoMemory> {
    let mut tree = Tree::new(roots)?;
    let mut ways = dominators;
    if let Some(start) = ways.first_mut() {
        *start = Way::NONE.0;
    }
    for node in 1..ways.len() {
        // The dominator comes first, so its way is there already.
        let above = Way(ways[ways[node] as usize]);
        let way = match node_of(node) {
            Node::Root(root) => Way::of_root(root),
            Node::Uncounted => above,
            Node::Block { site, size } => tree.add(above, site, size)?,
        };
        ways[node] = way.0;
    }
    Ok(tree.finish())
}

/// Where a way has led so far: to a row, or to a root that has none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way(u32);

impl Way {
    /// Nowhere: what is here has no single holder.
    const NONE: Self = Self(u32::MAX);
    const ROOT: u32 = 1 << 31;

    fn of_root(root: u32) -> Self {
        Self(Self::ROOT | root)
    }

    fn of_row(row: usize) -> Self {
        Self(row as u32)
    }

    fn row(self) -> Option<usize> {
        (self.0 & Self::ROOT == 0).then_some(self.0 as usize)
    }

    fn root(self) -> Option<u32> {
        (self != Self::NONE && self.0 & Self::ROOT != 0).then_some(self.0 & !Self::ROOT)
    }
}

/// Where a site leads to from a way. Valid when all zero.
#[derive(Clone, Copy)]
struct Turn {
    /// The way and the site; 0 for none.
    key: u64,
    /// The way from there on.
    way: Way,
    /// The row that the block counts in.
    row: u32,
}

/// Slots for turns, of which some stay free, so that looking is short.
const TURNS: usize = 1 << 19;
const MOST_TURNS: usize = TURNS / 2;

struct Tree {
    rows: Array<Row>,
    /// For each row how many are above it.
    depth: Array<u32>,
    /// For each root its row, plus one; 0 for none.
    row_of_root: Array<u32>,
    turns: Array<Turn>,
    turns_used: usize,
    left_out: Sum,
}

impl Tree {
    fn new(roots: usize) -> Result<Self, NoMemory> {
        Ok(Self {
            rows: Array::new()?,
            depth: Array::new()?,
            // SAFETY: zero is a number.
            row_of_root: unsafe { Array::zeroed(roots) }?,
            // SAFETY: a turn is valid when all zero.
            turns: unsafe { Array::zeroed(TURNS) }?,
            turns_used: 0,
            left_out: Sum::default(),
        })
    }

    /// Adds a block whose dominator is at the end of a way: the way that leads to it.
    fn add(&mut self, above: Way, site: NodeId, size: u64) -> Result<Way, NoMemory> {
        let Some((way, row)) = self.turn(above, site)? else {
            if let Some(row) = above.row() {
                self.rows[row].retained_bytes += size;
            }
            self.left_out.add(size);
            return Ok(above);
        };
        let own = &mut self.rows[row];
        own.count += 1;
        own.own_bytes += size;
        // Of the rows above, once all are there.
        if let Some(last) = way.row() {
            self.rows[last].retained_bytes += size;
        }
        Ok(way)
    }

    /// The way from a way through a block of a site, and the row that the block counts in. `None`: there is no
    /// room.
    fn turn(&mut self, above: Way, site: NodeId) -> Result<Option<(Way, usize)>, NoMemory> {
        // Never 0, since sites of blocks are not.
        let key = (u64::from(above.0) << 32) | (u64::from(site) + 1);
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut slot = (hash >> (u64::BITS - TURNS.ilog2())) as usize;
        loop {
            let turn = self.turns[slot];
            if turn.key == key {
                return Ok(Some((turn.way, turn.row as usize)));
            }
            if turn.key == 0 {
                break;
            }
            slot = (slot + 1) % TURNS;
        }
        if self.turns_used == MOST_TURNS {
            return Ok(None);
        }
        let (way, row) = match self.row_above(above, site) {
            Some(row) => (above, row),
            None => match self.new_row(above, site)? {
                Some(row) => (Way::of_row(row), row),
                None => return Ok(None),
            },
        };
        self.turns[slot] = Turn {
            key,
            way,
            row: row as u32,
        };
        self.turns_used += 1;
        Ok(Some((way, row)))
    }

    /// The row of a site that a way leads through.
    fn row_above(&self, way: Way, site: NodeId) -> Option<usize> {
        let mut at = way.row();
        while let Some(row) = at {
            if self.rows[row].holder == Holder::site(site) {
                return Some(row);
            }
            at = self.rows[row].parent();
        }
        None
    }

    fn new_row(&mut self, above: Way, site: NodeId) -> Result<Option<usize>, NoMemory> {
        // One for the root too.
        if self.rows.len() + 2 > ROWS {
            return Ok(None);
        }
        let parent = match above.root() {
            Some(root) => Some(self.row_of_root(root)?),
            None => above.row(),
        };
        if parent.is_some_and(|parent| self.depth[parent] as usize + 1 >= DEPTH) {
            return Ok(None);
        }
        self.push(parent, Holder::site(site)).map(Some)
    }

    fn row_of_root(&mut self, root: u32) -> Result<usize, NoMemory> {
        if let Some(row) = (self.row_of_root[root as usize] as usize).checked_sub(1) {
            return Ok(row);
        }
        let row = self.push(None, Holder::root(root))?;
        self.row_of_root[root as usize] = row as u32 + 1;
        Ok(row)
    }

    fn push(&mut self, parent: Option<usize>, holder: Holder) -> Result<usize, NoMemory> {
        let depth = parent.map_or(0, |parent| self.depth[parent] + 1);
        self.depth.push(depth)?;
        self.rows.push(Row::new(parent, holder))?;
        Ok(self.rows.len() - 1)
    }

    fn finish(mut self) -> Summed {
        for row in (0..self.rows.len()).rev() {
            let bytes = self.rows[row].retained_bytes;
            if let Some(parent) = self.rows[row].parent() {
                self.rows[parent].retained_bytes += bytes;
            }
        }
        Summed {
            rows: self.rows,
            left_out: self.left_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dominators::dominators;
    use super::super::dominators::tests::{Pointers, dominators_of_each, graphs, walk};
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const UNCOUNTED: NodeId = 9;

    /// Sums a graph up: of each node but the start its site, sites from 20 on being roots.
    fn summed(pointers: &Pointers, site: &[NodeId], size: &[u64]) -> (Vec<usize>, Summed) {
        let (order, mut spanning) = walk(pointers);
        let found = dominators(&mut spanning).expect("memory");
        let summed = sum(found, 32, |node| match site[order[node]] {
            UNCOUNTED => Node::Uncounted,
            site @ ..20 => Node::Block {
                site,
                size: size[order[node]],
            },
            root => Node::Root(root - 20),
        });
        (order, summed.expect("memory"))
    }

    fn holders_above(rows: &[Row], row: usize) -> Vec<Holder> {
        std::iter::successors(Some(row), |&row| rows[row].parent())
            .map(|row| rows[row].holder)
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        /// What the outermost rows of some sites retain is what goes with blocks of these sites.
        #[test]
        fn sites_retain_what_their_blocks_dominate(
            pointers in graphs(24),
            sites in prop::collection::vec(1_u32..10, 24),
            sizes in prop::collection::vec(0_u64..1 << 30, 24),
            asked in prop::collection::hash_set(1_u32..9, 1..4),
        ) {
            let (order, summed) = summed(&pointers, &sites, &sizes);
            let of_each = dominators_of_each(&pointers);
            prop_assert_eq!(summed.left_out, Sum::default());
            let rows = &summed.rows[..];
            let is_asked = |holder: &Holder| asked.iter().any(|&site| Holder::site(site) == *holder);
            let retained: u64 = (0..rows.len())
                .filter(|&row| {
                    let holders = holders_above(rows, row);
                    is_asked(&holders[0]) && !holders[1..].iter().any(is_asked)
                })
                .map(|row| rows[row].retained_bytes)
                .sum();
            let own: u64 = rows.iter().filter(|row| is_asked(&row.holder)).map(|row| row.own_bytes).sum();
            let counts = |&&node: &&usize| node != 0 && sites[node] != UNCOUNTED;
            let goes = |node: &&usize| of_each[**node].iter().any(|&by| by != 0 && asked.contains(&sites[by]));
            let expected: u64 = order.iter().filter(counts).filter(goes).map(|&node| sizes[node]).sum();
            prop_assert_eq!(retained, expected);
            let theirs = |node: &&usize| asked.contains(&sites[**node]);
            let expected: u64 = order.iter().filter(counts).filter(theirs).map(|&node| sizes[node]).sum();
            prop_assert_eq!(own, expected);
            // No site twice on a way, and rows above come first.
            for row in 0..rows.len() {
                let holders = holders_above(rows, row);
                let distinct: HashSet<_> = holders.iter().map(|holder| holder.bits()).collect();
                prop_assert_eq!(distinct.len(), holders.len());
                prop_assert!(rows[row].parent().is_none_or(|parent| parent < row));
            }
        }
    }

    #[test]
    fn roots_have_rows_where_they_alone_hold_something() {
        // Two roots, 20 and 21: a list of the first, and what both hold.
        let pointers = vec![vec![1, 2], vec![3, 5], vec![5], vec![4], vec![3], vec![]];
        let (_, summed) = summed(&pointers, &[0, 20, 21, 7, 7, 8], &[0, 0, 0, 10, 20, 40]);
        let rows: Vec<_> = summed
            .rows
            .iter()
            .map(|row| {
                let Row {
                    count,
                    own_bytes,
                    retained_bytes,
                    ..
                } = *row;
                (row.parent(), row.holder, count, own_bytes, retained_bytes)
            })
            .collect();
        assert_eq!(
            rows,
            [
                (None, Holder::root(0), 0, 0, 30),
                (Some(0), Holder::site(7), 2, 30, 30),
                (None, Holder::site(8), 1, 40, 40),
            ]
        );
    }

    /// A list of blocks of ever new sites.
    #[test]
    fn what_has_no_room_is_retained_above_and_counted() {
        let len = 1_000;
        let mut pointers: Pointers = (1..len).map(|next| vec![next]).collect();
        pointers.push(Vec::new());
        let (_, mut spanning) = walk(&pointers);
        let found = dominators(&mut spanning).expect("memory");
        let summed = sum(found, 0, |node| Node::Block {
            site: node as NodeId,
            size: 8,
        })
        .expect("memory");
        assert_eq!(summed.rows.len(), DEPTH);
        assert_eq!(summed.rows[0].retained_bytes, 8 * (len as u64 - 1));
        let left_out = (len - 1 - DEPTH) as u64;
        let expected = Sum {
            count: left_out,
            bytes: 8 * left_out,
        };
        assert_eq!(summed.left_out, expected);
    }

    /// Pairs of sites, each in a row of its own.
    #[test]
    fn rows_are_capped() {
        let (sites, each) = (400_u32, 400_u32);
        let mut pointers: Pointers = vec![Vec::new()];
        let mut site = vec![0];
        for above in 0..sites {
            let holder = pointers.len();
            pointers[0].push(holder);
            pointers.push(Vec::new());
            site.push(above + 1);
            for below in 0..each {
                let held = pointers.len();
                pointers[holder].push(held);
                pointers.push(Vec::new());
                site.push(sites + 1 + below);
            }
        }
        let (order, mut spanning) = walk(&pointers);
        let found = dominators(&mut spanning).expect("memory");
        let summed = sum(found, 0, |node| Node::Block {
            site: site[order[node]],
            size: 1,
        })
        .expect("memory");
        assert!(summed.rows.len() <= ROWS && summed.rows.len() + 2 > ROWS);
        let own: u64 = summed.rows.iter().map(|row| row.count).sum();
        assert_eq!(own + summed.left_out.count, u64::from(sites * (each + 1)));
        let tops = summed.rows.iter().filter(|row| row.parent().is_none());
        let retained: u64 = tops.map(|row| row.retained_bytes).sum();
        assert!(retained > own && retained <= own + summed.left_out.bytes);
    }
}
