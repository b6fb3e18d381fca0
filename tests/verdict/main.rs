//! The power of `heaplens suspects`: a simulator drives real recorders through 200 scenarios, once
//! with a leak and once without, and counts whom the verdict names.
//!
//! Each run is a process of its own with heaplens' allocator and real snapshots; only the time is
//! set, so that hours pass in a moment. Without a harness, since its threads would allocate too.
//!
//! ```text
//! cargo test --test verdict                          a fixed tenth of the runs
//! VERDICT_RUNS=all cargo test --test verdict         all 2,000; docs/verdict.md has the table
//! VERDICT_RUNS=7 cargo test --test verdict           another tenth, 0 to 9
//! VERDICT_SEED=7 VERDICT_RUNS=all cargo test …       other seeds, such as the rules were tuned on
//! ```

mod judge;
mod parts;
mod random;
mod scenario;
mod simulation;
mod table;

use heaplens::{Allocator, Config};
use judge::Judge;
use scenario::{Run, SCENARIOS};
use std::alloc::System;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use table::Table;

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System, Config::new());

/// Runs of each scenario with a leak, and as many without.
const RUNS: u64 = 5;
/// Every tenth scenario's runs are those of the tests, each in another place among the ten.
const TENTH: u64 = 10;

fn main() {
    if let Some(run) = Run::of_this_process() {
        return simulation::run(&run);
    }
    let number = |name: &str| std::env::var(name).ok();
    let seed =
        number("VERDICT_SEED").map_or(1, |text| text.parse().expect("VERDICT_SEED: a number"));
    let which = number("VERDICT_RUNS").unwrap_or_else(|| "0".to_owned());
    let all = which == "all";
    let tenth: u64 = if all {
        0
    } else {
        which.parse().expect("VERDICT_RUNS: 0 to 9, or all")
    };
    let mut runs = Vec::new();
    for at in 0..SCENARIOS * RUNS {
        // Neighbours are other scenarios, so a tenth has of each kind.
        let (scenario, repetition) = (at % SCENARIOS, at / SCENARIOS);
        if all || (scenario + 3 * repetition + tenth).is_multiple_of(TENTH) {
            for leaks in [true, false] {
                runs.push(Run::new(scenario, seed * 1_000 + repetition, leaks));
            }
        }
    }
    let (judge, next, table) = (
        Judge::new(),
        AtomicUsize::new(0),
        Mutex::new(Table::default()),
    );
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = judge.judge(run);
                    table
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .add(run, &verdict);
                }
            });
        }
    });
    let table = table.into_inner().unwrap_or_else(PoisonError::into_inner);
    table.print();
    table.check(all);
    println!("test result: ok. {} runs passed; 0 failed", runs.len());
}
