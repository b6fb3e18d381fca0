//! How large a snapshot may be. Too slow without optimisation:
//! `cargo test --release -p heaplens-cli --test cli -- --ignored`.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::fixture::*;
use heaplens::snapshot::{Snapshot, SymbolSource, Symbols};
use tempfile::tempdir;

const SITES: u32 = 1_000_000;
const FUNCTIONS: u32 = 50_000;
/// Several times what it takes, since machines that test are busy: a step whose time grows with the
/// square of the sites takes hours.
const MOST_TIME: Duration = Duration::from_secs(15);
const MOST_KIB: i64 = 1 << 20;

/// Many sites, one for each leaf of a tree of half as many frames more.
pub(crate) fn large(sequence: u64, site_count: u32) -> Snapshot {
    let mut snapshot = Fixture::new(sequence).build(false);
    let stacks = &mut snapshot.stacks;
    let rows = site_count * 3 / 2;
    // Rows below `inner` have children, which stand behind them in a pseudo-random order.
    let inner = rows - site_count;
    for row in 0..rows {
        let at_random = row.wrapping_mul(2_654_435_761) >> 7;
        let parent = match row {
            0 => -1,
            1..64 => i64::from(row) - 1,
            row => i64::from(at_random % row.min(inner)),
        };
        stacks.parent.push(parent);
        stacks.module.push(1);
        stacks.address.push(u64::from(row) * 8);
    }
    let sites = &mut snapshot.sites;
    sites.stack = (inner..rows).collect();
    sites.live_bytes = (0..i64::from(site_count))
        .map(|site| site % 977 * 64 * (sequence as i64 + site % 3))
        .collect();
    sites.live_count = (0..i64::from(site_count)).map(|site| site % 977).collect();
    sites.total_bytes = sites
        .live_bytes
        .iter()
        .map(|&bytes| bytes as u64 * 7)
        .collect();
    sites.total_count = vec![1_000; site_count as usize];
    for class in &mut sites.ages.live_bytes {
        *class = vec![0; site_count as usize];
    }
    sites.ages.live_bytes[0].clone_from(&sites.live_bytes);
    snapshot.symbols = Some(Symbols {
        strings: (0..FUNCTIONS)
            .map(|n| {
                format!(
                    "shop::module_{}::<impl shop::Shape for shop::Kind{n}>::area",
                    n % 100
                )
            })
            .chain((0..100).map(|n| format!("/w/shop/src/module_{n}.rs")))
            .collect(),
        function: (0..FUNCTIONS).collect(),
        file: (0..FUNCTIONS)
            .map(|n| i64::from(FUNCTIONS + n % 100))
            .collect(),
        line: (0..FUNCTIONS).map(|n| n % 5_000).collect(),
        inlined: vec![false; FUNCTIONS as usize],
        generics: Vec::new(),
        first_frame: (0..=rows).collect(),
        frame: (0..rows)
            .map(|row| row.wrapping_mul(40_503) % FUNCTIONS)
            .collect(),
        sources: vec![SymbolSource::Missing, SymbolSource::DebugInfo],
    });
    snapshot
}

/// Runs a command to its end, and tells the most memory that was resident, in KiB.
#[expect(
    clippy::zombie_processes,
    reason = "waited for by another call, which tells its memory"
)]
fn run(command: &mut Command) -> (ExitStatus, i64) {
    let child = command.spawn().unwrap();
    let pid = child.id().cast_signed();
    let mut status = 0;
    // SAFETY: all zeros is a valid value of this plain structure.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: waits for a child of our own that nobody else waits for.
    let ended = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!(ended, pid);
    (ExitStatus::from_raw(status), usage.ru_maxrss)
}

#[test]
#[ignore = "needs an optimised build"]
fn a_million_sites_on_each_side() {
    let folder = tempdir().unwrap();
    let before = write(&large(1, SITES), &folder.path().join("b.json.gz"));
    let after = write(&large(2, SITES), &folder.path().join("a.json.gz"));
    let svg = folder.path().join("growth.svg");
    for line in [
        args!["diff", before, after, "-o", svg],
        args!["diff", before, after],
    ] {
        let start = Instant::now();
        let (status, most_kib) = run(Command::new(env!("CARGO_BIN_EXE_heaplens"))
            .args(&line)
            .stdout(Stdio::null()));
        let took = start.elapsed();
        assert!(status.success(), "{line:?}");
        eprintln!("{took:?} and {most_kib} KiB for {line:?}");
        assert!(most_kib <= MOST_KIB, "{most_kib} KiB for {line:?}");
        assert!(took < MOST_TIME, "{took:?} for {line:?}");
    }
}
