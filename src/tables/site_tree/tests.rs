//! The tree against maps and definitions.

use super::*;
use std::collections::HashMap;

fn path(tree: &SiteTree, mut node: NodeId) -> Vec<u64> {
    let mut path = Vec::new();
    while let Some((parent, frame)) = tree.get(node) {
        path.push(frame);
        node = parent;
    }
    path.reverse();
    path
}

fn step(seed: u64) -> u64 {
    seed.wrapping_mul(6364136223846793005).wrapping_add(1)
}

#[test]
fn agrees_with_a_map_under_contention() {
    let tree = SiteTree::new(1 << 16, 100);
    let maps: Vec<HashMap<(NodeId, u64), NodeId>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = HashMap::new();
                    let mut seed = 7;
                    for _ in 0..2_000 {
                        let mut node = ROOT;
                        let mut frames = Vec::new();
                        for _ in 0..8 {
                            seed = step(seed);
                            let frame = seed >> 62 | 0x5500_0000_0000;
                            let child = tree.child(node, frame);
                            assert_eq!(*seen.entry((node, frame)).or_insert(child), child);
                            frames.push(frame);
                            node = child;
                        }
                        assert_eq!(path(&tree, node), folded(frames));
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
fn a_node_has_as_many_children_as_it_needs() {
    let tree = SiteTree::new(1 << 15, 100);
    let frames = || (0..20_000u64).map(|n| 0x5500_0000_0000 + n * 16);
    let nodes: Vec<_> = frames().map(|frame| tree.child(ROOT, frame)).collect();
    for (frame, node) in frames().zip(nodes) {
        assert_eq!(tree.child(ROOT, frame), node);
        assert_eq!(tree.get(node), Some((ROOT, frame)));
    }
}

#[test]
fn a_full_tree_refuses_new_nodes_and_keeps_old_ones() {
    let tree = SiteTree::new(64, 100);
    let nodes: Vec<_> = (0..100).map(|frame| tree.child(ROOT, frame + 1)).collect();
    let made = nodes.iter().filter(|&&node| node != NO_NODE).count();
    assert_eq!(made, 63);
    assert_eq!(tree.child(ROOT, 5), nodes[4]);
    assert_eq!(tree.child(ROOT, 500), NO_NODE);
    assert_eq!(tree.child(NO_NODE, 5), NO_NODE);
    assert_eq!(tree.child(nodes[4], 5), nodes[4], "needs no new node");
}

#[test]
fn a_tree_without_memory_takes_nothing() {
    let tree = SiteTree::new(0, 100);
    assert_eq!((tree.len(), tree.get(ROOT)), (0, None));
    assert_eq!(tree.child(ROOT, 1), NO_NODE);
}

#[test]
fn no_path_is_deeper_than_allowed() {
    let tree = SiteTree::new(1 << 10, 50);
    let descend = |frames: &[u64]| {
        let child = |node, &frame: &u64| tree.child(node, frame);
        frames.iter().fold(ROOT, child)
    };
    let different: Vec<u64> = (1..=60).collect();
    assert_eq!(path(&tree, descend(&different[..50])), different[..50]);
    assert_eq!(descend(&different[..51]), TOO_DEEP);
    assert_eq!(descend(&different), TOO_DEEP);
    let repeated: Vec<u64> = (0..1000).map(|n| n % 7 + 1).collect();
    assert_eq!(
        path(&tree, descend(&repeated)),
        [1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6]
    );
}

#[test]
fn a_cycle_is_folded_up_to_a_length() {
    let tree = SiteTree::new(1 << 10, 1000);
    for (cycle, len) in [(LONGEST_CYCLE, 42), (LONGEST_CYCLE + 1, 330)] {
        let frames = (0..330).map(|n| 1 + n % cycle as u64);
        let node = frames
            .clone()
            .fold(ROOT, |node, frame| tree.child(node, frame));
        assert_eq!(path(&tree, node).len(), len);
        assert_eq!(path(&tree, node), folded(frames));
    }
}

/// Recursion with three call sites: the number of ways doubles and more with each level, that
/// of nodes does not.
#[test]
fn recursion_does_not_make_the_tree_explode() {
    let tree = SiteTree::new(1 << 20, 1000);
    let mut seed = 1;
    for _ in 0..10_000 {
        let mut node = ROOT;
        for _ in 0..40 {
            seed = step(seed);
            // A call site of the recursion, and what every round goes through.
            for frame in [1 + (seed >> 33) % 3, 10, 11] {
                node = tree.child(node, frame);
            }
        }
    }
    assert!(tree.len() < 100_000, "{}", tree.len());
}
