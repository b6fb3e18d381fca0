//! An inner allocator that can look up the stack with the `backtrace` crate, while the allocation
//! that heaplens records is under way: the oracle for stacks.

use super::full_unwind::full_unwind;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, RefCell};

/// Deeper stacks are cut.
const MOST_FRAMES: usize = 1 << 16;

/// Forwards to `A`.
pub(crate) struct Spy<A>(pub(crate) A);

thread_local! {
    static IS_ARMED: Cell<bool> = const { Cell::new(false) };
    static SEEN: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Runs `allocate`, and returns the addresses of the calls around the first allocation that it
/// makes, innermost first.
pub(crate) fn stack_of_allocation<R>(allocate: impl FnOnce() -> R) -> (R, Vec<u64>) {
    SEEN.with_borrow_mut(|seen| {
        seen.clear();
        seen.reserve(MOST_FRAMES);
    });
    IS_ARMED.set(true);
    let result = allocate();
    assert!(!IS_ARMED.replace(false), "nothing was allocated");
    (result, SEEN.with_borrow(Clone::clone))
}

fn look() {
    // Disarmed first: the trace may allocate, and no second one begins.
    if !IS_ARMED.replace(false) {
        return;
    }
    SEEN.with_borrow_mut(full_unwind);
}

// SAFETY: forwards everything unchanged.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Spy<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        look();
        // SAFETY: passed on.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { self.0.dealloc(block, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        look();
        // SAFETY: passed on.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        look();
        // SAFETY: passed on.
        unsafe { self.0.realloc(block, layout, new_size) }
    }
}
