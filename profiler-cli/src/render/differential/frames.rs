//! The frames of the picture, and the numbers of each one's subtree.

use std::collections::BTreeMap;

use crate::analysis::diff::{Diff, Row};
use crate::profile::{CallTree, NodeId, Values};
use crate::render::stacks::{self, MAX_DEPTH};

/// Frames of the whole picture, which a browser still moves smoothly.
const MAX_FRAMES: usize = 20_000;
/// The part of all change below which a frame is not drawn: a tenth of a pixel.
pub(super) const SMALLEST_PART: f64 = 1e-4;

/// What a frame stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// All stacks.
    All,
    /// A function, by its identity in the diff.
    Function(u32),
    /// Frames that are too deep to be drawn.
    Deeper,
}

/// A frame to draw, and the sums over its subtree.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) name: Name,
    /// Functions that it stands for too, from the next inner one on.
    pub(super) inner: Vec<u32>,
    /// The frame below it, which stands before it; the frame of all is its own.
    pub(super) caller: usize,
    /// Frames below it.
    pub(super) depth: u32,
    /// Bytes by which its paths grew or shrank, without regard to the sign.
    pub(super) weight: f64,
    pub(super) before: Values,
    pub(super) after: Values,
}

impl Frame {
    fn new(name: Name, caller: usize, depth: u32, weight: f64) -> Self {
        Self {
            name,
            inner: Vec::new(),
            caller,
            depth,
            weight,
            before: Values::default(),
            after: Values::default(),
        }
    }

    /// Live bytes after minus before.
    pub(super) fn change(&self) -> i64 {
        self.after.live_bytes.saturating_sub(self.before.live_bytes)
    }
}

/// The frames of a diff, callers before what they call; the first one is all of it.
pub(super) fn frames(diff: &Diff<'_>, inverted: bool) -> Vec<Frame> {
    let ends = diff.rows().iter().map(|row| row.node);
    if inverted {
        let (tree, ends) = stacks::turned_over(diff.tree(), ends);
        return of_tree(&tree, diff.rows(), &ends);
    }
    of_tree(diff.tree(), diff.rows(), &ends.collect::<Vec<_>>())
}

/// The frames of a tree in which row `i` ends at node `ends[i]`.
fn of_tree(tree: &CallTree, rows: &[Row], ends: &[NodeId]) -> Vec<Frame> {
    let mut weights = vec![0.0; tree.len()];
    for (row, &end) in rows.iter().zip(ends) {
        weights[end as usize] += row.change().unsigned_abs() as f64;
    }
    let mut all = 0.0;
    for node in tree.nodes().rev() {
        let weight = weights[node as usize];
        match tree.caller(node) {
            Some(caller) => weights[caller as usize] += weight,
            None => all += weight,
        }
    }
    let mut smallest = all * SMALLEST_PART;
    let (mut frames, drawn_at) = loop {
        match drawn(tree, &weights, all, smallest) {
            Some(drawn) => break drawn,
            None => smallest *= 2.0,
        }
    };
    for (row, &end) in rows.iter().zip(ends) {
        let frame = &mut frames[drawn_at[end as usize] as usize];
        frame.before.add(&row.before);
        frame.after.add(&row.after);
    }
    for at in (1..frames.len()).rev() {
        let (before, after) = (frames[at].before, frames[at].after);
        let caller = frames[at].caller;
        frames[caller].before.add(&before);
        frames[caller].after.add(&after);
    }
    frames
}

/// Frames for the nodes of at least the `smallest` weight, without their numbers, and for each node
/// of the tree the frame that its numbers go to. `None` if they are too many.
fn drawn(
    tree: &CallTree,
    weights: &[f64],
    all: f64,
    smallest: f64,
) -> Option<(Vec<Frame>, Vec<u32>)> {
    let mut frames = vec![Frame::new(Name::All, 0, 0, all)];
    let mut drawn_at = Vec::with_capacity(tree.len());
    // Of a node whose frame is the last one that is not too deep, the frame of all that is deeper.
    let mut deeper = BTreeMap::new();
    for node in tree.nodes() {
        let caller = tree
            .caller(node)
            .map_or(0, |caller| drawn_at[caller as usize]);
        let weight = weights[node as usize];
        // A caller that is left out has no frame of its own, and what it calls weighs no more.
        if weight <= 0.0 || weight < smallest {
            drawn_at.push(caller);
            continue;
        }
        let below = &frames[caller as usize];
        if below.name == Name::Deeper {
            drawn_at.push(caller);
            continue;
        }
        let depth = below.depth + 1;
        let frame = frames.len() as u32;
        if depth <= MAX_DEPTH {
            let name = Name::Function(tree.label(node));
            frames.push(Frame::new(name, caller as usize, depth, weight));
            drawn_at.push(frame);
        } else {
            let at = *deeper.entry(caller).or_insert(frame);
            if at == frame {
                frames.push(Frame::new(Name::Deeper, caller as usize, depth, 0.0));
            }
            frames[at as usize].weight += weight;
            drawn_at.push(at);
        }
        if frames.len() > MAX_FRAMES {
            return None;
        }
    }
    Some((frames, drawn_at))
}
