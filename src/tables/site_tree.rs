//! The tree of call stacks: one node for each (caller's node, frame) ever seen.
//!
//! Ids are dense, so that counters can be arrays. A node is written once, before its id is
//! published, and never changes. The tree does not know what a frame means.

use super::mapped::Mapped;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

/// A node of the tree; also the name of a site.
pub(crate) type NodeId = u32;

/// The node above all stacks.
pub(crate) const ROOT: NodeId = 0;

/// Insert-only hash tree.
///
/// The index is a row of tables, each eight times as large as the one before. A key looks at one
/// line of each; it is in the first line that had room when it came, and lines are never emptied, so
/// a line with room ends the search. A small program touches small tables only; a large one looks at
/// four lines at most before the last table, which is probed on.
pub(crate) struct SiteTree {
    /// Slots of `hash tag << 32 | id`, 0 where free.
    index: Mapped<AtomicU64>,
    /// Where the last table begins.
    last: usize,
    parents: Mapped<AtomicU32>,
    frames: Mapped<AtomicU64>,
    /// The next id to give out. May run past the capacity when the tree is full.
    next: AtomicU32,
}

/// Slots of a line: one cache line.
const LINE: usize = 8;
/// Slots of the first table, and how much larger the next one is.
const FIRST: usize = 4096;
const GROWTH: usize = 8;

impl SiteTree {
    /// A tree for `capacity` nodes, a power of two, without any but the root.
    pub(crate) fn new(capacity: usize) -> Self {
        let (index, parents, frames) = (
            Mapped::new(Self::last_table(capacity) + capacity * 2),
            Mapped::new(capacity),
            Mapped::new(capacity),
        );
        // All or nothing: a tree that lacks one table has no room.
        let complete = !(index.is_empty() || parents.is_empty() || frames.is_empty());
        Self {
            last: if complete {
                Self::last_table(capacity)
            } else {
                0
            },
            next: AtomicU32::new(if complete { 1 } else { u32::MAX / 2 }),
            index,
            parents,
            frames,
        }
    }

    /// Where the last table begins: it alone has room for twice the capacity.
    const fn last_table(capacity: usize) -> usize {
        let (mut start, mut len) = (0, FIRST);
        while len * GROWTH <= capacity * 2 {
            start += len;
            len *= GROWTH;
        }
        start
    }

    /// The node of `frame` called from `parent`, made where it is new. `None`: the tree is full.
    #[inline]
    pub(crate) fn child(&self, parent: NodeId, frame: u64) -> Option<NodeId> {
        let hash = hash(parent, frame);
        let key = Key {
            parent,
            frame,
            tag: hash >> 32 << 32,
        };
        let mut made = None;
        let (mut start, mut len) = (0, FIRST);
        while start < self.last {
            let line = start + (hash as usize & (len - 1) & !(LINE - 1));
            for slot in line..line + LINE {
                if let Some(found) = self.visit(slot, &key, &mut made) {
                    return found;
                }
            }
            start += len;
            len *= GROWTH;
        }
        let mask = (self.index.len() - self.last).checked_sub(1)?;
        let mut slot = hash as usize;
        loop {
            slot &= mask;
            if let Some(found) = self.visit(self.last + slot, &key, &mut made) {
                return found;
            }
            slot += 1;
        }
    }

    /// Looks at a slot: `Some` ends the search, with the key's node or for lack of room.
    #[inline]
    fn visit(&self, slot: usize, key: &Key, made: &mut Option<NodeId>) -> Option<Option<NodeId>> {
        let mut entry = self.index[slot].load(Acquire);
        if entry == 0 {
            match self.claim(slot, key, made) {
                Ok(id) => return Some(id),
                Err(now) => entry = now,
            }
        }
        if entry & !0xffff_ffff != key.tag || !self.is(entry as u32, key) {
            return None;
        }
        if let Some(id) = *made {
            // Another thread was faster. The id made here stays a hole without children.
            self.parents[id as usize].store(HOLE, Relaxed);
        }
        Some(Some(entry as u32))
    }

