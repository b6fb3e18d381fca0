//! Parts of the recorder on their own, for this repository's benchmarks, simulations and fuzz targets.
//!
//! Behind the feature `internals`, and no part of the public interface: anything here may change or
//! go at any time.

pub use crate::stack::any_bytes::{Frame, Steps, UnwindBytes, build_id};

use crate::platform;
use crate::recorder;
use crate::settings::{Mode, Settings};
use crate::stack::Registers;
use crate::stack::replay::{Memory, Walker};
use crate::tables::site_tree::{NodeId, ROOT, SiteTree, TOO_DEEP};
use std::fmt;

/// In sampled mode, has the calling thread draw its samples from this seed from here on, so that a
/// simulation can be repeated.
pub fn seed_sampling(seed: u64) {
    if let Some(recorder) = recorder::global().filter(|r| r.settings().mode == Mode::Sampled) {
        recorder::sampled::seed(seed, recorder.sampling_mean());
    }
}

/// Most frames of a path, as the default setting has it.
const DEPTH: usize = Settings::DEFAULT.depth as usize;

/// One thread's captures, as exact mode makes them at each allocation.
pub struct Captures {
    walker: Walker,
    memory: &'static mut Memory,
}

impl fmt::Debug for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Captures")
            .field("nodes", &self.walker.tree.len())
            .finish_non_exhaustive()
    }
}

impl Captures {
    /// Finds what is loaded. `None` where the system gives no memory.
    pub fn new() -> Option<Self> {
        let memory = platform::map_zeroed(size_of::<Memory>())?;
        let captures = Self {
            walker: Walker::new(1 << 20, DEPTH),
            // SAFETY: mapped for ever, for this value alone, page-aligned, and valid when zero.
            memory: unsafe { memory.cast::<Memory>().as_mut() },
        };
        captures.walker.prepare();
        Some(captures)
    }

    /// The stack of the caller: its node in the tree.
    #[inline(never)]
    pub fn capture(&mut self) -> u32 {
        let here = Registers::here();
        self.walker.capture(self.memory, here).node
    }

    /// Addresses of the calls of a node, innermost first, beginning with that of [`Self::capture`]
    /// itself.
    pub fn frames(&self, mut node: u32) -> Vec<u64> {
        let mut frames = Vec::new();
        while let Some((parent, frame)) = self.walker.tree.get(node) {
            frames.push(frame);
            node = parent;
        }
        frames
    }
}

/// The tree of stacks.
pub struct Tree(SiteTree);

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tree").field(&self.0.len()).finish()
    }
}

impl Tree {
    /// The node above all.
    pub const ROOT: NodeId = ROOT;

    /// A tree for `capacity` nodes.
    pub fn new(capacity: usize) -> Self {
        Self(SiteTree::new(capacity, DEPTH))
    }

    /// The node of `frame` called from `parent`. `None`: the tree is full.
    pub fn child(&self, parent: u32, frame: u64) -> Option<u32> {
        Some(self.0.child(parent, frame)).filter(|&node| node < TOO_DEEP)
    }
}
