//! What an allocation and its free cost, under the mode that `HEAPLENS_MODE` names:
//!
//! ```sh
//! for mode in off sampled exact; do HEAPLENS_MODE=$mode cargo bench --bench allocation; done
//! ```
//!
//! Criterion keeps a result for each mode, since the mode is part of the names. `off` is the base:
//! it only forwards.

use criterion::{BenchmarkId, Criterion};
use std::hint::black_box;

fn main() {
    heaplens::profile!(
        std::alloc::System,
        heaplens::Config::new().interval(std::time::Duration::ZERO)
    );
    let mode = std::env::var("HEAPLENS_MODE").unwrap_or_else(|_| "sampled".into());
    let mut criterion = Criterion::default().configure_from_args();
    pairs_by_size(&mut criterion, &mode);
    pairs_by_depth(&mut criterion, &mode);
    growing_vector(&mut criterion, &mode);
    criterion.final_summary();
}

fn pairs_by_size(criterion: &mut Criterion, mode: &str) {
    let mut group = criterion.benchmark_group(format!("pair by size/{mode}"));
    for size in [16usize, 256, 4_096, 100_000] {
        group.bench_with_input(
            BenchmarkId::from_parameter(size),
            &size,
            |bencher, &size| {
                bencher.iter(|| black_box(Vec::<u8>::with_capacity(black_box(size))));
            },
        );
    }
}

fn pairs_by_depth(criterion: &mut Criterion, mode: &str) {
    let mut group = criterion.benchmark_group(format!("pair by depth/{mode}"));
    for depth in [5usize, 30, 100] {
        group.bench_with_input(
            BenchmarkId::from_parameter(depth),
            &depth,
            |bencher, &depth| {
                at_depth(depth, &mut || {
                    bencher.iter(|| black_box(Box::new(black_box(1u64))));
                });
            },
        );
    }
}

#[inline(never)]
fn at_depth(depth: usize, work: &mut dyn FnMut()) -> usize {
    if depth == 0 {
        work();
        return 0;
    }
    black_box(at_depth(black_box(depth - 1), work)) + 1
}

fn growing_vector(criterion: &mut Criterion, mode: &str) {
    criterion.bench_function(&format!("vector grown to 10,000/{mode}"), |bencher| {
        bencher.iter(|| {
            let mut numbers = Vec::new();
            for number in 0..10_000u32 {
                numbers.push(black_box(number));
            }
            numbers
        });
    });
}
