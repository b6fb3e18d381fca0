//! Blocks of any layout, by all four methods, freed by any thread: over an inner allocator that checks
//! every call against what it has handed out.

use crate::host::{Books, start, storm};
use crate::inner::finds_wrong_calls;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Threads of a case. Each hands the blocks that it has left to the next.
const THREADS: usize = 3;

#[derive(Debug, Clone)]
struct Operation {
    what: What,
    /// Which of the thread's blocks, of what may be as many.
    which: prop::sample::Index,
}

#[derive(Debug, Clone)]
enum What {
    Make { layout: Layout, zeroed: bool },
    Resize { size: usize },
    Free,
    HandOver,
}

pub(crate) fn are_kept() {
    assert!(finds_wrong_calls(), "the inner allocator is not paranoid");
    let _profiler = start();
    check(1);
    let books = Books::open();
    check(storm(400) as u32);
    books.balance();
}

fn check(cases: u32) {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let threads = prop::collection::vec(prop::collection::vec(operation(), 1..40), THREADS);
    let outcome = TestRunner::new_with_rng(config, rng).run(&threads, |lists| {
        run(lists);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

fn operation() -> impl Strategy<Value = Operation> {
    let layout = (sizes(), 0..=20u32)
        .prop_map(|(size, bits)| Layout::from_size_align(size, 1 << bits).expect("a layout"));
    let what = prop_oneof![
        4 => (layout, any::<bool>()).prop_map(|(layout, zeroed)| What::Make { layout, zeroed }),
        4 => sizes().prop_map(|size| What::Resize { size }),
        2 => Just(What::Free),
        2 => Just(What::HandOver),
    ];
    (what, any::<prop::sample::Index>()).prop_map(|(what, which)| Operation { what, which })
}

/// As many of each order of magnitude, up to 64 MiB, but few above 1 MiB, which take their time.
fn sizes() -> impl Strategy<Value = usize> {
    let within = |bits: std::ops::RangeInclusive<u32>| {
        (bits, any::<u64>()).prop_map(|(bits, noise)| {
            let (least, most) = (1u64 << bits, (2u64 << bits).min(1 << 26));
            (least + noise % (most - least + 1)).min(1 << 26) as usize
        })
    };
    prop_oneof![30 => within(0..=19), 1 => within(20..=26)]
}

fn run(lists: Vec<Vec<Operation>>) {
    let (gives, takes): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| channel()).unzip();
    thread::scope(|scope| {
        for (number, (operations, take)) in lists.into_iter().zip(takes).enumerate() {
            let give = gives[(number + 1) % THREADS].clone();
            scope.spawn(move || work(operations, give, take));
        }
        drop(gives);
    });
}

fn work(operations: Vec<Operation>, give: Sender<Block>, take: Receiver<Block>) {
    let mut blocks: Vec<Block> = Vec::new();
    for Operation { what, which } in operations {
        blocks.extend(take.try_iter());
        if let What::Make { layout, zeroed } = what {
            blocks.push(Block::new(layout, zeroed));
            continue;
        }
        if blocks.is_empty() {
            continue;
        }
        let which = which.index(blocks.len());
        match what {
            What::Resize { size } => blocks[which].resize(size),
            What::Free => drop(blocks.swap_remove(which)),
            // The other may have ended already; then the block is freed here.
            _ => drop(give.send(blocks.swap_remove(which))),
        }
    }
    drop(give);
    blocks.extend(take);
}

/// A block that knows what is in it.
struct Block {
    start: *mut u8,
    layout: Layout,
    seed: u64,
}

// SAFETY: the only owner of its memory.
unsafe impl Send for Block {}

impl Block {
    fn new(layout: Layout, zeroed: bool) -> Self {
        // SAFETY: sizes are at least 1.
        let start = unsafe {
            match zeroed {
                true => alloc_zeroed(layout),
                false => alloc(layout),
            }
        };
        assert!(!start.is_null(), "memory for a test");
        assert!(
            (start as usize).is_multiple_of(layout.align()),
            "{layout:?}"
        );
        let mut block = Self {
            start,
            layout,
            seed: start as u64 ^ layout.size() as u64,
        };
        if zeroed {
            block.places(|_, byte| assert_eq!(*byte, 0, "{layout:?} is not zeroed"));
        }
        block.fill();
        block
    }

    fn resize(&mut self, size: usize) {
        // SAFETY: the block is alive and has this layout; the size is at least 1.
        let start = unsafe { realloc(self.start, self.layout, size) };
        assert!(!start.is_null(), "memory for a test");
        let old = self.layout;
        self.start = start;
        self.layout = Layout::from_size_align(old.size().min(size), old.align()).expect("a layout");
        assert!(
            (start as usize).is_multiple_of(old.align()),
            "{old:?} to {size}"
        );
        self.verify();
        self.layout = Layout::from_size_align(size, old.align()).expect("a layout");
        self.fill();
    }

    fn fill(&mut self) {
        let seed = self.seed;
        self.places(|at, byte| *byte = expected(seed, at));
    }

    fn verify(&mut self) {
        let (seed, layout) = (self.seed, self.layout);
        self.places(|at, byte| assert_eq!(*byte, expected(seed, at), "{layout:?} at {at}"));
    }

    /// Visits all bytes of small blocks; of others some in each page.
    fn places(&mut self, mut visit: impl FnMut(usize, &mut u8)) {
        let size = self.layout.size();
        let dense = size.min(8 << 10);
        for at in (0..dense).chain((dense..size).step_by(509)) {
            // SAFETY: within the block, which nobody else has. Blocks begin as whatever bytes the
            // inner allocator has poisoned or zeroed, so all are initialised.
            visit(at, unsafe { &mut *self.start.add(at) });
        }
    }
}

fn expected(seed: u64, at: usize) -> u8 {
    ((seed ^ at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

impl Drop for Block {
    fn drop(&mut self) {
        self.verify();
        // SAFETY: alive, of this layout, and freed once.
        unsafe { dealloc(self.start, self.layout) };
    }
}
