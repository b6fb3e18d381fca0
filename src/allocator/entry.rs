//! Where an allocation that is recorded leaves the caller's code: saves who calls, and goes on.
//!
//! A walk has to start somewhere. Started inside the recorder, it would unwind the recorder's own
//! frames each time; here the caller's registers are still at hand. Knows nothing of modes.

use super::Allocator;
use crate::stack::CallRecord;
use std::alloc::{GlobalAlloc, Layout};

#[cfg(target_arch = "x86_64")]
mod of_processor {
    use super::{Allocator, GlobalAlloc};
    use std::arch::naked_asm;

    /// Calls `$body` with one argument more, in `$register`: where the caller's rbp and the return
    /// address are.
    macro_rules! calling {
        ($body:path, $register:literal) => {
            naked_asm!(
                ".cfi_startproc",
                "push rbp",
                ".cfi_adjust_cfa_offset 8",
                ".cfi_offset rbp, -16",
                concat!("mov ", $register, ", rsp"),
                "call {body}",
                "pop rbp",
                ".cfi_adjust_cfa_offset -8",
                ".cfi_restore rbp",
                "ret",
                ".cfi_endproc",
                body = sym $body,
            )
        };
    }

    /// # Safety
    /// As for `GlobalAlloc::alloc`, of a layout of this size and alignment.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn alloc<A: GlobalAlloc>(
        allocator: &Allocator<A>,
        size: usize,
        align: usize,
        zeroed: bool,
    ) -> *mut u8 {
        calling!(super::alloc_for::<A>, "r8")
    }

    /// # Safety
    /// As for `GlobalAlloc::realloc`, of a layout of this size and alignment.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn realloc<A: GlobalAlloc>(
        allocator: &Allocator<A>,
        block: *mut u8,
        size: usize,
        align: usize,
        new_size: usize,
    ) -> *mut u8 {
        calling!(super::realloc_for::<A>, "r9")
    }
}

/// No unwinder for this processor: the caller is a place in no module.
#[cfg(not(target_arch = "x86_64"))]
mod of_processor {
    use super::{Allocator, CallRecord, GlobalAlloc};

    /// # Safety
    /// As for `GlobalAlloc::alloc`, of a layout of this size and alignment.
    pub(super) unsafe fn alloc<A: GlobalAlloc>(
        allocator: &Allocator<A>,
        size: usize,
        align: usize,
        zeroed: bool,
    ) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { super::alloc_for(allocator, size, align, zeroed, &CallRecord::UNKNOWN) }
    }

    /// # Safety
    /// As for `GlobalAlloc::realloc`, of a layout of this size and alignment.
    pub(super) unsafe fn realloc<A: GlobalAlloc>(
        allocator: &Allocator<A>,
        block: *mut u8,
        size: usize,
        align: usize,
        new_size: usize,
    ) -> *mut u8 {
        let call = &CallRecord::UNKNOWN;
        // SAFETY: passed on.
        unsafe { super::realloc_for(allocator, block, size, align, new_size, call) }
    }
}

/// Hands an allocation to the recorder. Last in its callers, and out of line: the common path then
/// needs no stack frame.
///
/// # Safety
/// As for `GlobalAlloc::alloc`.
#[inline(always)]
pub(super) unsafe fn alloc<A: GlobalAlloc>(
    allocator: &Allocator<A>,
    layout: Layout,
    zeroed: bool,
) -> *mut u8 {
    // SAFETY: passed on.
    unsafe { of_processor::alloc(allocator, layout.size(), layout.align(), zeroed) }
}

/// Hands a reallocation to the recorder.
///
/// # Safety
/// As for `GlobalAlloc::realloc`.
#[inline(always)]
pub(super) unsafe fn realloc<A: GlobalAlloc>(
    allocator: &Allocator<A>,
    block: *mut u8,
    layout: Layout,
    new_size: usize,
) -> *mut u8 {
    // SAFETY: passed on.
    unsafe { of_processor::realloc(allocator, block, layout.size(), layout.align(), new_size) }
}

/// # Safety
/// As for `GlobalAlloc::alloc`, of a layout of this size and alignment.
unsafe extern "C" fn alloc_for<A: GlobalAlloc>(
    allocator: &Allocator<A>,
    size: usize,
    align: usize,
    zeroed: bool,
    call: &CallRecord,
) -> *mut u8 {
    // SAFETY: size and alignment of a layout; the rest is passed on.
    unsafe {
        let layout = Layout::from_size_align_unchecked(size, align);
        allocator.record_alloc(layout, zeroed, call)
    }
}

/// # Safety
/// As for `GlobalAlloc::realloc`, of a layout of this size and alignment.
unsafe extern "C" fn realloc_for<A: GlobalAlloc>(
    allocator: &Allocator<A>,
    block: *mut u8,
    size: usize,
    align: usize,
    new_size: usize,
    call: &CallRecord,
) -> *mut u8 {
    // SAFETY: size and alignment of a layout; the rest is passed on.
    unsafe {
        let layout = Layout::from_size_align_unchecked(size, align);
        allocator.record_realloc(block, layout, new_size, call)
    }
}
