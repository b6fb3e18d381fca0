//! Who is in a scope, and all the ways in which one can end.

use heaplens::testing::{
    Amount, Repeat, Scope, assert_allocations, assert_no_growth, assert_peak, assert_retained,
};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier};
use std::thread;

fn amount(bytes: u64, blocks: u64) -> Amount {
    Amount { bytes, blocks }
}

fn block(bytes: usize) -> Vec<u8> {
    Vec::with_capacity(bytes)
}

#[test]
fn other_threads_count_while_they_are_in_it() {
    let scope = Scope::begin();
    let kept = block(1_000);
    // What it takes to start a thread is allocated by this one.
    let before = scope.report().allocated();
    let handle = scope.handle();
    let meet = Arc::new(Barrier::new(2));
    let outside = thread::spawn({
        let meet = Arc::clone(&meet);
        move || {
            drop(block(77));
            meet.wait();
            let entered = handle.enter();
            let first = block(20);
            drop(entered);
            let second = block(300);
            let again = handle.enter();
            let third = block(4_000);
            drop(again);
            meet.wait();
            (first, second, third)
        }
    });
    let started = scope.report().allocated();
    meet.wait();
    meet.wait();
    let by_thread = scope.report().allocated();
    assert_eq!(by_thread.bytes - started.bytes, 4_020);
    assert_eq!(by_thread.blocks - started.blocks, 2);
    assert!(started.bytes >= before.bytes);
    let blocks = outside.join().unwrap();
    let retained = scope.report().retained();
    drop(blocks);
    let freed = retained.bytes - scope.report().retained().bytes;
    assert_eq!(freed, 4_020);
    drop((kept, meet));
    // All that the thread's start took has been given back by whoever had it last.
    assert_retained!(scope.end() == 0);
}

#[test]
fn guards_in_any_order() {
    let (first, second) = (Scope::empty(), Scope::empty());
    let in_first = first.enter();
    let in_second = second.enter();
    let a = block(10);
    drop(in_first);
    let b = block(100);
    let in_first_again = first.enter();
    let c = block(1_000);
    drop(in_second);
    let d = block(10_000);
    drop(in_first_again);
    let e = block(100_000);
    assert_eq!(second.end().retained(), amount(110, 2));
    assert_eq!(first.end().retained(), amount(11_000, 2));
    drop((a, b, c, d, e));
}

#[test]
fn blocks_that_outlive_their_scope() {
    let outer = Scope::begin();
    let mut kept = Vec::with_capacity(3_000);
    for size in 1..=3_000_usize {
        let scope = Scope::begin();
        kept.push(block(size));
        let report = scope.end();
        assert_eq!(report.allocated(), amount(size as u64, 1));
        assert_eq!(report.retained(), amount(size as u64, 1));
    }
    let others = kept.split_off(1_500);
    let freeing = thread::spawn(move || drop(others));
    drop(kept);
    freeing.join().unwrap();
    // Their numbers were given out again and again: more than there are at a time.
    for size in 1..=5_000_usize {
        let ((), report) = Scope::measure(|| drop(block(size)));
        assert_eq!(report.allocated(), amount(size as u64, 1));
        assert_eq!(report.freed(), amount(size as u64, 1));
    }
    let report = outer.end();
    let blocks: u64 = report.allocated().blocks;
    assert!(blocks > 8_000, "{blocks}");
}

#[test]
fn a_block_that_grows_in_another_scope_moves_there() {
    let first = Scope::begin();
    let mut grown = block(100);
    let first_report = first.report();
    let second = Scope::empty();
    let entered = second.enter();
    grown.reserve_exact(200);
    drop(entered);
    assert_eq!(first_report.retained(), amount(100, 1));
    assert_eq!(first.end().freed(), amount(100, 1));
    assert_eq!(second.report().retained(), amount(200, 1));
    drop(grown);
    assert_retained!(second.end() == 0);
}

