//! Exact mode: a header in front of every block says where it was born.
//!
//! A header that is not ours means a block that this allocator has not made: it is passed on
//! untouched, and counted.

use super::header::{self, Header};
use super::{Change, Recorder, forward_alloc};
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;

/// # Safety
/// As for `GlobalAlloc::alloc`.
#[inline(never)]
pub(crate) unsafe fn alloc<A: GlobalAlloc>(
    recorder: &Recorder,
    inner: &A,
    layout: Layout,
    zeroed: bool,
) -> *mut u8 {
    let Some(outer) = header::with_header(layout) else {
        return null_mut();
    };
    // SAFETY: the outer layout is larger than the caller's, which is valid.
    let start = unsafe { forward_alloc(inner, outer, zeroed) };
    if start.is_null() {
        return start;
    }
    let site = recorder.site();
    // SAFETY: the outer block begins with room for a header and its alignment.
    unsafe { recorder.admit(start.add(header::offset(layout)), site, layout.size()) }
}

/// # Safety
/// As for `GlobalAlloc::dealloc`.
#[inline(never)]
pub(crate) unsafe fn dealloc<A: GlobalAlloc>(
    recorder: &Recorder,
    inner: &A,
    block: *mut u8,
    layout: Layout,
) {
    // SAFETY: a block of ours has a header. For any other, the words before it are read only:
    // they are the inner allocator's own bookkeeping or a neighbour's end.
    let known = unsafe { header::read(block, recorder.key) };
    match (known, header::with_header(layout)) {
        (Some(known), Some(outer)) => {
            recorder.count(known.site, known.birth, Change::Freed(layout.size() as u64));
            // SAFETY: the block was made by `alloc` or `realloc` with this very outer layout.
            unsafe {
                header::clear(block);
                inner.dealloc(block.sub(header::offset(layout)), outer);
            }
        }
        _ => {
            recorder.losses.foreign_free();
            // SAFETY: not ours, so the inner allocator's as it is.
            unsafe { inner.dealloc(block, layout) };
        }
    }
}

/// # Safety
/// As for `GlobalAlloc::realloc`.
#[inline(never)]
pub(crate) unsafe fn realloc<A: GlobalAlloc>(
    recorder: &Recorder,
    inner: &A,
    block: *mut u8,
    layout: Layout,
    new_size: usize,
) -> *mut u8 {
    // SAFETY: as in `dealloc`.
    let known = unsafe { header::read(block, recorder.key) };
    let (Some(known), Some(outer)) = (known, header::with_header(layout)) else {
        recorder.losses.foreign_free();
        // SAFETY: not ours, so the inner allocator's as it is.
        return unsafe { inner.realloc(block, layout, new_size) };
    };
    let new_outer = Layout::from_size_align(new_size, layout.align())
        .ok()
        .and_then(header::with_header);
    let Some(new_outer) = new_outer else {
        return null_mut();
    };
    let offset = header::offset(layout);
    let site = recorder.site();
    // SAFETY: the outer block and its layout are those of `alloc`. The header is cleared first,
    // since the inner allocator may leave the old bytes where the block was.
    unsafe {
        header::clear(block);
        let start = inner.realloc(block.sub(offset), outer, new_outer.size());
        if start.is_null() {
            header::write(block, recorder.key, layout.size(), known);
            return start;
        }
        recorder.count(known.site, known.birth, Change::Freed(layout.size() as u64));
        recorder.admit(start.add(offset), site, new_size)
    }
}

impl Recorder {
    /// Writes the header of a new block and counts it.
    ///
    /// # Safety
    /// As for [`header::write`].
    #[inline(always)]
    unsafe fn admit(&self, block: *mut u8, site: u32, size: usize) -> *mut u8 {
        let birth = self.ages.now() & 0xff_ffff;
        // SAFETY: the caller vouches for the 16 bytes before the block.
        unsafe { header::write(block, self.key, size, Header { site, birth }) };
        self.count(site, birth, Change::Allocated(size as u64));
        block
    }
}
