//! What is live at rest, while threads have freed what others made.

use crate::call_paths::on_path;
use crate::take;
use heaplens::snapshot::Snapshot;
use std::hint::black_box;
use std::sync::{Arc, Barrier, mpsc};

/// Live at the same time.
const THREADS: usize = 64;
/// Sizes that nothing else has: of blocks of a site of each thread's own, and of one for all.
const PRIVATE: usize = 7_919;
const SHARED: usize = 5_557;
/// Blocks of either size that each thread hands to its neighbour, and as many that it frees itself.
/// All threads together make 2 million allocations and frees, or 10^8 at full length.
fn rounds() -> usize {
    match std::env::var_os("HEAPLENS_STORMS") {
        Some(length) if length == "full" => 200_000,
        _ => 4_000,
    }
}

/// Blocks of either size that each keeps of those that it got.
const KEPT: usize = 10;

type Blocks = (Vec<u8>, Vec<u8>);

/// Each thread hands half of its blocks to its neighbour, which frees all but a known number.
pub(crate) fn are_exact() {
    let (gives, takes): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel::<Blocks>()).unzip();
    let barrier = Arc::new(Barrier::new(THREADS));
    let threads: Vec<_> = takes
        .into_iter()
        .enumerate()
        .map(|(index, take)| {
            let give = gives[(index + 1) % THREADS].clone();
            let barrier = Arc::clone(&barrier);
            std::thread::spawn(move || {
                barrier.wait();
                work(index, give, &take)
            })
        })
        .collect();
    drop(gives);
    let kept: Vec<Vec<Blocks>> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    let snapshot = take("at rest");
    assert_eq!(snapshot.header.losses.sites_unsettled, 0);
    let total = 2 * rounds() as u64;
    assert_eq!(
        sites_of(&snapshot, PRIVATE),
        [(KEPT as i64, total); THREADS]
    );
    let threads = THREADS as u64;
    assert_eq!(
        sites_of(&snapshot, SHARED),
        [((THREADS * KEPT) as i64, threads * total)]
    );
    drop(kept);
    let snapshot = take("after");
    assert_eq!(sites_of(&snapshot, PRIVATE), [(0, total); THREADS]);
    assert_eq!(sites_of(&snapshot, SHARED), [(0, threads * total)]);
}

fn work(index: usize, give: mpsc::Sender<Blocks>, take: &mpsc::Receiver<Blocks>) -> Vec<Blocks> {
    let pair = || {
        let private = on_path(index, 2, &mut || allocate(PRIVATE));
        (private, shared())
    };
    let mut kept = Vec::with_capacity(KEPT);
    let mut keep = |blocks| {
        if kept.len() < KEPT {
            kept.push(blocks);
        }
    };
    for _ in 0..rounds() {
        // In one loop, so that this is one call site.
        for is_given in [true, false] {
            let blocks = pair();
            if is_given {
                give.send(blocks).unwrap();
            }
        }
        // Now and not at the end, so that few are on their way.
        take.try_iter().for_each(&mut keep);
    }
    drop(give);
    take.iter().for_each(keep);
    kept
}

#[inline(never)]
fn shared() -> Vec<u8> {
    black_box(allocate(SHARED))
}

#[inline(never)]
fn allocate(size: usize) -> Vec<u8> {
    black_box(Vec::with_capacity(black_box(size)))
}

/// Live and total blocks of each site that has made blocks of this size.
fn sites_of(snapshot: &Snapshot, size: usize) -> Vec<(i64, u64)> {
    let sites = &snapshot.sites;
    let of_size = (0..sites.stack.len())
        .filter(|&site| sites.total_bytes[site] == sites.total_count[site] * size as u64);
    of_size
        .map(|site| {
            let live = sites.live_count[site];
            assert_eq!(sites.live_bytes[site], live * size as i64);
            (live, sites.total_count[site])
        })
        .collect()
}
