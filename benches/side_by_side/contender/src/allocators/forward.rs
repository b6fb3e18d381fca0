//! A wrapper that only forwards: what any wrapper costs, and hence the floor of all of them.

use super::inner::Inner;
use std::alloc::{GlobalAlloc, Layout};

struct Forward(Inner);

#[global_allocator]
static ALLOCATOR: Forward = Forward(Inner);

// SAFETY: each call goes to the same allocator as it came.
unsafe impl GlobalAlloc for Forward {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { self.0.alloc(layout) }
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe { self.0.dealloc(block, layout) }
    }

    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { self.0.realloc(block, layout, new_size) }
    }
}

/// There is nothing to start.
pub(crate) fn start() -> Result<(), String> {
    Ok(())
}
