//! Gives out no memory at every so-manieth call of a thread that asked for it, or of heaplens' own.

use super::Base;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst, compiler_fence};

/// Above [`Base`].
pub(super) struct Failing;

/// For threads that are not the program's.
static EVERY_OF_OTHERS: AtomicU64 = AtomicU64::new(0);
static FAILURES_OF_OTHERS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_PROGRAMS: Cell<bool> = const { Cell::new(false) };
    static EVERY: Cell<u64> = const { Cell::new(0) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static FAILURES: Cell<u64> = const { Cell::new(0) };
}

/// From now on every so-manieth call of this thread fails; 0 for none.
pub(crate) fn let_fail_every(every: u64) {
    EVERY.set(every);
    compiler_fence(SeqCst);
}

/// This is one of the program's threads.
pub(crate) fn be_of_the_program() {
    IS_PROGRAMS.set(true);
}

/// From now on every so-manieth call of all threads but the program's fails; 0 for none.
pub(crate) fn let_others_fail_every(every: u64) {
    EVERY_OF_OTHERS.store(every, SeqCst);
}

/// How many calls of all threads but the program's have failed.
pub(crate) fn failures_of_others() -> u64 {
    FAILURES_OF_OTHERS.load(SeqCst)
}

/// How many calls of this thread have failed.
pub(crate) fn failures_of_this_thread() -> u64 {
    compiler_fence(SeqCst);
    FAILURES.get()
}

fn unless_due(allocate: impl FnOnce() -> *mut u8) -> *mut u8 {
    CALLS.set(CALLS.get() + 1);
    if EVERY.get() > 0 && CALLS.get().is_multiple_of(EVERY.get()) {
        FAILURES.set(FAILURES.get() + 1);
        return null_mut();
    }
    let every = EVERY_OF_OTHERS.load(SeqCst);
    if !IS_PROGRAMS.get() && every > 0 && CALLS.get().is_multiple_of(every) {
        FAILURES_OF_OTHERS.fetch_add(1, SeqCst);
        return null_mut();
    }
    allocate()
}

// SAFETY: forwards, or has no memory.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        unless_due(|| unsafe { Base.alloc(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { Base.dealloc(block, layout) };
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        unless_due(|| unsafe { Base.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: passed on.
        unless_due(|| unsafe { Base.realloc(block, layout, new_size) })
    }
}
