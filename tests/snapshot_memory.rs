//! What a snapshot of a hundred thousand sites takes in memory while it is written.

mod large_tree;

use heaplens::snapshot::{Limits, read};
use heaplens::{Config, Mode};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Most bytes beyond what is live anyway.
const MOST_BYTES: usize = 64 << 20;

/// Counts what is live, and how much that was at most.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: the caller keeps the rules of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the block and its layout come from `alloc` above.
        unsafe { System.dealloc(block, layout) }
    }
}

fn main() {
    heaplens::profile!(
        Counting,
        Config::new().mode(Mode::Exact).interval(Duration::ZERO)
    );
    if std::env::var_os("HEAPLENS_DIR").is_none() {
        return in_a_folder_of_its_own();
    }
    // Five to nine nodes for each site: without optimisation a call takes more of them.
    let kept = large_tree::blocks(1, 16);
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let path = heaplens::snapshot("large").expect("a snapshot");
    let taken = PEAK.load(Relaxed) - before;
    drop(kept);

    let snapshot = read(path, &Limits::default()).expect("a snapshot");
    let (sites, nodes) = (snapshot.sites.stack.len(), snapshot.stacks.parent.len());
    println!("{taken} bytes for {sites} sites with {nodes} nodes");
    assert!(sites >= large_tree::PATHS, "{sites} sites");
    assert!(nodes / sites >= 4, "{nodes} nodes");
    assert!(snapshot.header.losses.stack_table_full == 0);
    assert!(taken < MOST_BYTES, "{taken} bytes, not {MOST_BYTES}");
    // What must be left of a limited address space before one is begun.
    assert!(taken < (4 << 20) + 128 * nodes, "{taken} bytes");
    // The counter would have to see the columns at least.
    assert!(taken > sites * 8 * 11, "{taken} bytes cannot be all");
    println!("test result: ok. 1 passed; 0 failed");
}

/// The folder is told by the environment, before the program starts.
fn in_a_folder_of_its_own() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let status = std::process::Command::new(std::env::current_exe().expect("a program"))
        .env("HEAPLENS_DIR", dir.path())
        .env_remove("HEAPLENS_MODE")
        .status();
    assert!(status.expect("a program").success());
}
