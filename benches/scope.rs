//! What a scope costs a test: to open and close it, and for each allocation within it.
//!
//! ```sh
//! cargo bench --bench scope
//! ```

use criterion::Criterion;
use heaplens::testing::{Report, Scope};
use std::hint::black_box;

heaplens::testing::install!();

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("scope/open and close", |bencher| {
        bencher.iter(|| black_box(Scope::begin().end()));
    });
    criterion.bench_function("scope/open, enter once more, close", |bencher| {
        bencher.iter(|| {
            let scope = Scope::begin();
            drop(black_box(scope.enter()));
            black_box(scope.end())
        });
    });
    criterion.bench_function("scope/open, allocate and free, close", |bencher| {
        bencher.iter(|| -> Report {
            let scope = Scope::begin();
            drop(black_box(Box::new(7_u64)));
            scope.end()
        });
    });
    criterion.bench_function("pair/in no scope", |bencher| {
        bencher.iter(|| drop(black_box(Box::new(7_u64))));
    });
    criterion.bench_function("pair/in a scope", |bencher| {
        let _scope = Scope::begin();
        bencher.iter(|| drop(black_box(Box::new(7_u64))));
    });
    criterion.final_summary();
}
