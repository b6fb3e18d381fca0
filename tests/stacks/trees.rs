//! Random call trees on several threads at a time.

use crate::call_shapes::{Call, LIBRARIES, Shape, Shapes, call_trees};
use crate::recorded::{Looks, Recorded};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;

pub(crate) fn equal_backtrace(shapes: &Shapes, recorded: &mut Recorded) {
    // Stacks through a library are complete from the first snapshot on after one has met it.
    for library in 0..LIBRARIES {
        let calls = [Call::Frame(Shape::C(library, 0, 1), vec![Call::Look])];
        shapes.run(&calls, &mut || Looks::default().look());
    }
    recorded.skip();
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(16)
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[5; 32]);
    let recorded = RefCell::new(recorded);
    let blocks = RefCell::new(0);
    let threads = prop::collection::vec(call_trees(), 1..4);
    let outcome = TestRunner::new_with_rng(config, rng).run(&threads, |trees| {
        let looks = run(shapes, &trees);
        *blocks.borrow_mut() += looks.len();
        let outcome = recorded.borrow_mut().compare(&looks);
        outcome.map_err(TestCaseError::fail)
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let (recorded, blocks) = (recorded.into_inner(), blocks.into_inner());
    assert!(blocks > 300, "{blocks} blocks");
    assert!(recorded.deepest > 500, "{} frames", recorded.deepest);
    let truncated = recorded.truncated;
    assert!(
        truncated < blocks / 4,
        "{truncated} of {blocks} ended early"
    );
}

/// One thread for each tree, all at the same time. New threads take over the memory of ended ones.
fn run(shapes: &Shapes, trees: &[Vec<Call>]) -> Looks {
    let mut all = Looks::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = trees
            .iter()
            .map(|calls| {
                let thread = std::thread::Builder::new().stack_size(256 << 20);
                let work = || {
                    let mut looks = Looks::default();
                    for _ in 0..2 {
                        shapes.run(calls, &mut || looks.look());
                    }
                    looks
                };
                thread.spawn_scoped(scope, work).unwrap()
            })
            .collect();
        for thread in threads {
            all.append(thread.join().unwrap());
        }
    });
    all
}
