//! An allocator to be wrapped: the system's, which counts what reaches it.

/// Behind a path of several segments.
pub mod counting {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

    pub struct Counting;

    pub fn allocations() -> u64 {
        ALLOCATIONS.load(Relaxed)
    }

    // SAFETY: the system's allocator does it all.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            ALLOCATIONS.fetch_add(1, Relaxed);
            // SAFETY: passed on.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: passed on.
            unsafe { System.dealloc(block, layout) }
        }
    }
}
