//! Who holds what: the dominators of a graph, by label, and the way from a root to a block.
//!
//! A block dominates another if all ways to that lead through it: if it was freed, so would be the other.
//! What it **retains** is its own bytes and those of all that it dominates.

use std::cmp::Reverse;

use heaplens::snapshot::graph::{Dominators, Graph, RootKind};
use rustc_hash::FxHashMap;

use super::labels::{Label, LabelId, Labels};
use super::reach::Amount;
use super::way::Pointers;
use crate::profile::{NodeId, Profile};

/// Rows that are gone up from a holder, and holders of its way that are kept at either end.
const MOST_ROWS: usize = 1 << 16;
const MOST_STEPS: usize = 32;

/// A place outside of blocks that leads to some.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Root {
    /// What it is.
    pub kind: RootKind,
    /// Of static data, the name of the variable.
    pub name: Option<String>,
}

/// Somebody who holds blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Blocks: a place in [`Retention::labels`].
    Blocks(LabelId),
    /// A place in [`Retention::roots`].
    Root(usize),
    /// Blocks that do not pass the filter.
    LeftOut,
}

/// A holder, and what would be freed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retained {
    /// Who.
    pub holder: Holder,
    /// Bytes in its blocks and in those that it dominates.
    pub retained_bytes: u64,
    /// Its own blocks; none of a root.
    pub own: Amount,
    /// Where most of it hangs: a row of the dominators.
    row: usize,
}

/// A step on the way from a root to blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Who is reached.
    pub holder: Holder,
    /// Where blocks of it are allocated.
    pub site: Option<NodeId>,
    /// The pointer that leads here from the step before; `None` for the first step, and where pointers
    /// are not told.
    pub pointer: Option<Pointer>,
}

/// Where a pointer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer {
    /// Bytes from the start of the block; `None` for several places in it.
    pub offset: Option<u64>,
    /// How many there are.
    pub count: u64,
}

/// Who holds what in one snapshot.
#[derive(Debug)]
pub struct Retention {
    /// Labels of blocks.
    pub labels: Vec<Label>,
    /// Distinct roots.
    pub roots: Vec<Root>,
    /// Blocks that are in no row's own ones since the file had no room for it, whatever passes the filter.
    pub left_out: Amount,
    tree: Dominators,
    /// The holder of each row of `tree`.
    holders: Vec<Holder>,
    pointers: Pointers,
    nodes: Vec<Option<NodeId>>,
    of_site: Vec<Holder>,
    of_root: Vec<Holder>,
}

impl Retention {
    /// The dominators of a graph whose rows of sites are at `nodes`, and whose rows of roots have these
    /// names. `None` if it has no dominators.
    pub fn new(
        profile: &Profile,
        graph: &Graph,
        nodes: Vec<Option<NodeId>>,
        root_names: &[Option<String>],
    ) -> Option<Self> {
        let tree = graph.dominators.clone()?;
        let mut labels = Labels::new(profile);
        let of_site: Vec<Holder> = nodes
            .iter()
            .map(|node| node.map_or(Holder::LeftOut, |node| Holder::Blocks(labels.of(node))))
            .collect();
        let mut roots: Vec<Root> = Vec::new();
        let mut places: FxHashMap<Root, usize> = FxHashMap::default();
        let kinds = graph.roots.iter().flat_map(|roots| &roots.kind);
        let of_root: Vec<Holder> = kinds
            .enumerate()
            .map(|(row, &kind)| {
                let name = root_names.get(row).cloned().flatten();
                let root = Root { kind, name };
                Holder::Root(*places.entry(root).or_insert_with_key(|root| {
                    roots.push(root.clone());
                    roots.len() - 1
                }))
            })
            .collect();
        let mut retention = Self {
            labels: labels.finish(),
            roots,
            left_out: Amount {
                blocks: tree.left_out.count,
                bytes: tree.left_out.bytes,
            },
            holders: Vec::new(),
            tree,
            pointers: Pointers::new(graph.edges.clone().unwrap_or_default()),
            nodes,
            of_site,
            of_root,
        };
        let holders = retention.tree.holder.iter();
        retention.holders = holders.map(|&holder| retention.holder(holder)).collect();
        Some(retention)
    }

    fn holder(&self, holder: i64) -> Holder {
        let found = match usize::try_from(holder) {
            Ok(site) => self.of_site.get(site),
            Err(_) => self.of_root.get(!holder as usize),
        };
        found.copied().unwrap_or(Holder::LeftOut)
    }

