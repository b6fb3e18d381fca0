//! What a capture costs, by depth and by what has changed since the last one, beside two other walks;
//! and what the tree of stacks costs.
//!
//! ```sh
//! cargo bench --features internals --bench captures
//! RUSTFLAGS="-C force-frame-pointers=yes" cargo bench --features internals --bench captures
//! ```
//!
//! Only a build with frame pointers has the walk along them. `benches/capture` compares the two builds.

#[path = "capture/src/measure/patterns.rs"]
mod patterns;
#[path = "capture/src/measure/walks.rs"]
mod walks;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use heaplens::internals::{Captures, Tree};
use patterns::{ALL, Pattern};
use std::hint::black_box;
use std::time::{Duration, Instant};

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = captures, tree
}
criterion_main!(benches);

/// Calls between the benchmark and the walk. Each result holds the price of the calls too, which
/// `calls` has alone.
const DEPTHS: [usize; 3] = [10, 30, 100];

fn captures(criterion: &mut Criterion) {
    let mut captures = Captures::new().expect("memory");
    let mut pointers = walks::FramePointers::new();
    let mut walked = 0;
    Pattern::SameLeaf.run(DEPTHS[0], 1, &mut || walked = pointers.walk());
    let has_pointers = walked >= DEPTHS[0];
    if !has_pointers {
        eprintln!("built without frame pointers: no walk along them");
    }
    for pattern in ALL {
        let mut group = criterion.benchmark_group(format!("capture/{}", pattern.name()));
        for depth in DEPTHS {
            measure(&mut group, pattern, depth, "calls", &mut walks::nothing);
            measure(&mut group, pattern, depth, "heaplens", &mut || {
                black_box(captures.capture());
            });
            if has_pointers {
                measure(&mut group, pattern, depth, "frame pointers", &mut || {
                    black_box(pointers.walk());
                });
            }
            measure(&mut group, pattern, depth, "backtrace", &mut || {
                black_box(walks::backtrace());
            });
        }
    }
}

fn measure(
    group: &mut BenchmarkGroup<'_, WallTime>,
    pattern: Pattern,
    depth: usize,
    walk: &str,
    run: &mut dyn FnMut(),
) {
    group.bench_function(BenchmarkId::new(walk, depth), |bencher| {
        bencher.iter_custom(|rounds| {
            let start = Instant::now();
            pattern.run(depth, rounds, run);
            start.elapsed()
        });
    });
}

/// Nodes of the trees, which are mapped for ever: as few as do.
const NODES: u64 = 1 << 16;

fn tree(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tree");
    // Frames of a program lie close to each other.
    let frame = |number: u64| 0x5555_5555_0000 + number * 7;
    let fill = |tree: &Tree| {
        (1..NODES).for_each(|number| {
            tree.child(Tree::ROOT, frame(number)).expect("room");
        });
    };
    group.bench_function("find", |bencher| {
        let tree = Tree::new(NODES as usize);
        fill(&tree);
        let mut number = 0;
        bencher.iter(|| {
            number = (number + 40_503) % (NODES - 1);
            tree.child(Tree::ROOT, frame(number + 1))
        });
    });
    group
        .sample_size(10)
        .measurement_time(Duration::from_millis(200));
    group.bench_function("insert 65,535 nodes", |bencher| {
        bencher.iter_custom(|rounds| {
            (0..rounds)
                .map(|_| {
                    let tree = Tree::new(NODES as usize);
                    let start = Instant::now();
                    fill(&tree);
                    start.elapsed()
                })
                .sum()
        });
    });
}
