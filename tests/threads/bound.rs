//! What heaplens takes for itself with 1,000 threads and 100,000 sites: no more than 256 bytes for each
//! node of the tree of stacks, 60 KiB for each thread, and 2 MiB beside.

use crate::call_paths::on_path;
use crate::take;
use std::alloc::{Layout, alloc, dealloc};
use std::hint::black_box;
use std::sync::Barrier;

const THREADS: usize = 1_000;
const SITES: usize = 100_000;
/// Calls on the path to each site, of ten ways each.
const LEVELS: u32 = SITES.ilog10();
/// Sites that each thread meets beside its own, so that its state is in full use.
const OTHERS: usize = 200;
/// Of blocks that nobody else makes.
const SIZE: usize = 24_593;

/// For each node: its place in the tree, counters, and live bytes in all age bins.
const NODE: u64 = 32 + 32 + 24 * 8;
/// Of each thread: eleven pages of counters, and two each of the last stack and of the new frames of
/// the next, which are room for more than 100 frames.
const THREAD: u64 = (11 + 2 + 2) << 12;
/// Rules, registries, and the ends of tables that are touched by the page.
const REST: u64 = 2 << 20;

pub(crate) fn holds() {
    let barrier = Barrier::new(THREADS + 1);
    let snapshot = std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let barrier = &barrier;
            let builder = std::thread::Builder::new().stack_size(256 << 10);
            let spawned = builder.spawn_scoped(scope, move || {
                work(thread);
                // All are alive while the snapshot is taken.
                barrier.wait();
                barrier.wait();
            });
            spawned.unwrap();
        }
        barrier.wait();
        let snapshot = take("all alive");
        barrier.wait();
        snapshot
    });
    let sites = &snapshot.sites;
    let met = sites.total_bytes.iter().zip(&sites.total_count);
    let met = met.filter(|(bytes, count)| **bytes == **count * SIZE as u64);
    assert_eq!(met.count(), SITES);
    let losses = &snapshot.header.losses;
    assert_eq!(losses.stack_table_full + losses.threads_unregistered, 0);
    let nodes = snapshot.stacks.parent.len() as u64;
    assert!(nodes >= 2 * SITES as u64, "{nodes} nodes");
    let bound = nodes * NODE + (THREADS as u64 + 8) * THREAD + REST;
    let bytes = snapshot.header.overhead.tables_bytes;
    println!(
        "{THREADS} threads, {SITES} sites, {nodes} nodes: {} KiB of at most {} KiB",
        bytes >> 10,
        bound >> 10
    );
    // And not far below: the figure is of what is there.
    assert!((bound / 3..=bound).contains(&bytes), "{bytes} of {bound}");
}

/// Meets this thread's share of the sites, and others at random.
fn work(thread: usize) {
    let own = SITES / THREADS;
    let mut random = fastrand::Rng::with_seed(thread as u64);
    let others = (0..OTHERS).map(|_| random.usize(..SITES));
    for site in (thread * own..(thread + 1) * own).chain(others) {
        on_path(site, LEVELS, &mut || {
            let layout = Layout::from_size_align(SIZE, 8).unwrap();
            // SAFETY: the size is not zero, and the block is freed as it was made, once.
            unsafe { dealloc(black_box(alloc(layout)), layout) };
        });
    }
}
