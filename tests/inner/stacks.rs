//! Stacks in a snapshot against the stacks that the `backtrace` crate sees at the same moment.

use super::spy::stack_of_allocation;
use heaplens::snapshot::{SPECIAL_MODULE, Snapshot};
use std::collections::HashMap;
use std::hint::black_box;

/// Size of the blocks: nothing else in the program allocates as much. Above the size from which a
/// sampled block stays with the inner allocator, and far above the largest mean, so that all are
/// recorded in each mode.
const SIZE: usize = 64 << 20;

/// Frames of a stack, innermost first, as module path and address in the module.
type Stack = Vec<(String, u64)>;

/// Allocates at random depths in the main thread and others; every stack must be in the snapshot
/// as often as it was seen, complete and frame for frame.
pub(crate) fn equal_backtrace() {
    let mut seen = sample_stacks(1, 700);
    let threads: Vec<_> = (2..5)
        .map(|seed| std::thread::spawn(move || sample_stacks(seed, 500)))
        .collect();
    for thread in threads {
        seen.extend(thread.join().unwrap());
    }
    let snapshot = super::take("stacks");
    let truncated = &snapshot.header.losses.truncated;
    assert_eq!(*truncated, Default::default());
    let bases = module_bases(&snapshot);
    let recorded = recorded_stacks(&snapshot);

    let mut expected: HashMap<Stack, i64> = HashMap::new();
    for (_block, stack) in &seen {
        *expected.entry(relative(stack, &bases)).or_default() += 1;
    }
    let mut found = 0;
    let mut insides = Vec::new();
    for (stack, count) in &recorded {
        // What lies inside the allocation function is heaplens' and the spy's.
        let outside = expected
            .iter()
            .find(|(theirs, theirs_count)| theirs.ends_with(stack) && *theirs_count == count);
        let (theirs, _) = outside
            .unwrap_or_else(|| panic!("recorded {count} times, but seen otherwise: {stack:#x?}"));
        insides.push(theirs.len() - stack.len());
        found += count;
    }
    assert_eq!(found as usize, seen.len());
    // The way from the allocation function to the trace is always the same one.
    insides.dedup();
    assert!(matches!(insides[..], [1..=16]), "{insides:?} frames inside");
    let depths: Vec<usize> = recorded.iter().map(|(stack, _)| stack.len()).collect();
    assert!(depths.iter().any(|&depth| depth > 90), "{depths:?}");
    assert!(
        recorded.len() > 100,
        "only {} different stacks",
        recorded.len()
    );
}

fn sample_stacks(seed: u64, count: usize) -> Vec<(Vec<u8>, Vec<u64>)> {
    let mut seed = seed;
    (0..count)
        .map(|round| descend(&mut seed, 1 + round % 90))
        .collect()
}

#[inline(never)]
fn descend(seed: &mut u64, depth: usize) -> (Vec<u8>, Vec<u64>) {
    *seed = seed
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    let below = match (depth, *seed >> 62) {
        (0, _) => allocate(),
        (_, 0) => {
            let call: &mut dyn FnMut(&mut u64) -> _ = &mut |seed| descend(seed, depth - 1);
            black_box(call)(seed)
        }
        (_, 1) => wide(seed, depth - 1),
        _ => descend(seed, depth - 1),
    };
    black_box(below)
}

#[inline(never)]
fn wide(seed: &mut u64, depth: usize) -> (Vec<u8>, Vec<u64>) {
    let mut frame = [0u8; 2000];
    black_box(&mut frame)[depth] = 1;
    let below = descend(seed, depth);
    assert_eq!(black_box(&frame)[depth], 1);
    below
}

#[inline(never)]
fn allocate() -> (Vec<u8>, Vec<u64>) {
    // Never touched, so it costs no memory.
    stack_of_allocation(|| Vec::with_capacity(black_box(SIZE)))
}

/// The stacks of the large blocks, with their numbers of live blocks.
fn recorded_stacks(snapshot: &Snapshot) -> Vec<(Stack, i64)> {
    let stacks = &snapshot.stacks;
    let sites = &snapshot.sites;
    let large = (0..sites.stack.len())
        .filter(|&site| sites.live_bytes[site] >= SIZE as i64 / 2 * sites.live_count[site].max(1));
    large
        .map(|site| {
            let mut stack = Stack::new();
            let mut row = i64::from(sites.stack[site]);
            while row >= 0 {
                let at = row as usize;
                assert_ne!(
                    stacks.module[at], SPECIAL_MODULE,
                    "code {}",
                    stacks.address[at]
                );
                let path = &snapshot.modules[stacks.module[at] as usize].path;
                stack.push((path.clone(), stacks.address[at]));
                row = stacks.parent[at];
            }
            (stack, sites.live_count[site])
        })
        .collect()
}

/// Where each module's file begins in memory, from the kernel's list.
fn module_bases(snapshot: &Snapshot) -> Vec<(std::ops::Range<u64>, String)> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut ranges: Vec<(std::ops::Range<u64>, String)> = Vec::new();
    for line in maps.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (low, high) = fields.next().unwrap().split_once('-').unwrap();
        let parse = |text| u64::from_str_radix(text, 16).unwrap();
        let path = fields.nth(4).unwrap_or_default();
        // The dynamic linker's names may be links to what the kernel shows.
        let same = |module: &&heaplens::snapshot::Module| {
            std::fs::canonicalize(&module.path).is_ok_and(|real| real.to_string_lossy() == path)
        };
        let Some(module) = snapshot.modules.iter().find(same) else {
            continue;
        };
        match ranges.iter_mut().find(|(_, path)| *path == module.path) {
            Some((range, _)) => range.end = parse(high),
            None => ranges.push((parse(low)..parse(high), module.path.clone())),
        }
    }
    ranges
}

fn relative(stack: &[u64], bases: &[(std::ops::Range<u64>, String)]) -> Stack {
    let place = |&address: &u64| {
        let (range, path) = bases
            .iter()
            .find(|(range, _)| range.contains(&address))
            .unwrap_or_else(|| panic!("{address:#x} is in no module"));
        (path.clone(), address - range.start)
    };
    stack.iter().map(place).collect()
}