    /// The name of an owner, or of a variable.
    pub fn name<'a>(&'a self, profile: &'a Profile, holder: Holder) -> Option<&'a str> {
        match holder {
            Holder::Blocks(label) => Some(profile.name(self.labels[label as usize].owner)),
            Holder::Root(root) => self.roots[root].name.as_deref(),
            Holder::LeftOut => None,
        }
    }

    /// Each holder that passes the filter, those that retain most first. What is below blocks of the same
    /// holder is in what these retain, and counts once.
    pub fn ranked(&self) -> Vec<Retained> {
        let mut found: FxHashMap<Holder, Retained> = FxHashMap::default();
        for (row, &holder) in self.holders.iter().enumerate() {
            if holder == Holder::LeftOut {
                continue;
            }
            let entry = found.entry(holder).or_insert(Retained {
                holder,
                retained_bytes: 0,
                own: Amount::default(),
                row,
            });
            entry.own.add(Amount {
                blocks: self.tree.count[row],
                bytes: self.tree.own_bytes[row],
            });
            if self.tree.retained_bytes[row] > self.tree.retained_bytes[entry.row] {
                entry.row = row;
            }
        }
        self.each_outermost(|row, holder| {
            if let Some(entry) = found.get_mut(&holder) {
                let bytes = self.tree.retained_bytes[row];
                entry.retained_bytes = entry.retained_bytes.saturating_add(bytes);
            }
        });
        let mut ranked: Vec<Retained> = found.into_values().collect();
        // Of equal ones the outer first.
        ranked.sort_by_key(|one| (Reverse(one.retained_bytes), one.row));
        ranked
    }

    /// Calls back for each row that is below no other of its holder.
    fn each_outermost(&self, mut call: impl FnMut(usize, Holder)) {
        let rows = self.holders.len();
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); rows];
        let mut tops = Vec::new();
        for (row, &parent) in self.tree.parent.iter().enumerate() {
            match usize::try_from(parent) {
                Ok(parent) => children[parent].push(row),
                Err(_) => tops.push(row),
            }
        }
        enum Visit {
            Enter(usize),
            Leave(Holder),
        }
        let mut around: FxHashMap<Holder, usize> = FxHashMap::default();
        let mut stack: Vec<Visit> = tops.into_iter().map(Visit::Enter).collect();
        while let Some(visit) = stack.pop() {
            match visit {
                Visit::Enter(row) => {
                    let holder = self.holders[row];
                    let inside = around.entry(holder).or_default();
                    if *inside == 0 {
                        call(row, holder);
                    }
                    *inside += 1;
                    stack.push(Visit::Leave(holder));
                    stack.extend(children[row].iter().copied().map(Visit::Enter));
                }
                Visit::Leave(holder) => {
                    if let Some(inside) = around.get_mut(&holder) {
                        *inside -= 1;
                    }
                }
            }
        }
    }

    /// The way from a root to the heaviest blocks of a holder: through all that dominate them, and
    /// between these by as few pointers as there are.
    pub fn path(&self, retained: &Retained) -> Vec<Step> {
        let parent = |&row: &usize| usize::try_from(self.tree.parent[row]).ok();
        let rows = std::iter::successors(Some(retained.row), parent).take(MOST_ROWS);
        let mut through: Vec<i64> = rows.map(|row| self.tree.holder[row]).collect();
        // A list is one step, however long it is.
        through.dedup();
        through.reverse();
        if through.len() > 2 * MOST_STEPS {
            through.drain(MOST_STEPS..through.len() - MOST_STEPS);
        }
        let way = self.pointers.rooted_way(through[0]);
        let start = way.first().map(|&edge| self.pointers.edge(edge).0);
        let mut steps = vec![self.step(start.unwrap_or(through[0]), None)];
        self.follow(&way, &mut steps);
        for pair in through.windows(2) {
            let way = self.pointers.between(pair[0], pair[1]);
            self.follow(&way, &mut steps);
            if way.is_empty() {
                steps.push(self.step(pair[1], None));
            }
        }
        steps
    }

    fn step(&self, holder: i64, pointer: Option<Pointer>) -> Step {
        let site = usize::try_from(holder).ok();
        Step {
            holder: self.holder(holder),
            site: site.and_then(|site| *self.nodes.get(site)?),
            pointer,
        }
    }

    /// Adds where pointers lead, one after the other.
    fn follow(&self, way: &[usize], steps: &mut Vec<Step>) {
        for &edge in way {
            let (_, held, offset, count) = self.pointers.edge(edge);
            let pointer = Pointer {
                offset: u64::try_from(offset).ok(),
                count,
            };
            steps.push(self.step(held, Some(pointer)));
        }
    }
}
