//! Threads that come and go.

use crate::take;
use heaplens::snapshot::Header;
use std::hint::black_box;
use std::sync::{Arc, Barrier};

/// Threads of a run, one after the other in fours. A million take half a minute and more.
fn count() -> usize {
    match std::env::var_os("MILLION_THREADS") {
        Some(_) => 1_000_000,
        None => 50_000,
    }
}

pub(crate) fn leave_nothing() {
    // More at a time than ever later: as many states as there will be.
    let barrier = Arc::new(Barrier::new(16));
    let all: [_; 16] = std::array::from_fn(|_| {
        let barrier = Arc::clone(&barrier);
        std::thread::spawn(move || {
            work();
            barrier.wait();
        })
    });
    for thread in all {
        thread.join().unwrap();
    }
    // From one place, so that all have the same stacks; twice, since a snapshot allocates too.
    let count = count();
    let [_, first, last] = [400, 400, count].map(run);
    assert_eq!(last.losses.threads_unregistered, 0);
    // Mapped and in use, pages that were only read included: a stack that is met late may touch a
    // page of some tables, and a snapshot of later births reads more columns. But one state in a
    // thousand that were not given back would be ten times as much.
    let grown = last.overhead.tables_bytes as i64 - first.overhead.tables_bytes as i64;
    assert!(grown <= 256 << 10, "{grown} bytes more for {count} threads");
    let grown = last.totals.live_bytes - first.totals.live_bytes;
    assert!(grown <= 4 << 10, "{grown} bytes more for {count} threads");
}

fn run(count: usize) -> Header {
    for _ in 0..count / 4 {
        let threads: [_; 4] = std::array::from_fn(|_| std::thread::spawn(work));
        for thread in threads {
            thread.join().unwrap();
        }
    }
    take("threads").header
}

fn work() {
    drop(black_box(Vec::<u8>::with_capacity(black_box(5_003))));
}
