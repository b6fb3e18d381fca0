//! Stacks in a snapshot against the stacks that the `backtrace` crate sees at the same moment.

use super::DEPTH;
use super::folding::{Frame, path};
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
/// as often as it was seen, complete, folded, and frame for frame.
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
    let kept = |seen: &[u64], inside: usize| relative(&path(&seen[inside..], None, DEPTH), &bases);
    // What lies inside the allocation function is heaplens' and the spy's, and always the same.
    let (_block, first) = &seen[0];
    let inside = (1..=16).find(|&inside| recorded.contains_key(&kept(first, inside)));
    let inside = inside.expect("a stack that is recorded as it was seen");
    let mut expected: HashMap<Stack, i64> = HashMap::new();
    for (_block, stack) in &seen {
        *expected.entry(kept(stack, inside)).or_default() += 1;
    }
    for (stack, count) in &recorded {
        let seen = expected.get(stack).unwrap_or(&0);
        assert_eq!(count, seen, "recorded and seen so often: {stack:#x?}");
    }
    assert_eq!(recorded.len(), expected.len(), "different stacks");
    let depths: Vec<usize> = recorded.keys().map(Vec::len).collect();
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
        .map(|round| {
            let depth = 1 + round % 90;
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            // By chance, so that there is much to fold; or never the same twice, so that all is kept.
            let ways = match round / 90 % 2 {
                0 => Ways::Random(seed),
                _ => Ways::Winding((seed >> 40) as u32),
            };
            descend(ways, depth)
        })
        .collect()
}

/// Which call comes next, of three.
#[derive(Clone, Copy)]
enum Ways {
    Random(u64),
    /// From a place in a sequence in which no part is followed by itself: the differences in the
    /// sequence of Thue and Morse, where each number stands for the parity of its ones.
    Winding(u32),
}

impl Ways {
    fn next(&mut self) -> u32 {
        match self {
            Self::Random(seed) => {
                *seed = seed
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (*seed >> 32) as u32 % 3
            }
            Self::Winding(index) => {
                let parity = |index: u32| index.count_ones() & 1;
                let way = (3 + parity(*index + 1) - parity(*index)) % 3;
                *index += 1;
                way
            }
        }
    }
}

#[inline(never)]
fn descend(mut ways: Ways, depth: usize) -> (Vec<u8>, Vec<u64>) {
    let below = match (depth, ways.next()) {
        (0, _) => allocate(),
        (_, 0) => {
            let call: &mut dyn FnMut(Ways) -> _ = &mut |ways| descend(ways, depth - 1);
            black_box(call)(ways)
        }
        (_, 1) => wide(ways, depth - 1),
        _ => descend(ways, depth - 1),
    };
    black_box(below)
}

#[inline(never)]
fn wide(ways: Ways, depth: usize) -> (Vec<u8>, Vec<u64>) {
    let mut frame = [0u8; 2000];
    black_box(&mut frame)[depth] = 1;
    let below = descend(ways, depth);
    assert_eq!(black_box(&frame)[depth], 1);
    below
}

#[inline(never)]
fn allocate() -> (Vec<u8>, Vec<u64>) {
    // Never touched, so it costs no memory.
    stack_of_allocation(|| Vec::with_capacity(black_box(SIZE)))
}

/// The stacks of the large blocks, with their numbers of live blocks.
fn recorded_stacks(snapshot: &Snapshot) -> HashMap<Stack, i64> {
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

fn relative(stack: &[Frame], bases: &[(std::ops::Range<u64>, String)]) -> Stack {
    let place = |frame: &Frame| {
        let Frame::Code(address) = frame else {
            panic!("{frame:?} in a stack that fits");
        };
        let (range, path) = bases
            .iter()
            .find(|(range, _)| range.contains(address))
            .unwrap_or_else(|| panic!("{address:#x} is in no module"));
        (path.clone(), address - range.start)
    };
    stack.iter().map(place).collect()
}