    /// Puts the key into a free slot. `Err` has what another thread has put there meanwhile.
    #[cold]
    fn claim(
        &self,
        slot: usize,
        key: &Key,
        made: &mut Option<NodeId>,
    ) -> Result<Option<NodeId>, u64> {
        let Some(id) = made.or_else(|| self.new_node(key.parent, key.frame)) else {
            return Ok(None);
        };
        *made = Some(id);
        self.index[slot]
            .compare_exchange(0, key.tag | u64::from(id), Release, Acquire)
            .map(|_| Some(id))
    }

    fn new_node(&self, parent: NodeId, frame: u64) -> Option<NodeId> {
        // Checked first, so that a full tree does not count up to a wrap-around.
        if self.next.load(Relaxed) as usize >= self.parents.len() {
            return None;
        }
        let id = self.next.fetch_add(1, Relaxed);
        self.parents.get(id as usize)?.store(parent, Relaxed);
        self.frames[id as usize].store(frame, Relaxed);
        Some(id)
    }

    #[inline]
    fn is(&self, id: NodeId, key: &Key) -> bool {
        self.parents[id as usize].load(Relaxed) == key.parent
            && self.frames[id as usize].load(Relaxed) == key.frame
    }

    /// Parent and frame of a node that [`Self::child`] has returned; `None` for holes, for ids
    /// not given out, and for the root.
    pub(crate) fn get(&self, id: NodeId) -> Option<(NodeId, u64)> {
        if id == ROOT || id as usize >= self.len() {
            return None;
        }
        let parent = self.parents[id as usize].load(Relaxed);
        (parent != HOLE).then(|| (parent, self.frames[id as usize].load(Relaxed)))
    }

    /// Ids are below this number. Includes holes and the root.
    pub(crate) fn len(&self) -> usize {
        (self.next.load(Acquire) as usize).min(self.parents.len())
    }

    /// Most nodes that fit.
    pub(crate) fn capacity(&self) -> usize {
        self.parents.len()
    }

    /// Starts and lengths in bytes of the mappings.
    pub(crate) fn ranges(&self) -> [(std::ptr::NonNull<u8>, usize); 3] {
        [
            self.index.range(),
            self.parents.range(),
            self.frames.range(),
        ]
    }
}

/// What is looked for.
struct Key {
    parent: NodeId,
    frame: u64,
    /// High half of the hash, in place.
    tag: u64,
}

/// Parent of an id that lost a race and names nothing.
const HOLE: NodeId = u32::MAX;

/// Two rounds of multiply and shift (the constants are those of splitmix64). The low half picks
/// the slot, the high half is the tag; the tag is never 0, so an entry is never 0 either.
#[inline]
fn hash(parent: NodeId, frame: u64) -> u64 {
    let mut hash =
        (frame ^ u64::from(parent) << 40 ^ u64::from(parent)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (hash ^ hash >> 32) | 1 << 63
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn agrees_with_a_map_under_contention() {
        let tree = SiteTree::new(1 << 14);
        let step = |seed: u64| seed.wrapping_mul(6364136223846793005).wrapping_add(1);
        let maps: Vec<HashMap<(NodeId, u64), NodeId>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        let mut seen = HashMap::new();
                        let mut seed = 7;
                        for _ in 0..2_000 {
                            let mut node = ROOT;
                            for _ in 0..8 {
                                seed = step(seed);
                                let frame = seed >> 62 | 0x5500_0000_0000;
                                let child = tree.child(node, frame).unwrap();
                                assert_eq!(*seen.entry((node, frame)).or_insert(child), child);
                                assert_eq!(tree.get(child), Some((node, frame)));
                                node = child;
                            }
                        }
                        seen
                    })
                })
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        for map in &maps {
            assert_eq!(map, &maps[0]);
        }
    }

    #[test]
    fn a_full_tree_refuses_new_nodes_and_keeps_old_ones() {
        let tree = SiteTree::new(64);
        let nodes: Vec<_> = (0..100).map(|frame| tree.child(ROOT, frame + 1)).collect();
        assert_eq!(nodes.iter().flatten().count(), 63);
        assert_eq!(tree.child(ROOT, 5), nodes[4]);
        assert_eq!(tree.child(ROOT, 500), None);
    }
}
