//! What a scan of the heap adds to the judgement of an owner: whether pointers lead to its blocks.
//!
//! A trend takes time and may be chance. A block to which no pointer was found is lost now, whatever its
//! owner's course. So enough of such blocks make an owner a leak by themselves. What pointers lead to is no
//! excuse: a map that only grows is held, and leaks.

use rustc_hash::FxHashMap;

use super::finding::{Class, Finding};
use super::history::History;
use crate::analysis::heap_graph::OwnerReach;
use crate::analysis::heap_graph::reach::{Amount, Verdict};
use crate::profile::FunctionId;

/// Unreached bytes of an owner from which it leaks, whatever its trend: more than a few blocks that only
/// the kernel or an encoded pointer holds.
pub const LEAST_UNREACHED_BYTES: u64 = 16 << 10;

/// What the graph of a run says of each owner; nothing without one.
pub(super) fn reach_of_owners(history: &History) -> FxHashMap<FunctionId, OwnerReach> {
    let graph = history.graph.iter();
    let owners = graph.flat_map(|graph| graph.owners(&history.profile));
    owners
        .map(|owner| (history.profile.frame(owner.node).function, owner))
        .collect()
}

impl OwnerReach {
    /// Whether so much is unreached that it leaks.
    pub(super) fn is_lost(&self) -> bool {
        self.reach.of(Verdict::Unreached).bytes >= LEAST_UNREACHED_BYTES
    }
}

impl Finding {
    /// What no pointer was found to; nothing where no snapshot has a graph.
    pub fn unreached(&self) -> Amount {
        let reach = self.reach.as_ref();
        reach.map_or(Amount::default(), |owner| {
            owner.reach.of(Verdict::Unreached)
        })
    }

    /// An owner of lost blocks leaks, however it goes.
    pub(super) fn with_reach(mut self, reach: Option<OwnerReach>) -> Self {
        if reach.as_ref().is_some_and(OwnerReach::is_lost) && self.class != Class::Leak {
            self.class = Class::Leak;
            self.is_by_graph_alone = true;
        }
        self.reach = reach;
        self
    }
}
