//! The walk against two oracles: the `backtrace` crate, and a walk that remembers nothing.

use super::*;
use crate::stack::modules::Modules;
use crate::stack::rules::RuleCache;
use crate::tables::site_tree::{NO_NODE, folded};
use std::hint::black_box;

struct Fixture {
    modules: Modules,
    rules: RuleCache,
    bounds: StackBounds,
    tree: SiteTree,
    depth: usize,
}

impl Fixture {
    fn new(depth: usize) -> Self {
        let fixture = Self {
            modules: Modules::new(),
            rules: RuleCache::new(),
            bounds: StackBounds::new(),
            tree: SiteTree::new(1 << 18, depth),
            depth,
        };
        fixture.modules.refresh();
        fixture.bounds.calibrate();
        fixture
    }

    fn walker(&self) -> Walker<'_> {
        Walker {
            stepper: Stepper {
                modules: &self.modules,
                rules: &self.rules,
            },
            bounds: &self.bounds,
            tree: &self.tree,
            depth: self.depth,
        }
    }

    /// Frames of a node, innermost first.
    fn frames(&self, mut node: NodeId) -> Vec<u64> {
        let mut frames = Vec::new();
        while let Some((parent, frame)) = self.tree.get(node) {
            frames.push(frame);
            node = parent;
        }
        frames
    }
}

/// Memory as a thread's mapping gives it.
fn memory() -> &'static mut Memory {
    let mapped = crate::platform::map_zeroed(size_of::<Memory>()).unwrap();
    // SAFETY: mapped for ever, for this call alone, valid when zero.
    unsafe { mapped.cast::<Memory>().as_mut() }
}

/// What one probe compares.
struct Probe<'a> {
    fixture: &'a Fixture,
    memory: &'a mut Memory,
    captures: usize,
    deepest: usize,
}

impl Probe<'_> {
    /// Captures here, and compares everything outside this function.
    #[inline(never)]
    fn check(&mut self) {
        let here = Registers::here();
        let walker = self.fixture.walker();
        let captured = walker.capture(self.memory, here);
        assert_eq!(captured.truncated, None);
        let ours = self.fixture.frames(captured.node);
        let fresh = walker.capture(memory_for_fresh(), here);
        assert_eq!(
            fresh, captured,
            "the same node as a walk that remembers nothing"
        );
        let mut theirs = Vec::new();
        // SAFETY: only this thread traces with this walk, and it does not resolve symbols.
        unsafe {
            backtrace::trace_unsynchronized(|frame| {
                // Behind the outermost frame of a thread it reports one more, at address 0.
                theirs.extend(Some(frame.ip() as u64).filter(|&address| address != 0));
                true
            });
        }
        // Outermost first, with repetitions folded as the tree does.
        let theirs: Vec<u64> = theirs.iter().rev().map(|address| address - 1).collect();
        let ours: Vec<u64> = ours.into_iter().rev().collect();
        let common = theirs.iter().position(|&frame| frame == here.pc);
        self.captures += 1;
        self.deepest = self.deepest.max(ours.len());
    }
}

fn memory_for_fresh() -> &'static mut Memory {
    thread_local! { static FRESH: *mut Memory = memory(); }
    // SAFETY: this thread's own, and no other reference is kept.
    let memory = FRESH.with(|&fresh| unsafe { &mut *fresh });
    memory.forget();
    memory
}

/// A random call tree: plain calls, closures, trait objects, large frames, recursion, caught
/// panics.
#[inline(never)]
fn descend(probe: &mut Probe<'_>, seed: &mut u64, depth: usize) -> u64 {
    *seed = seed
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    let choice = *seed >> 60;
    if depth == 0 || choice == 0 {
        probe.check();
        return *seed;
    }
    let result = match choice {
        1..=3 => wide(probe, seed, depth),
        4..=6 => {
            let call: &mut dyn FnMut(&mut Probe<'_>, &mut u64) -> u64 =
                &mut |probe, seed| descend(probe, seed, depth - 1);
            black_box(call)(probe, seed)
        }
        7 => aligned(probe, seed, depth),
        8 => {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                descend(probe, seed, depth - 1);
                std::panic::resume_unwind(Box::new(()));
            }));
            u64::from(caught.is_err())
        }
        9 => {
            let mut values = [3, 1, 2];
            values.sort_by(|a, b| {
                if depth > 40 {
                    probe.check();
                }
                a.cmp(b)
            });
            descend(probe, seed, depth - 1)
        }
        _ => descend(probe, seed, depth - 1),
    };
    if choice & 3 == 0 {
        probe.check();
    }
    black_box(result) + 1
}

#[inline(never)]
fn wide(probe: &mut Probe<'_>, seed: &mut u64, depth: usize) -> u64 {
    let mut frame = [0u8; 3000];
    black_box(&mut frame)[depth] = 1;
    let result = descend(probe, seed, depth - 1);
    result + u64::from(black_box(&frame)[depth])
}

#[repr(align(256))]
struct Aligned([u8; 256]);

