//! A tree of calls as two columns: who called, and what a node stands for.
//!
//! Callers stand before what they call, so one pass forward carries something from the outermost
//! frame inwards (owners) and one pass backward sums inwards out (inclusive sizes). Nothing here
//! recurses: the depth of a stack is bounded by memory only.

use rustc_hash::FxHashMap;

/// Row of a node in its [`CallTree`].
pub type NodeId = u32;

const NO_CALLER: u32 = u32::MAX;

/// A tree of calls. What a label means is the business of the tree's owner: a frame in a
/// [`Profile`](super::Profile), a function in a flamegraph, an identity in a diff.
#[derive(Debug, Clone, Default)]
pub struct CallTree {
    caller: Vec<u32>,
    label: Vec<u32>,
}

impl CallTree {
    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.caller.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.caller.is_empty()
    }

    /// The node that called this one; `None` for the outermost frame of a stack.
    pub fn caller(&self, node: NodeId) -> Option<NodeId> {
        let caller = self.caller[node as usize];
        (caller != NO_CALLER).then_some(caller)
    }

    /// What the node stands for.
    pub fn label(&self, node: NodeId) -> u32 {
        self.label[node as usize]
    }

    /// All nodes, callers before what they call.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        0..self.caller.len() as u32
    }

    /// The stack of a node, innermost frame first.
    pub fn stack(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(Some(node), |&node| self.caller(node))
    }

    /// The same calls with coarser labels. The second value maps the nodes of this tree to those
    /// of the result.
    pub fn relabel(&self, mut label: impl FnMut(u32) -> u32) -> (Self, Vec<NodeId>) {
        let mut builder = TreeBuilder::default();
        let map = builder.graft(self, &mut label);
        (builder.finish(), map)
    }
}

/// Builds a [`CallTree`] in which equal stacks are one node.
///
/// Most nodes have few children, which are found by walking along them: a new frame behind the last
/// one, which is what nearly all are, then costs no look outside the cache. A table finds the
/// children of the few nodes that have many.
#[derive(Debug, Default)]
pub struct TreeBuilder {
    tree: CallTree,
    links: Vec<Links>,
    /// Children of the nodes that have many, and nodes without a caller: by caller, in the upper
    /// half, and label.
    index: FxHashMap<u64, NodeId>,
}

/// How a node is found.
#[derive(Debug, Clone, Copy)]
struct Links {
    /// As in the tree; here, it is in the cache already.
    label: u32,
    /// `NONE`, the newest child, or `INDEXED`.
    child: u32,
    /// `NONE`, or the next older child of the same caller.
    sibling: u32,
}

const NONE: u32 = u32::MAX;
/// The children are in the index.
const INDEXED: u32 = u32::MAX - 1;
/// Most children that are walked along.
const FEW: usize = 8;

/// Nodes to look at in advance when many are added.
pub(super) const AHEAD: usize = 64;

impl TreeBuilder {
    /// The node for a call of `label` from `caller`, which is added if it is new.
    pub fn child(&mut self, caller: Option<NodeId>, label: u32) -> NodeId {
        let Some(caller) = caller else {
            return self.indexed_child(NO_CALLER, label);
        };
        let newest = self.links[caller as usize].child;
        if newest == INDEXED {
            return self.indexed_child(caller, label);
        }
        let (mut child, mut children) = (newest, 0);
        while child != NONE {
            let links = self.links[child as usize];
            if links.label == label {
                return child;
            }
            (child, children) = (links.sibling, children + 1);
        }
        if children == FEW {
            self.index_children(caller);
            return self.indexed_child(caller, label);
        }
        let node = self.push(caller, label, newest);
        self.links[caller as usize].child = node;
        node
    }

    fn indexed_child(&mut self, caller: u32, label: u32) -> NodeId {
        let next = self.tree.caller.len() as u32;
        let node = *self.index.entry(key(caller, label)).or_insert(next);
        if node == next {
            self.push(caller, label, NONE);
        }
        node
    }

    fn index_children(&mut self, caller: NodeId) {
        let mut child = std::mem::replace(&mut self.links[caller as usize].child, INDEXED);
        while child != NONE {
            let links = &mut self.links[child as usize];
            self.index.insert(key(caller, links.label), child);
            child = std::mem::replace(&mut links.sibling, NONE);
        }
    }

    fn push(&mut self, caller: u32, label: u32, sibling: u32) -> NodeId {
        let node = self.tree.caller.len() as u32;
        assert!(node < INDEXED, "fewer than 2^32 stacks fit memory");
        self.tree.caller.push(caller);
        self.tree.label.push(label);
        self.links.push(Links {
            label,
            child: NONE,
            sibling,
        });
        node
    }

    /// Makes room for that many more nodes.
    pub fn reserve(&mut self, nodes: usize) {
        self.tree.caller.reserve(nodes);
        self.tree.label.reserve(nodes);
        self.links.reserve(nodes);
    }

    /// Adds a whole tree under other labels; maps its nodes to the nodes here.
    pub fn graft(&mut self, tree: &CallTree, label: &mut impl FnMut(u32) -> u32) -> Vec<NodeId> {
        let mut map: Vec<NodeId> = Vec::with_capacity(tree.len());
        for callers in tree.caller.chunks(AHEAD) {
            // Those without a caller, or with one in this batch, are in no map yet.
            self.touch(
                callers
                    .iter()
                    .filter_map(|&caller| map.get(caller as usize)),
            );
            for _ in callers {
                let node = map.len() as NodeId;
                let caller = tree.caller(node).map(|caller| map[caller as usize]);
                map.push(self.child(caller, label(tree.label(node))));
            }
        }
        map
    }

    /// Reads what [`child`](Self::child) is about to read of these callers. Nothing here waits for
    /// anything else, so the processor fetches all of it at a time; walking from child to child, it
    /// waits for each.
    pub(super) fn touch<'n>(&self, callers: impl Iterator<Item = &'n NodeId>) {
        let seen = callers.fold(0, |seen: u32, &caller| {
            let newest = self.links[caller as usize].child;
            let label = self
                .links
                .get(newest as usize)
                .map_or(0, |links| links.label);
            seen.wrapping_add(label)
        });
        std::hint::black_box(seen);
    }

    /// The tree so far.
    pub fn tree(&self) -> &CallTree {
        &self.tree
    }

    /// The finished tree.
    pub fn finish(self) -> CallTree {
        self.tree
    }
}

fn key(caller: u32, label: u32) -> u64 {
    u64::from(caller) << 32 | u64::from(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_are_one_node() {
        let mut builder = TreeBuilder::default();
        let main = builder.child(None, 7);
        let a = builder.child(Some(main), 8);
        assert_eq!(builder.child(Some(main), 8), a);
        assert_ne!(builder.child(None, 8), a);
        let tree = builder.finish();
        assert_eq!(
            tree.stack(a).map(|n| tree.label(n)).collect::<Vec<_>>(),
            [8, 7]
        );
    }

    #[test]
    fn relabelling_merges_siblings() {
        let mut builder = TreeBuilder::default();
        let main = builder.child(None, 0);
        let a = builder.child(Some(main), 10);
        let b = builder.child(Some(main), 11);
        let tree = builder.finish();
        let (coarse, map) = tree.relabel(|label| label / 10);
        assert_eq!(coarse.len(), 2);
        assert_eq!(map[a as usize], map[b as usize]);
    }
}