#[test]
fn a_panic_ends_what_it_passes() {
    let outer = Scope::begin();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _inner = Scope::begin();
        let _block = block(50);
        std::panic::resume_unwind(Box::new(7));
    }));
    assert!(result.is_err());
    let after = block(600);
    let report = outer.end();
    // The payload is there still.
    assert_eq!(report.retained(), amount(604, 2));
    drop((after, result));
    assert_eq!(Scope::measure(|| ()).1.allocated(), amount(0, 0));
}

#[test]
fn an_end_on_another_thread() {
    let outer = Scope::begin();
    let inner = Scope::begin();
    let kept = block(70);
    thread::scope(|threads| {
        let ended = threads.spawn(|| {
            let ours = block(9);
            let report = inner.end();
            drop(ours);
            report
        });
        let report = ended.join().unwrap();
        assert!(report.retained().bytes >= 70);
        assert_eq!(
            report
                .paths()
                .iter()
                .filter(|path| path.largest_block_bytes() == 9)
                .count(),
            0
        );
    });
    // This thread was in it, and is in the one around it now.
    let before = outer.report().allocated();
    let more = block(5);
    assert_eq!(outer.report().allocated().bytes - before.bytes, 5);
    drop((kept, more));
    let next = Scope::begin();
    let third = block(3);
    assert_eq!(next.end().retained(), amount(3, 1));
    drop(third);
    drop(outer);
}

#[test]
fn dropped_and_forgotten_scopes_leave_others_alone() {
    drop(Scope::begin());
    std::mem::forget(Scope::empty());
    let entered = Scope::empty().enter();
    // Its scope is gone.
    let nobodys = block(10);
    drop(entered);
    let ((), report) = Scope::measure(|| drop(block(20)));
    assert_eq!(report.allocated(), amount(20, 1));
    drop(nobodys);
}

/// A thread that ends in a scope, and destructors that run after it has left all of them.
#[test]
fn a_thread_that_ends_in_it() {
    struct AtEnd(Option<heaplens::testing::Handle>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let entered = self.0.take().map(|handle| handle.enter());
            drop(block(1_000_000));
            drop(entered);
        }
    }
    thread_local! {
        static AT_END: std::cell::RefCell<AtEnd> = const { std::cell::RefCell::new(AtEnd(None)) };
    }
    let scope = Scope::empty();
    let handle = scope.handle();
    thread::spawn(move || {
        AT_END.with_borrow_mut(|at_end| at_end.0 = Some(handle.clone()));
        std::mem::forget(handle.enter());
        std::mem::forget(block(40));
    })
    .join()
    .unwrap();
    let report = scope.end();
    assert_eq!(report.retained(), amount(40, 1));
}

#[test]
fn assertions_that_hold() {
    let limit = 100_usize;
    let report = Scope::measure(|| block(100)).1;
    assert_retained!(report == 100);
    assert_retained!(&report <= limit);
    assert_retained!(&report <= 1 KiB);
    assert_peak!(&report <= limit * 2 - 100, "a message with {}", limit);
    assert_peak!(report.clone() == 100 B,);
    assert_allocations!(report == 1);
    assert_retained!(|| block(7) == 0);
    assert_retained!(|| {
        let numbers = [1, 2, 3];
        if numbers.len() <= 2 {
            block(1)
        } else {
            block(2)
        }
    } <= 0);
    assert_peak!(|| block(1 << 20) == 1 MiB);
    assert_allocations!(|| (block(1), block(1)) == 2);
}

#[test]
fn marks_cost_nothing_where_nothing_is_profiled() {
    assert_allocations!(|| heaplens::mark("nobody looks") == 0);
    assert_allocations!(|| heaplens::iterate(|| heaplens::work_done(1)) == 0);
}

#[test]
fn a_cache_is_no_leak() {
    let mut cache: HashMap<u32, Vec<u8>> = HashMap::new();
    let mut run = 0;
    assert_no_growth(1_000, || {
        run += 1;
        cache.entry(run % 64).or_insert_with(|| block(100)).clone()
    });
    // Up and down is no growth either.
    let mut buffer = Vec::new();
    Repeat::new(9).warm_up(4).assert_no_growth(|| {
        run += 1;
        buffer = block(100 + 100 * (run as usize % 2));
    });
}
