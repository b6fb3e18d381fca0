//! A scope that all threads are in: alone in its process, since it would see other tests.

use heaplens::testing::{Amount, Scope, assert_retained};
use std::sync::Barrier;
use std::thread;

heaplens::testing::install!();

fn block(bytes: usize) -> Vec<u8> {
    Vec::with_capacity(bytes)
}

#[test]
fn all_threads_but_those_in_a_scope_of_their_own() {
    // What is there before belongs to nobody.
    let barrier = Barrier::new(2);
    let (mut others, mut early) = (Vec::with_capacity(4), None);
    let before = block(7);
    thread::scope(|threads| {
        let thread = threads.spawn(|| {
            let own = Scope::begin();
            barrier.wait();
            barrier.wait();
            let blocks = (block(1_000), block(2_000));
            let report = own.end();
            let more = block(30);
            barrier.wait();
            barrier.wait();
            (blocks, more, report)
        });
        barrier.wait();
        let all = Scope::of_process();
        barrier.wait();
        others.push(block(500));
        barrier.wait();
        drop(before);
        let amount = |bytes, blocks| Amount { bytes, blocks };
        // A scope that was there before keeps its thread; that one is back since.
        assert_eq!(all.report().retained(), amount(530, 2));

        // Within it, in its own right and on any thread.
        let inner = Scope::begin();
        others.push(block(60_000));
        assert_retained!(inner.end() == 60_000);
        assert_eq!(all.report().retained(), amount(60_530, 3));

        // Two of them, one within the other, that do not end in order.
        let second = Scope::of_process();
        others.push(block(9));
        assert_eq!(all.end().retained(), amount(60_539, 4));
        others.push(block(8));
        assert_eq!(second.end().retained(), amount(17, 2));
        let nobodys = block(1_000_000);
        barrier.wait();
        let (blocks, more, report) = thread.join().unwrap();
        assert_eq!(report.retained(), amount(3_000, 2));
        early = Some((blocks, more, nobodys));
    });
    let after = Scope::of_process();
    drop((others, early));
    assert_eq!(after.end(), Default::default());
}
