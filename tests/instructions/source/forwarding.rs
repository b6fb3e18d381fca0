//! The base: a wrapper that only forwards.

use std::alloc::{GlobalAlloc, Layout, System};

#[path = "../pairs.rs"]
mod pairs;

struct Forwarding;

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Forwarding {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }

    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Forwarding = Forwarding;

fn main() {
    pairs::run();
}
