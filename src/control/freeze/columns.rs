//! Rows of numbers, and the tree that they point into, as the columns of a snapshot.
//!
//! Of the tree only the nodes above a row are taken. A tree has up to ten times as many nodes as
//! sites, so what is kept for each node is counted first, and nothing grows step by step.

use super::rows::Row;
use crate::recorder::Recorder;
use crate::settings::Mode;
use crate::snapshot::{
    AGE_BOUNDS_SECONDS, AGE_CLASSES, Ages, SPECIAL_MODULE, Sites, SpecialFrame, Stacks,
};
use crate::stack::replay::special_code;
use crate::tables::site_tree::{NodeId, ROOT};

/// The rows as columns. The column of stacks holds nodes: [`stacks`] puts rows in their place.
pub(super) fn sites(recorder: Option<&Recorder>, rows: &[Row]) -> Sites {
    let is_sampled = recorder.is_some_and(|recorder| recorder.settings().mode == Mode::Sampled);
    let sampled = if is_sampled { rows } else { &[] };
    Sites {
        stack: rows.iter().map(|row| row.site).collect(),
        live_bytes: rows.iter().map(|row| row.sums.live_bytes).collect(),
        live_count: rows.iter().map(|row| row.sums.live_count).collect(),
        total_bytes: rows.iter().map(|row| row.sums.total_bytes).collect(),
        total_count: rows.iter().map(|row| row.sums.total_count).collect(),
        ages: Ages {
            bounds_seconds: AGE_BOUNDS_SECONDS.to_vec(),
            live_bytes: (0..AGE_CLASSES)
                .map(|class| rows.iter().map(|row| row.ages[class]).collect())
                .collect(),
        },
        live_samples: sampled.iter().map(|row| row.live_samples).collect(),
        total_samples: sampled.iter().map(|row| row.total_samples).collect(),
        live_bytes_variance: sampled.iter().map(|row| row.live_variance).collect(),
        total_bytes_variance: sampled.iter().map(|row| row.total_variance).collect(),
    }
}

/// The stacks of these nodes. Each node becomes the number of its row.
pub(super) fn stacks(recorder: Option<&Recorder>, nodes: &mut [NodeId]) -> Stacks {
    let Some(recorder) = recorder else {
        return Stacks::default();
    };
    /// Row of a node that is above none of `nodes`, and of one that has no row yet.
    const UNUSED: u32 = u32::MAX;
    const USED: u32 = 0;
    let len = nodes
        .iter()
        .map(|&node| node as usize + 1)
        .max()
        .unwrap_or(0);
    let mut row_of_node = vec![UNUSED; len];
    let mut used = 0;
    for &node in &*nodes {
        let mut node = node;
        while node != ROOT && row_of_node[node as usize] == UNUSED {
            row_of_node[node as usize] = USED;
            used += 1;
            node = recorder
                .walker
                .tree
                .get(node)
                .map_or(ROOT, |(parent, _)| parent);
        }
    }
    let mut stacks = Stacks {
        parent: Vec::with_capacity(used),
        module: Vec::with_capacity(used),
        address: Vec::with_capacity(used),
    };
    // A node is made after its parent, so ids ascend from parents to children.
    for node in 0..len {
        if row_of_node[node] == UNUSED {
            continue;
        }
        let Some((parent, frame)) = recorder.walker.tree.get(node as NodeId) else {
            continue;
        };
        row_of_node[node] = stacks.parent.len() as u32;
        let (module, address) = place(recorder, frame);
        stacks.parent.push(match parent {
            ROOT => -1,
            parent => i64::from(row_of_node[parent as usize]),
        });
        stacks.module.push(module);
        stacks.address.push(address);
    }
    for node in nodes {
        *node = row_of_node[*node as usize];
    }
    stacks
}

/// A frame as module and address within it.
fn place(recorder: &Recorder, frame: u64) -> (u32, u64) {
    if let Some(code) = special_code(frame) {
        return (SPECIAL_MODULE, code);
    }
    match recorder.walker.stepper.modules.find(frame) {
        Some((index, module)) => (index as u32 + 1, frame.wrapping_sub(module.identity.bias)),
        None => (SPECIAL_MODULE, SpecialFrame::UnknownCode.code()),
    }
}
