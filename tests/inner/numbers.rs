//! What is live according to a snapshot, against what the program knows it keeps.

use std::sync::mpsc;

const BLOCKS: usize = 40_000;

/// Threads make blocks of many sizes, others free most of them; what is left is known.
pub(crate) fn add_up(mode: &str) {
    let (before, _) = live();
    let kept = exchange();
    let truth: usize = kept.iter().map(Vec::capacity).sum();
    let holder = kept.capacity() * size_of::<Vec<u8>>();
    let (after, variance) = live();
    // Beside the blocks and the vector that holds them there is what threads and snapshots leave in
    // the standard library.
    let beside = 16 << 10;
    let change = after - before;
    match mode {
        "exact" => {
            let excess = change - (truth + holder) as i64;
            assert!(
                (0..beside).contains(&excess),
                "{change} is not {truth} + {holder} + a little"
            );
        }
        _ => {
            // The variance of all samples ever taken bounds that of what was born and died.
            let error = 5.0 * variance.sqrt() + beside as f64;
            let off = change as f64 - (truth + holder) as f64;
            assert!(
                off.abs() < error,
                "{change} is not {truth} + {holder} ± {error:.0}"
            );
        }
    }
    drop(kept);
    let end = super::take("end");
    let left = end.header.totals.live_bytes - before;
    if mode == "exact" {
        assert_eq!(end.header.losses.sites_unsettled, 0);
        assert!((0..beside).contains(&left), "{left} bytes are left");
        for (site, bytes) in end.sites.live_bytes.iter().enumerate() {
            assert!(*bytes >= 0, "site {site} has {bytes}");
            assert!(end.sites.live_count[site] >= 0);
        }
    }
    for site in 0..end.sites.stack.len() {
        let classes = end.sites.ages.live_bytes.iter();
        let ages: i64 = classes.map(|class| class[site]).sum();
        assert_eq!(ages, end.sites.live_bytes[site], "ages of site {site}");
    }
}

/// Live bytes now, and the variance of all that was ever sampled.
fn live() -> (i64, f64) {
    let snapshot = super::take("live");
    let variance = snapshot.sites.total_bytes_variance.iter().sum();
    (snapshot.header.totals.live_bytes, variance)
}

/// Two makers and two takers; the takers keep every tenth block, grown or shrunk.
fn exchange() -> Vec<Vec<u8>> {
    let workers: Vec<_> = (0..2u64)
        .map(|seed| {
            let (give, take) = mpsc::channel::<Vec<u8>>();
            let maker = std::thread::spawn(move || {
                let mut seed = seed + 1;
                for round in 0..BLOCKS {
                    seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
                    let size = match round % 100 {
                        0 => 100_000 + (seed >> 48) as usize,
                        _ => 1 + (seed >> 54) as usize,
                    };
                    give.send(vec![1u8; size]).unwrap();
                }
            });
            std::thread::spawn(move || {
                let mut kept = Vec::new();
                for (round, mut block) in take.iter().enumerate() {
                    match round % 10 {
                        0 => {
                            block.reserve_exact(round % 5_000);
                            kept.push(block);
                        }
                        1 => block.truncate(1),
                        2 => {
                            block.truncate(block.len() / 2);
                            block.shrink_to_fit();
                        }
                        _ => {}
                    }
                }
                maker.join().unwrap();
                kept
            })
        })
        .collect();
    let mut kept = Vec::new();
    for worker in workers {
        kept.extend(worker.join().unwrap());
    }
    kept
}
