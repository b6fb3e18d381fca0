//! The shortest ways along the pointers of a graph, which are summed by site.

use std::cmp::Reverse;
use std::collections::VecDeque;

use heaplens::snapshot::graph::Edges;
use rustc_hash::FxHashMap;

/// Pointers that are looked at for a way between two sites. Who dominates a block is next to it, mostly.
const MOST_POINTERS: usize = 4_096;

/// Pointers between holders, which are numbered as in [`Edges`]: sites from 0, roots from −1 down.
#[derive(Debug, Default)]
pub(super) struct Pointers {
    edges: Edges,
    /// Rows of `edges` by who points, those with most pointers first.
    outgoing: FxHashMap<i64, Vec<usize>>,
    /// For each site that a root leads to, the last pointer of the shortest way there.
    from_roots: FxHashMap<i64, usize>,
}

impl Pointers {
    pub(super) fn new(edges: Edges) -> Self {
        let mut outgoing: FxHashMap<i64, Vec<usize>> = FxHashMap::default();
        for (edge, &holder) in edges.holder.iter().enumerate() {
            outgoing.entry(holder).or_default().push(edge);
        }
        for rows in outgoing.values_mut() {
            rows.sort_by_key(|&edge| Reverse(edges.count[edge]));
        }
        let mut pointers = Self {
            edges,
            outgoing,
            from_roots: FxHashMap::default(),
        };
        let mut roots: Vec<i64> = pointers.outgoing.keys().copied().collect();
        roots.retain(|&holder| holder < 0);
        // The first root first.
        roots.sort_unstable_by_key(|&root| Reverse(root));
        (pointers.from_roots, _) = pointers.search(&roots, None, usize::MAX);
        pointers
    }

    /// Who points by an edge, at whom, at which offset, and how many times.
    pub(super) fn edge(&self, edge: usize) -> (i64, i64, i64, u64) {
        let Edges {
            holder,
            held,
            offset,
            count,
            bytes: _,
            left_out: _,
        } = &self.edges;
        (
            holder[edge],
            i64::from(held[edge]),
            offset[edge],
            count[edge],
        )
    }

    /// The edges of the shortest way from a root to a site; empty where none leads there.
    pub(super) fn rooted_way(&self, to: i64) -> Vec<usize> {
        self.back(&self.from_roots, to)
    }

    /// The edges of the shortest way from one holder to another; empty where none was found.
    pub(super) fn between(&self, from: i64, to: i64) -> Vec<usize> {
        let (came_by, last) = self.search(&[from], Some(to), MOST_POINTERS);
        let Some(last) = last else { return Vec::new() };
        let mut way = self.back(&came_by, self.edges.holder[last]);
        way.push(last);
        way
    }

    /// Looks around `from`, up to `to`: the edge by which each holder was met first, and the last one of
    /// the way. No edge leads back to where it began.
    fn search(
        &self,
        from: &[i64],
        to: Option<i64>,
        mut most: usize,
    ) -> (FxHashMap<i64, usize>, Option<usize>) {
        let mut came_by: FxHashMap<i64, usize> = FxHashMap::default();
        let mut next: VecDeque<i64> = from.iter().copied().collect();
        while let Some(holder) = next.pop_front() {
            for &edge in self.outgoing.get(&holder).into_iter().flatten() {
                if most == 0 {
                    return (came_by, None);
                }
                most -= 1;
                let held = i64::from(self.edges.held[edge]);
                if Some(held) == to {
                    return (came_by, Some(edge));
                }
                // Nothing points at roots.
                if from.first() != Some(&held) && !came_by.contains_key(&held) {
                    came_by.insert(held, edge);
                    next.push_back(held);
                }
            }
        }
        (came_by, None)
    }

    /// The edges that led to a holder, the first one first.
    fn back(&self, came_by: &FxHashMap<i64, usize>, to: i64) -> Vec<usize> {
        let mut way = Vec::new();
        let mut holder = to;
        // Each was met before what it leads to, so this ends.
        while let Some(&edge) = came_by.get(&holder) {
            way.push(edge);
            holder = self.edges.holder[edge];
        }
        way.reverse();
        way
    }
}
