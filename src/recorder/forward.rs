//! Calls of the inner allocator that make blocks, and what becomes of those that fail.
//!
//! For a thread of the program a failure is passed on. heaplens' own thread asks again until there is
//! memory: an allocation that fails ends a Rust program, and the program is not ours to end.

use super::thread_state::local;
use crate::platform;
use std::alloc::{GlobalAlloc, Layout};

/// From here on the calling thread waits where there is no memory for it, instead of ending the
/// program: for the keeper, which nobody waits for without an end.
pub(crate) fn be_patient() {
    let local = local();
    local.is_patient.set(true);
    // No allocation of this thread is passed on without a look.
    local.until_sample.set(0);
}

/// Whether to ask the inner allocator once more, after a while.
#[cold]
#[inline(never)]
fn waits_for_memory() -> bool {
    let is_patient = local().is_patient.get();
    if is_patient {
        platform::pause();
    }
    is_patient
}

/// Passes an allocation on, zeroed by the inner allocator itself where it must be.
///
/// # Safety
/// As for `GlobalAlloc::alloc`.
#[inline(always)]
pub(crate) unsafe fn forward_alloc<A: GlobalAlloc>(
    inner: &A,
    layout: Layout,
    zeroed: bool,
) -> *mut u8 {
    loop {
        // SAFETY: passed on.
        let block = unsafe {
            match zeroed {
                true => inner.alloc_zeroed(layout),
                false => inner.alloc(layout),
            }
        };
        if !block.is_null() || !waits_for_memory() {
            return block;
        }
    }
}

/// Passes a reallocation on.
///
/// # Safety
/// As for `GlobalAlloc::realloc`.
#[inline(always)]
pub(super) unsafe fn forward_realloc<A: GlobalAlloc>(
    inner: &A,
    block: *mut u8,
    layout: Layout,
    new_size: usize,
) -> *mut u8 {
    loop {
        // SAFETY: passed on; a block whose reallocation failed is as it was.
        let new = unsafe { inner.realloc(block, layout, new_size) };
        if !new.is_null() || !waits_for_memory() {
            return new;
        }
    }
}
