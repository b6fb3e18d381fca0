//! More stacks than the tree has room for: what does not fit is counted, in bytes too, and what fits
//! stays exact.
//!
//! Without a harness, since its threads would allocate too. Runs itself with the mode set.

mod call_paths;

use call_paths::on_path;
use heaplens::snapshot::{Limits, SPECIAL_MODULE, Snapshot, SpecialFrame};
use std::hint::black_box;

/// Stacks of four nodes and more each: the tree has room for 1,048,576 nodes.
const STACKS: usize = 250_000;
/// Met before the tree is full.
const EARLY: usize = 1_000;
/// A size that nothing else has.
const SIZE: usize = 7_919;

fn main() {
    heaplens::profile!();
    if std::env::var_os("HEAPLENS_MODE").is_some() {
        return overflow();
    }
    let dir = tempfile::tempdir().unwrap();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .env("HEAPLENS_MODE", "exact")
        .env("HEAPLENS_DIR", dir.path())
        .env("HEAPLENS_INTERVAL", "none")
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
    println!("test result: ok. 1 passed; 0 failed");
}

fn overflow() {
    // Old stacks have their sites still; new ones have none, and do not become old ones.
    let kept = [0, 1, EARLY];
    let lost = [STACKS - 1, STACKS, STACKS + 1, STACKS - 1];
    let mut blocks = Vec::with_capacity(kept.len() + lost.len());
    // From one place, so that the same path is the same stack.
    for (number, path) in (0..STACKS).chain(kept).chain(lost).enumerate() {
        let block = allocate(path);
        if number >= STACKS {
            blocks.push(block);
        }
    }
    let path = heaplens::snapshot("full").unwrap();
    let snapshot = heaplens::snapshot::read(&path, &Limits::default()).unwrap();

    let sites = &snapshot.sites;
    let is_ours = |&site: &usize| sites.total_bytes[site] == sites.total_count[site] * SIZE as u64;
    let (full, known): (Vec<usize>, Vec<usize>) =
        (0..sites.stack.len()).partition(|&site| is_table_full(&snapshot, site));
    let known: Vec<usize> = known.into_iter().filter(is_ours).collect();
    let [full] = full[..] else {
        panic!("{} sites for what does not fit", full.len());
    };
    assert!(
        known.len() > EARLY && known.len() < STACKS,
        "{}",
        known.len()
    );
    let losses = &snapshot.header.losses;
    assert_eq!(losses.stack_table_full, sites.total_count[full]);
    // Every allocation is somewhere. Snapshots allocate a little too, from new places.
    let known_count: u64 = known.iter().map(|&site| sites.total_count[site]).sum();
    let all = (STACKS + kept.len() + lost.len()) as u64;
    assert!((all..all + 1_000).contains(&(known_count + sites.total_count[full])));
    let live = known
        .iter()
        .map(|&site| sites.live_count[site])
        .sum::<i64>();
    assert_eq!(live, kept.len() as i64);
    let live = sites.live_bytes[full];
    let lost = (lost.len() * SIZE) as i64;
    assert!(
        (lost..lost + (64 << 10)).contains(&live),
        "{live} for {lost}"
    );
}

fn allocate(path: usize) -> Vec<u8> {
    on_path(path, STACKS.ilog10() + 1, &mut || {
        black_box(Vec::with_capacity(black_box(SIZE)))
    })
}

/// Whether a site stands for all that the tree has no room for.
fn is_table_full(snapshot: &Snapshot, site: usize) -> bool {
    let stacks = &snapshot.stacks;
    let row = snapshot.sites.stack[site] as usize;
    stacks.module[row] == SPECIAL_MODULE && stacks.address[row] == SpecialFrame::TableFull.code()
}
