//! Two profiles side by side: what grew, what is new, what shrank, what is gone.
//!
//! A path is compared with the path of the same *identity*, function by function, so that two builds
//! compare: see `identity`.
//!
//! A path is new, gone, or has grown or shrunk by its *live bytes*. What did not change is no row.

use std::cmp::Reverse;

use super::identity::identify;
use crate::profile::{
    CallTree, FunctionId, NodeId, Profile, TreeBuilder, Values, change_variance, half_width,
    is_imported, run_of,
};

/// One of the two profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The earlier one.
    Before,
    /// The later one.
    After,
}

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing was live before.
    New,
    /// More bytes are live.
    Grew,
    /// Fewer bytes are live.
    Shrank,
    /// Nothing is live any more.
    Gone,
}

impl State {
    /// What became of something with these live bytes; `None` if they are what they were.
    pub fn of(before: i64, after: i64) -> Option<Self> {
        match (before, after) {
            (before, after) if before == after => None,
            (0, _) => Some(Self::New),
            (_, 0) => Some(Self::Gone),
            (before, after) if after > before => Some(Self::Grew),
            _ => Some(Self::Shrank),
        }
    }
}

/// One path on both sides.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Node in [`Diff::tree`].
    pub node: NodeId,
    /// The numbers before.
    pub before: Values,
    /// The numbers after.
    pub after: Values,
    /// The profile that `example` is in: the later one where the path is there.
    pub side: Side,
    /// The heaviest of the stacks that this path stands for: it has the lines.
    pub example: NodeId,
    example_bytes: i64,
}

impl Row {
    /// Live bytes after minus before.
    pub fn change(&self) -> i64 {
        self.after.live_bytes.saturating_sub(self.before.live_bytes)
    }

    /// What became of the path; `None` if its live bytes are what they were.
    pub fn state(&self) -> Option<State> {
        State::of(self.before.live_bytes, self.after.live_bytes)
    }
}

/// The growth of all paths with one owner.
#[derive(Debug, Clone, Copy)]
pub struct OwnerChange {
    /// The profile that `node` is in.
    pub side: Side,
    /// The owner, at its most changed place.
    pub node: NodeId,
    /// The numbers before.
    pub before: Values,
    /// The numbers after.
    pub after: Values,
}

impl OwnerChange {
    /// Live bytes after minus before.
    pub fn change(&self) -> i64 {
        self.after.live_bytes.saturating_sub(self.before.live_bytes)
    }
}

/// Two profiles, path by path.
#[derive(Debug)]
pub struct Diff<'a> {
    before: &'a Profile,
    after: &'a Profile,
    tree: CallTree,
    /// A function for each identity, to show it by.
    shown: Vec<(Side, FunctionId)>,
    identities: [Vec<u32>; 2],
    rows: Vec<Row>,
    grown_bytes: i64,
    shrunk_bytes: i64,
    same_runs: bool,
}

/// Compares two profiles.
pub fn diff<'a>(before: &'a Profile, after: &'a Profile) -> Diff<'a> {
    let (identities, shown) = identify(before, after);
    let mut builder = TreeBuilder::default();
    builder.reserve(before.tree().len().max(after.tree().len()));
    // The later profile first, so that its nodes and names come first.
    let after_nodes = graft(&mut builder, after, &identities[Side::After as usize]);
    let before_nodes = graft(&mut builder, before, &identities[Side::Before as usize]);
    let tree = builder.finish();

    let mut row_of = vec![u32::MAX; tree.len()];
    let mut rows: Vec<Row> = Vec::with_capacity(after.sites().len().max(before.sites().len()));
    for (side, profile, nodes) in [
        (Side::After, after, &after_nodes),
        (Side::Before, before, &before_nodes),
    ] {
        for site in profile.sites() {
            let node = nodes[site.node as usize];
            let slot = &mut row_of[node as usize];
            if *slot == u32::MAX {
                *slot = rows.len() as u32;
                rows.push(Row {
                    node,
                    before: Values::default(),
                    after: Values::default(),
                    side,
                    example: site.node,
                    example_bytes: site.values.live_bytes,
                });
            }
            let row = &mut rows[*slot as usize];
            match side {
                Side::Before => row.before.add(&site.values),
                Side::After => row.after.add(&site.values),
            }
            if row.side == side && site.values.live_bytes > row.example_bytes {
                row.example = site.node;
                row.example_bytes = site.values.live_bytes;
            }
        }
    }
    // Rows are large, so what is sorted are their numbers.
    let mut order: Vec<(Reverse<i64>, NodeId, u32)> = (0..)
        .zip(&rows)
        .map(|(at, row)| (Reverse(row.change()), row.node, at))
        .collect();
    order.sort_unstable();
    let sum = |of: fn(i64) -> bool| {
        order
            .iter()
            .map(|(change, ..)| change.0)
            .filter(|&c| of(c))
            .fold(0, i64::saturating_add)
    };
    let (grown_bytes, shrunk_bytes) = (sum(|change| change > 0), sum(|change| change < 0));
    let order = order.into_iter().map(|(_, _, at)| at).collect();
    reorder(&mut rows, order);
    Diff {
        before,
        after,
        tree,
        shown,
        identities,
        rows,
        grown_bytes,
        shrunk_bytes,
        same_runs: same_runs(before, after),
    }
}

