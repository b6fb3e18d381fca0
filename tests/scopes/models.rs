//! One thread, random work, against a model: equal to the byte.

use fastrand::Rng;
use heaplens::testing::{Amount, Report, Scope};

/// What a scope must have counted.
#[derive(Default, Clone, Copy)]
struct Model {
    allocated: Amount,
    freed: Amount,
    peak_bytes: u64,
    largest_bytes: u64,
}

impl Model {
    fn allocate(&mut self, bytes: usize) {
        self.allocated.bytes += bytes as u64;
        self.allocated.blocks += 1;
        self.peak_bytes = self.peak_bytes.max(self.live_bytes());
        self.largest_bytes = self.largest_bytes.max(bytes as u64);
    }

    fn free(&mut self, bytes: usize) {
        self.freed.bytes += bytes as u64;
        self.freed.blocks += 1;
    }

    fn live_bytes(&self) -> u64 {
        self.allocated.bytes - self.freed.bytes
    }

    #[track_caller]
    fn check(&self, report: &Report) {
        assert_eq!(report.allocated(), self.allocated);
        assert_eq!(report.freed(), self.freed);
        assert_eq!(report.retained().bytes, self.live_bytes());
        let live_blocks = self.allocated.blocks - self.freed.blocks;
        assert_eq!(report.retained().blocks, live_blocks);
        assert_eq!(report.peak_bytes(), self.peak_bytes);
        assert_eq!(report.largest_block_bytes(), self.largest_bytes);
        let by_path: u64 = report
            .paths()
            .iter()
            .map(|path| path.retained().bytes)
            .sum();
        assert_eq!(by_path, self.live_bytes());
    }
}

/// A block, and how many of the scopes that were open count it.
struct Block {
    bytes: Vec<u8>,
    scopes: usize,
}

/// A random size: mostly small, never 0, which is no allocation.
fn size(random: &mut Rng) -> usize {
    1 << random.u32(0..14) | random.usize(0..64)
}

#[test]
fn random_work_in_scopes_within_each_other() {
    for seed in 0..20 {
        let mut random = Rng::with_seed(seed);
        // Room from the start, so that nothing but the blocks is allocated.
        let mut blocks: Vec<Block> = Vec::with_capacity(10_000);
        let mut open: Vec<(Scope, Model)> = Vec::with_capacity(16);
        let mut ended: Vec<(Report, Model)> = Vec::with_capacity(10_000);
        for _ in 0..2_000 {
            match random.u32(0..100) {
                0..2 if open.len() < 8 => open.push((Scope::begin(), Model::default())),
                2..4 => {
                    if let Some((scope, model)) = open.pop() {
                        ended.push((scope.end(), model));
                        // What is left of its blocks is counted by those around it alone.
                        for block in &mut blocks {
                            block.scopes = block.scopes.min(open.len());
                        }
                    }
                }
                4..50 => {
                    let bytes = size(&mut random);
                    let bytes = Vec::with_capacity(bytes);
                    open.iter_mut()
                        .for_each(|(_, model)| model.allocate(bytes.capacity()));
                    let scopes = open.len();
                    blocks.push(Block { bytes, scopes });
                }
                50..85 if !blocks.is_empty() => {
                    let block = blocks.swap_remove(random.usize(..blocks.len()));
                    let counting = &mut open[..block.scopes];
                    counting
                        .iter_mut()
                        .for_each(|(_, model)| model.free(block.bytes.capacity()));
                }
                85.. if !blocks.is_empty() => {
                    let index = random.usize(..blocks.len());
                    let block = &mut blocks[index];
                    let before = block.bytes.capacity();
                    block.bytes.reserve_exact(before + size(&mut random));
                    let counting = &mut open[..block.scopes];
                    counting
                        .iter_mut()
                        .for_each(|(_, model)| model.free(before));
                    // It has become the innermost scope's, whosever it was.
                    block.scopes = open.len();
                    let after = block.bytes.capacity();
                    open.iter_mut().for_each(|(_, model)| model.allocate(after));
                }
                _ => {}
            }
            for (scope, model) in &open {
                assert_eq!(scope.retained_bytes(), model.live_bytes());
            }
        }
        for (scope, model) in &open {
            model.check(&scope.report());
        }
        assert!(ended.len() > 5, "{}", ended.len());
        ended.iter().for_each(|(report, model)| model.check(report));
    }
}

#[test]
fn nothing_is_zero_and_what_was_there_before_is_nobodys() {
    let before = vec![1_u8; 1_000];
    let scope = Scope::begin();
    drop(before);
    let report = scope.end();
    Model::default().check(&report);
    assert_eq!(report, Report::default());
}

/// Sizes and alignments that the allocator treats apart.
#[test]
fn all_kinds_of_blocks() {
    #[repr(align(4096))]
    struct Page([u8; 4096]);

    let scope = Scope::begin();
    let mut model = Model::default();
    let page = Box::new(Page([0; 4096]));
    model.allocate(4096);
    let zeroed = vec![0_u64; 100_000];
    model.allocate(800_000);
    let mut text = String::from("x");
    model.allocate(1);
    text.reserve_exact(40);
    model.free(1);
    model.allocate(41);
    model.check(&scope.report());
    assert_eq!(page.0[17], 0);
    drop((page, zeroed, text));
    [4096, 800_000, 41]
        .into_iter()
        .for_each(|bytes| model.free(bytes));
    model.check(&scope.end());
}
