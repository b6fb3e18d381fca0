//! Who holds what: the numbers of each scan agree with each other, and where memory is short there are none.

use crate::{clear, scan};
use heaplens::snapshot::graph::Graph;

fn sum(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

/// All that somebody holds is in the tree of dominators, once.
pub(crate) fn add_up(graph: &Graph) {
    assert!(!graph.scan.holders_left_out);
    let (Some(roots), Some(edges), Some(tree)) = (&graph.roots, &graph.edges, &graph.dominators)
    else {
        panic!("no holders: {:#?}", graph.scan);
    };
    let sites = &graph.sites;
    let held = sum(&sites.held_bytes) + sum(&sites.foreign_bytes);
    let own = sum(&tree.own_bytes) + tree.left_out.bytes;
    assert_eq!(own, held, "bytes in rows, and held ones");
    let blocks = sum(&sites.held_count) + sum(&sites.foreign_count);
    assert_eq!(sum(&tree.count) + tree.left_out.count, blocks);
    let rows = 0..tree.parent.len();
    let tops = rows.clone().filter(|&row| tree.parent[row] < 0);
    let retained: u64 = tops.map(|row| tree.retained_bytes[row]).sum();
    assert!(retained <= held && retained + tree.left_out.bytes >= held);
    let mut below = vec![0; tree.parent.len()];
    for row in rows.rev() {
        assert!(
            tree.retained_bytes[row] >= below[row],
            "row {row} of {tree:#?}"
        );
        if let Ok(parent) = usize::try_from(tree.parent[row]) {
            below[parent] += tree.retained_bytes[row];
        }
    }
    assert!(!roots.kind.is_empty());
    assert!(edges.count.iter().all(|&count| count > 0));
    assert_eq!(edges.left_out.count, 0);
}

/// Where a limit leaves room for what is unreached and no more, that alone is told.
pub(crate) fn short_of_memory() {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("/proc");
    let resident = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    let resident = resident.expect("a number") * 4_096;
    // An eighth may be written to, and the copy takes 16 MiB beside its arrays.
    let limit = resident + resident / 8 + (16 << 20) + (4 << 20);
    let config = heaplens::Config::new().limit(limit);
    let _profiler = heaplens::start(config).expect("heaplens starts");
    let kept: Vec<String> = (0..1_000).map(crate::held::text).collect();
    clear::stack();
    let graph = scan().graph.expect("a graph");
    assert!(sum(&graph.sites.held_count) >= kept.len() as u64);
    assert!(graph.scan.holders_left_out);
    assert!(graph.roots.is_none() && graph.edges.is_none() && graph.dominators.is_none());
}