impl<'a> Diff<'a> {
    /// The profile of a side.
    pub fn profile(&self, side: Side) -> &'a Profile {
        match side {
            Side::Before => self.before,
            Side::After => self.after,
        }
    }

    /// All paths with a site on any side, the largest growth first, also those without change.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows that changed, with what became of them; the largest growth first.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = (State, &Row)> + Clone {
        self.rows.iter().filter_map(|row| Some((row.state()?, row)))
    }

    /// The union of both call trees. Its labels are identities: see [`function`](Self::function).
    pub fn tree(&self) -> &CallTree {
        &self.tree
    }

    /// A function that has this identity, and the profile that it is in.
    pub fn function(&self, identity: u32) -> (&'a Profile, FunctionId) {
        let (side, function) = self.shown[identity as usize];
        (self.profile(side), function)
    }

    /// A function for each identity that the tree's labels can be, in their order.
    pub fn functions(&self) -> impl Iterator<Item = (&'a Profile, FunctionId)> {
        let labels = self.tree.nodes().map(|node| self.tree.label(node));
        let identities = labels.max().map_or(0, |last| last + 1);
        (0..identities).map(|identity| self.function(identity))
    }

    /// The identity of a function of one side.
    pub fn identity(&self, side: Side, function: FunctionId) -> u32 {
        self.identities[side as usize][function as usize]
    }

    /// Live bytes of all sites after minus before.
    pub fn change(&self) -> i64 {
        self.after
            .totals()
            .live_bytes
            .saturating_sub(self.before.totals().live_bytes)
    }

    /// The sum of all growth: the width of the growth flamegraph.
    pub fn grown_bytes(&self) -> i64 {
        self.grown_bytes
    }

    /// The sum of what shrank or is gone: zero or negative.
    pub fn shrunk_bytes(&self) -> i64 {
        self.shrunk_bytes
    }

    /// Owners by the net change of all their paths, the largest growth first.
    pub fn owners(&self) -> Vec<OwnerChange> {
        let mut groups: Vec<Option<(OwnerChange, u64)>> = vec![None; self.shown.len()];
        for row in &self.rows {
            let profile = self.profile(row.side);
            let node = profile.owner(row.example);
            let identity = self.identity(row.side, profile.frame(node).function);
            let weight = row.change().unsigned_abs();
            let (group, heaviest) = groups[identity as usize].get_or_insert_with(|| {
                let (before, after) = (Values::default(), Values::default());
                (
                    OwnerChange {
                        side: row.side,
                        node,
                        before,
                        after,
                    },
                    weight,
                )
            });
            group.before.add(&row.before);
            group.after.add(&row.after);
            if weight > *heaviest {
                *heaviest = weight;
                (group.side, group.node) = (row.side, node);
            }
        }
        let mut owners: Vec<OwnerChange> = groups
            .into_iter()
            .flatten()
            .map(|(group, _)| group)
            .collect();
        owners.sort_by(|a, b| {
            let name = |owner: &OwnerChange| self.profile(owner.side).name(owner.node);
            b.change()
                .cmp(&a.change())
                .then_with(|| name(a).cmp(name(b)))
        });
        owners
    }

    /// Units of work that one run reported between the two; `None` where it reported none, and for
    /// different runs.
    pub fn work_done(&self) -> Option<u64> {
        let work = self.after.work_done().checked_sub(self.before.work_done());
        work.filter(|&work| work > 0 && self.same_runs)
    }

    /// Whether any number is an estimate.
    pub fn is_sampled(&self) -> bool {
        self.before.is_sampled() || self.after.is_sampled()
    }

    /// Whether estimates have error bars.
    pub fn has_errors(&self) -> bool {
        let has = |profile: &Profile| !profile.is_sampled() || profile.has_errors();
        self.is_sampled() && has(self.before) && has(self.after)
    }

    /// Half width of the 95 % interval around a change of live bytes, an upper bound.
    pub fn change_error(&self, before: &Values, after: &Values) -> f64 {
        half_width(change_variance(before, after, self.same_runs))
    }
}

/// Puts the row that `order` names first in the first place, and so on, without a second copy of
/// all rows.
fn reorder(rows: &mut [Row], mut order: Vec<u32>) {
    for start in 0..order.len() {
        // Along a cycle of places, each of which takes its row from the next one. A place that is
        // done takes its row from itself.
        let mut place = start;
        loop {
            let from = std::mem::replace(&mut order[place], place as u32) as usize;
            if from == start {
                break;
            }
            rows.swap(place, from);
            place = from;
        }
    }
}

fn graft(builder: &mut TreeBuilder, profile: &Profile, identities: &[u32]) -> Vec<NodeId> {
    let frames = profile.frames();
    builder.graft(profile.tree(), &mut |frame| {
        identities[frames.get(frame).function as usize]
    })
}

/// Whether both sides are snapshots of the same runs of the same processes, and say so.
fn same_runs(before: &Profile, after: &Profile) -> bool {
    let [before, after] = [before, after].map(|profile| {
        let headers = profile.sources().iter().map(|source| &source.header);
        let mut runs: Vec<_> = headers
            .filter(|header| !is_imported(header))
            .map(|header| run_of(&header.program))
            .collect();
        runs.sort_unstable();
        runs
    });
    !before.is_empty() && before == after
}

#[cfg(test)]
mod tests {
    use super::State;

    #[test]
    fn what_became_of_it_is_told_by_both_sides() {
        assert_eq!(State::of(0, 5), Some(State::New));
        assert_eq!(State::of(5, 0), Some(State::Gone));
        assert_eq!(State::of(5, 10), Some(State::Grew));
        assert_eq!(State::of(10, 5), Some(State::Shrank));
        assert_eq!(State::of(0, 0), None);
        assert_eq!(State::of(i64::MIN, i64::MAX), Some(State::Grew));
    }
}
