//! Stacks with little room, and with none left.

use crate::driver::Ended;
use crate::host::{Books, block, churn, on_bare_thread, start, storm};
use crate::stack_use::{stack_of_a_call, stack_of_inner_call};
use fastrand::Rng;
use std::hint::black_box;
use std::os::unix::process::ExitStatusExt;

/// The least that POSIX allows on this processor.
const SMALLEST: usize = 16 << 10;

/// Most of the stack that a call of the allocator may take beside the inner one's: in an optimised build, and
/// in one for tests, which is little optimised.
const HOOK: usize = match cfg!(debug_assertions) {
    false => 2 << 10,
    true => 3 << 10,
};

/// As small a stack as the threads library, this build and the inner allocator can do with.
pub(crate) fn of_threads() {
    let _profiler = start();
    let (call, inner) = (stack_of_a_call(), stack_of_inner_call());
    assert!(
        call - inner < HOOK,
        "{call} bytes of stack, of which {inner} are the inner allocator's"
    );
    // Thread-locals and the library's descriptor lie on the stack too.
    let size = (8 << 10) + call + 2 * inner;
    let size = size.next_multiple_of(4 << 10).max(SMALLEST);
    let books = Books::open();
    for _ in 0..storm(1_000) {
        on_bare_thread(size, || drop((block(100), block(4_000), block(100_000))));
    }
    books.balance();
}

/// Recursion without end, which allocates: the standard library says what happened, as ever.
pub(crate) fn that_overflow() {
    let _profiler = start();
    churn(&mut Rng::with_seed(0), 100);
    match crate::host::is_exact() {
        true => drop(recurse(0)),
        // The message names the thread.
        false => drop(std::thread::spawn(|| recurse(0)).join()),
    }
}

fn recurse(level: usize) -> Vec<u8> {
    let frame = black_box([level as u8; 200]);
    let below = block(1 + level % 5_000);
    if level < black_box(usize::MAX) {
        drop(recurse(level + 1));
    }
    black_box((frame, below)).1
}

pub(crate) fn is_told_of_an_overflow(ended: &Ended) -> Result<(), String> {
    if ended.status.signal() != Some(libc::SIGABRT) {
        return Err("did not end by SIGABRT".to_owned());
    }
    match ended.stderr.contains("has overflowed its stack") {
        true => Ok(()),
        false => Err("nothing is said of an overflow".to_owned()),
    }
}
