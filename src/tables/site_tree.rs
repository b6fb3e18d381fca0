//! The tree of call stacks: one node for each (caller's node, frame) ever seen.
//!
//! Ids are dense, so that counters can be arrays. A node's children hang on it as a binary trie by
//! a hash of their frames: the first child is the trie's top, and each child links to two more. Most
//! nodes have one or two children, so that one cache line, which the next look-up needs anyway,
//! tells most children; a node with thousands takes a dozen links. There is no index to grow.
//!
//! Links are set once, from nothing to a node that is complete, and never change: looking up and
//! inserting need no lock, and what was found stays true.
//!
//! A path that repeats itself is folded: where adding a frame would make the last [`LONGEST_CYCLE`]
//! or fewer frames a repetition of the same number of frames before them, the frame leads back to
//! the node of the first round instead. Otherwise a recursion with several call sites would make a
//! node for each way through it, and their number doubles with each level. Every caller and callee
//! on a folded path stand next to each other in the true stack as well.
//!
//! The tree does not know what a frame means.

use super::atomic::Ordering::{Acquire, Relaxed, Release};
use super::atomic::{AtomicU32, AtomicU64};
use super::mapped::{Mapped, Zeroed};

/// A node of the tree; also the name of a site.
pub(crate) type NodeId = u32;

/// The node above all stacks.
pub(crate) const ROOT: NodeId = 0;

/// Stands for everything below a full tree; its own child.
pub(crate) const NO_NODE: NodeId = NodeId::MAX;

/// Stands for everything deeper than the tree may be; its own child.
pub(crate) const TOO_DEEP: NodeId = NodeId::MAX - 1;

/// Longest sequence of frames whose repetition is folded. Recursion through a parser or a nested
/// future takes some ten frames a round.
pub(crate) const LONGEST_CYCLE: usize = 32;

/// Insert-only tree.
pub(crate) struct SiteTree {
    nodes: Mapped<Node>,
    /// The next id to give out.
    next: AtomicU32,
    /// Most frames of a path.
    deepest: u32,
}

/// A node, or a frame that leads back to one: half a cache line.
#[repr(C)]
#[derive(Default)]
struct Node {
    frame: AtomicU64,
    parent: AtomicU32,
    /// Top of the trie of children; 0 where there is none.
    first_child: AtomicU32,
    /// Links to siblings by a bit of the hash of their frame; 0 where there is none.
    siblings: [AtomicU32; 2],
    /// The node itself, or the one that a repetition leads back to.
    leads_to: AtomicU32,
    /// Frames from the root down to this one.
    depth: AtomicU32,
}

// SAFETY: only atomic integers.
unsafe impl Zeroed for Node {}

/// The root's frame: neither an address nor anything else that is looked for.
const NO_FRAME: u64 = u64::MAX;

/// Parent of an id that lost a race and names nothing.
const HOLE: NodeId = u32::MAX;

impl SiteTree {
    /// A tree for `capacity` ids and paths of `deepest` frames, without any node but the root.
    pub(crate) fn new(capacity: usize, deepest: usize) -> Self {
        let nodes: Mapped<Node> = Mapped::new(capacity);
        if let Some(root) = nodes.first() {
            root.frame.store(NO_FRAME, Relaxed);
        }
        Self {
            nodes,
            next: AtomicU32::new(1),
            deepest: deepest as u32,
        }
    }