/// A frame that realigns the stack.
#[inline(never)]
fn aligned(probe: &mut Probe<'_>, seed: &mut u64, depth: usize) -> u64 {
    let mut frame = Aligned([0; 256]);
    black_box(&mut frame).0[7] = 1;
    let result = descend(probe, seed, depth - 1);
    result + u64::from(black_box(&frame).0[7])
}

#[test]
fn equals_backtrace_and_a_fresh_walk_on_random_call_trees() {
    let fixture = Fixture::new(256);
    let run = |seed: u64| {
        let memory = memory();
        let mut probe = Probe {
            fixture: &fixture,
            memory,
            captures: 0,
            deepest: 0,
        };
        let mut seed = seed;
        for round in 0..1_500 {
            descend(&mut probe, &mut seed, 5 + round % 96);
        }
        (probe.captures, probe.deepest)
    };
    let totals: Vec<(usize, usize)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=2).map(|seed| scope.spawn(move || run(seed))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    for (captures, deepest) in totals {
        assert!(captures > 1_500 && deepest > 80, "{captures} {deepest}");
    }
}

/// Calls itself `depth` times, then runs `at_bottom`.
#[inline(never)]
fn recurse(depth: usize, at_bottom: &mut dyn FnMut()) -> usize {
    if depth == 0 {
        at_bottom();
        return 0;
    }
    black_box(recurse(black_box(depth - 1), at_bottom)) + 1
}

#[test]
fn a_deep_stack_keeps_both_ends_and_says_how_much_is_cut() {
    let fixture = Fixture::new(128);
    let walker = fixture.walker();
    let depths = [10, 127, 128, 200, 900, 1_100, 3_000, 50, 20_000, 1_100, 10];
    std::thread::Builder::new()
        .stack_size(64 << 20)
        .spawn_scoped_and_join(|| {
            let memory = memory();
            for depth in depths {
                let mut nodes = Vec::new();
                let mut lengths = Vec::new();
                recurse(depth, &mut || {
                    let here = Registers::here();
                    nodes.push(walker.capture(memory, here));
                    nodes.push(walker.capture(memory_for_fresh(), here));
                    // SAFETY: as in `Probe::check`.
                    unsafe {
                        let mut length = 0;
                        backtrace::trace_unsynchronized(|frame| {
                            length += usize::from(!frame.ip().is_null());
                            true
                        });
                        lengths.push(length);
                    }
                });
                assert_eq!(nodes[0], nodes[1]);
                assert_eq!(nodes[0].truncated, None);
                let frames = fixture.frames(nodes[0].node);
                match depth {
                    0..=100 => assert!(frames.iter().all(|&frame| special_code(frame).is_none())),
                    128.. => {
                        assert_eq!(frames.len(), 129);
                        let cut = special_code(frames[96]).and_then(SpecialFrame::from_code);
                        let Some(SpecialFrame::Elided(cut)) = cut else {
                            panic!("no mark in {frames:x?}");
                        };
                        // Backtrace counts a few frames of its own inside ours.
                        let total = cut as usize + 128;
                        assert!(
                            (total..total + 8).contains(&lengths[0]),
                            "{total} {lengths:?}"
                        );
                    }
                    _ => {}
                }
            }
        });
}

trait SpawnScopedAndJoin {
    fn spawn_scoped_and_join(self, work: impl FnOnce() + Send);
}

impl SpawnScopedAndJoin for std::thread::Builder {
    fn spawn_scoped_and_join(self, work: impl FnOnce() + Send) {
        std::thread::scope(|scope| self.spawn_scoped(scope, work).unwrap().join().unwrap());
    }
}

#[test]
fn code_in_no_module_ends_the_stack_with_a_mark() {
    let fixture = Fixture::new(128);
    let walker = fixture.walker();
    let mut here = Registers::here();
    here.pc = 0x1000;
    let captured = walker.capture(memory(), here);
    assert_eq!(captured.truncated, Some(TruncatedCause::UnknownModule));
    let frames = fixture.frames(captured.node);
    let mark = SpecialFrame::Truncated(TruncatedCause::UnknownModule);
    assert_eq!(frames, [0x1000, special_frame(mark)]);
    assert!(fixture.modules.is_refresh_wanted());
}

#[test]
fn a_stack_of_unknown_bounds_is_read_within_its_page_only() {
    let fixture = Fixture::new(128);
    let walker = fixture.walker();
    // Two pages, the second unreadable: a walk that reads on would die.
    let pages = crate::platform::map_zeroed(8192).unwrap();
    // SAFETY: the pages were mapped above, for this test.
    unsafe { libc::mprotect(pages.as_ptr().add(4096).cast(), 4096, libc::PROT_NONE) };
    let mut here = Registers::here();
    here.sp = pages.as_ptr() as u64 + 4096 - 64;
    here.bp = here.sp;
    let captured = walker.capture(memory(), here);
    assert_eq!(captured.truncated, Some(TruncatedCause::BadStack));
}

#[test]
fn a_full_tree_gives_no_node_and_recovers_nothing_false() {
    let mut fixture = Fixture::new(128);
    fixture.tree = SiteTree::new(4, 128);
    let walker = fixture.walker();
    let memory = memory();
    for _ in 0..3 {
        assert_eq!(walker.capture(memory, Registers::here()).node, NO_NODE);
    }
}
