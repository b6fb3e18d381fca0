//! Exact mode under many threads: sums at rest are exact, and ended threads leave nothing behind.
//!
//! Without a harness, since its threads would allocate too. Runs itself with the mode set.

use heaplens::snapshot::{Limits, Snapshot};
use std::hint::black_box;
use std::sync::{Arc, Barrier, mpsc};

/// Live at the same time.
const THREADS: usize = 64;
/// One after the other.
const SHORT_LIVED: usize = 20_000;

fn main() {
    heaplens::profile!();
    if std::env::var_os("HEAPLENS_MODE").is_none() {
        let dir = tempfile::tempdir().unwrap();
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .env("HEAPLENS_MODE", "exact")
            .env("HEAPLENS_DIR", dir.path())
            .env("HEAPLENS_INTERVAL", "20ms")
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
        println!("test result: ok. 2 passed; 0 failed");
        return;
    }
    sums_are_exact();
    ended_threads_leave_nothing();
}

/// Bytes and blocks of the site with blocks of exactly this size, and whether all has settled.
fn of_size(snapshot: &Snapshot, size: i64) -> (i64, i64) {
    let sites = &snapshot.sites;
    let mut sum = (0, 0);
    for site in 0..sites.stack.len() {
        let per_block = sites.total_bytes[site].checked_div(sites.total_count[site]);
        if per_block == Some(size as u64) {
            sum.0 += sites.live_bytes[site];
            sum.1 += sites.live_count[site];
        }
    }
    sum
}

fn take(label: &str) -> Snapshot {
    let path = heaplens::snapshot(label).unwrap();
    heaplens::snapshot::read(&path, &Limits::default()).unwrap()
}

/// Each thread makes blocks of one odd size on two sites and hands half of them to its neighbour,
/// which frees all but a known number.
fn sums_are_exact() {
    const SIZE: usize = 7_919;
    const ROUNDS: usize = 2_000;
    const KEPT: usize = 10;
    let (gives, takes): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel::<Vec<u8>>()).unzip();
    let barrier = Arc::new(Barrier::new(THREADS));
    let threads: Vec<_> = takes
        .into_iter()
        .enumerate()
        .map(|(index, take)| {
            let give = gives[(index + 1) % THREADS].clone();
            let barrier = Arc::clone(&barrier);
            std::thread::spawn(move || {
                barrier.wait();
                for _ in 0..ROUNDS {
                    give.send(black_box(Vec::with_capacity(SIZE))).unwrap();
                    drop(black_box(Vec::<u8>::with_capacity(SIZE)));
                }
                drop(give);
                let mut kept = Vec::with_capacity(KEPT);
                for (number, block) in take.iter().take(ROUNDS).enumerate() {
                    if number < KEPT {
                        kept.push(block);
                    }
                }
                kept
            })
        })
        .collect();
    drop(gives);
    let kept: Vec<Vec<Vec<u8>>> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    let snapshot = take("at rest");
    assert_eq!(snapshot.header.losses.sites_unsettled, 0);
    let blocks = THREADS * KEPT;
    assert_eq!(
        of_size(&snapshot, SIZE as i64),
        ((blocks * SIZE) as i64, blocks as i64)
    );
    drop(kept);
    assert_eq!(of_size(&take("after"), SIZE as i64), (0, 0));
}

fn ended_threads_leave_nothing() {
    const SIZE: usize = 5_003;
    let run = |count: usize| {
        for _ in 0..count / 4 {
            let threads: Vec<_> = (0..4)
                .map(|_| std::thread::spawn(|| drop(black_box(Vec::<u8>::with_capacity(SIZE)))))
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
        }
        take("threads").header
    };
    let first = run(400);
    let last = run(SHORT_LIVED);
    assert_eq!(last.losses.threads_unregistered, 0);
    // New stacks may still be met; states that were not given back would take 900 MiB.
    let grown = last.overhead.tables_bytes as i64 - first.overhead.tables_bytes as i64;
    assert!(
        grown < 1 << 20,
        "{grown} bytes more for {SHORT_LIVED} threads"
    );
    let grown = last.totals.live_bytes - first.totals.live_bytes;
    assert!(
        grown.abs() < 4 << 10,
        "{grown} bytes more for {SHORT_LIVED} threads"
    );
}