    /// The tree for a row of look-ups.
    #[inline(always)]
    pub(crate) fn view(&self) -> View<'_> {
        View {
            nodes: &self.nodes,
            tree: self,
        }
    }

    /// See [`View::child`].
    pub(crate) fn child(&self, parent: NodeId, frame: u64) -> NodeId {
        self.view().child(parent, frame)
    }

    /// Makes a child that has not been found.
    #[cold]
    #[inline(never)]
    fn insert(&self, parent: NodeId, frame: u64) -> NodeId {
        let repeated = self.repeated(parent, frame);
        let depth = self.node(parent).depth.load(Relaxed) + 1;
        if repeated.is_none() && depth > self.deepest {
            return TOO_DEEP;
        }
        let Some(id) = self.new_id() else {
            return repeated.unwrap_or(NO_NODE);
        };
        let leads_to = repeated.unwrap_or(id);
        let node = self.node(id);
        node.frame.store(frame, Relaxed);
        node.parent.store(parent, Relaxed);
        node.depth.store(depth, Relaxed);
        node.leads_to.store(leads_to, Relaxed);
        let mut bits = hash(frame);
        let mut link = &self.node(parent).first_child;
        loop {
            match link.compare_exchange(0, id, Release, Acquire) {
                Ok(_) => return leads_to,
                Err(other) => {
                    let other = self.node(other);
                    if other.frame.load(Relaxed) == frame {
                        // Another thread was faster. This id names nothing.
                        node.parent.store(HOLE, Relaxed);
                        return other.leads_to.load(Relaxed);
                    }
                    link = &other.siblings[(bits & 1) as usize];
                    bits = bits.rotate_right(1);
                }
            }
        }
    }

    /// Where `frame` below `parent` completes a repetition: the node where its first round ended.
    fn repeated(&self, parent: NodeId, frame: u64) -> Option<NodeId> {
        let mut path = [(ROOT, frame); 2 * LONGEST_CYCLE];
        let mut node = parent;
        let mut len = 1;
        while len < path.len()
            && let Some((above, frame)) = self.get(node)
        {
            path[len] = (node, frame);
            node = above;
            len += 1;
        }
        // Innermost first: the last `cycle` frames against those before them.
        let is_repeated = |&cycle: &usize| (0..cycle).all(|at| path[at].1 == path[at + cycle].1);
        let cycle = (1..=len / 2).find(is_repeated)?;
        Some(path[cycle].0)
    }

    fn new_id(&self) -> Option<NodeId> {
        // Checked first, so that a full tree does not count up to a wrap-around.
        if self.next.load(Relaxed) as usize >= self.nodes.len() {
            return None;
        }
        let id = self.next.fetch_add(1, Relaxed);
        ((id as usize) < self.nodes.len()).then_some(id)
    }

    #[inline(always)]
    fn node(&self, id: NodeId) -> &Node {
        debug_assert!((id as usize) < self.nodes.len());
        // SAFETY: ids in links and of callers that checked theirs are below the capacity: 0, or
        // given out by `new_id`.
        unsafe { self.nodes.get_unchecked(id as usize) }
    }

    /// Parent and frame of a node that [`Self::child`] has returned; `None` for ids that are no
    /// nodes, and for the root.
    pub(crate) fn get(&self, id: NodeId) -> Option<(NodeId, u64)> {
        if id == ROOT || id as usize >= self.len() {
            return None;
        }
        let node = self.node(id);
        let parent = node.parent.load(Relaxed);
        (parent != HOLE && node.leads_to.load(Relaxed) == id)
            .then(|| (parent, node.frame.load(Relaxed)))
    }

    /// Ids are below this number. Includes the root, and ids that are no nodes.
    pub(crate) fn len(&self) -> usize {
        (self.next.load(Acquire) as usize).min(self.nodes.len())
    }

    /// Most nodes that fit.
    pub(crate) fn capacity(&self) -> usize {
        self.nodes.len()
    }

    /// Start and length in bytes of the mapping.
    pub(crate) fn range(&self) -> (std::ptr::NonNull<u8>, usize) {
        self.nodes.range()
    }
}

/// A tree and where its nodes are.
pub(crate) struct View<'a> {
    nodes: &'a [Node],
    tree: &'a SiteTree,
}

impl View<'_> {
    /// The node of `frame` called from `parent`, made where it is new; [`NO_NODE`] or [`TOO_DEEP`]
    /// where it cannot be made, and for everything below those.
    #[inline(always)]
    pub(crate) fn child(&self, parent: NodeId, frame: u64) -> NodeId {
        let Some(above) = self.nodes.get(parent as usize) else {
            return if parent == ROOT { NO_NODE } else { parent };
        };
        // A missing first child is the root, whose frame does not match.
        let first = self.node(above.first_child.load(Acquire));
        if first.frame.load(Relaxed) == frame {
            return first.leads_to.load(Relaxed);
        }
        let mut bits = hash(frame);
        let mut node = first;
        loop {
            let link = &node.siblings[(bits & 1) as usize];
            let id = link.load(Acquire);
            if id == 0 {
                return self.tree.insert(parent, frame);
            }
            node = self.node(id);
            if node.frame.load(Relaxed) == frame {
                return node.leads_to.load(Relaxed);
            }
            bits = bits.rotate_right(1);
        }
    }

    #[inline(always)]
    fn node(&self, id: NodeId) -> &Node {
        // SAFETY: links hold ids that were given out, which are below the capacity, or 0.
        unsafe { self.nodes.get_unchecked(id as usize) }
    }
}

/// Multiply and shift, one to one, so that different frames differ in a bit (the constant is 2^64
/// by the golden ratio).
#[inline]
fn hash(frame: u64) -> u64 {
    let hash = frame.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ hash >> 32
}

/// A path with its repetitions folded, outermost first, by the definition alone.
#[cfg(test)]
pub(crate) fn folded(path: impl IntoIterator<Item = u64>) -> Vec<u64> {
    let mut folded = Vec::new();
    path.into_iter()
        .for_each(|frame| push_folded(&mut folded, frame));
    folded
}

/// Adds a frame to a path whose repetitions are folded already.
#[cfg(test)]
pub(crate) fn push_folded(path: &mut Vec<u64>, frame: u64) {
    path.push(frame);
    let len = path.len();
    let cycle = (1..=LONGEST_CYCLE.min(len / 2))
        .find(|cycle| path[len - cycle..] == path[len - 2 * cycle..len - cycle]);
    path.truncate(len - cycle.unwrap_or(0));
}

#[cfg(test)]
mod tests;
