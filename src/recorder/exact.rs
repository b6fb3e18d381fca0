//! Exact mode: a header in front of every block says where it was born.
//!
//! A header that is not ours means a block that this allocator has not made: it is passed on
//! untouched, and counted.

use super::Recorder;
use super::forward::{forward_alloc, forward_realloc};
use super::header::{self, Header};
use super::thread_state::local;
use crate::stack::replay::Memory;
use crate::stack::{CallRecord, Registers};
use crate::tables::counter_cache::CounterCache;
use crate::tables::counters::Delta;
use crate::tables::site_tree::NodeId;
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;

/// # Safety
/// As for `GlobalAlloc::alloc`.
#[inline(always)]
pub(crate) unsafe fn alloc<A: GlobalAlloc>(
    recorder: &Recorder,
    inner: &A,
    layout: Layout,
    zeroed: bool,
    call: &CallRecord,
) -> *mut u8 {
    if layout.align() > 8 {
        // SAFETY: passed on.
        return unsafe { alloc_aligned(recorder, inner, layout, zeroed, call) };
    }
    // SAFETY: a layout of this size and a lower alignment is rounded up to a word in any case.
    let layout = unsafe { Layout::from_size_align_unchecked(layout.size(), 8) };
    // SAFETY: passed on.
    let block = unsafe { block_with_header(inner, layout, zeroed) };
    if block.is_null() {
        return block;
    }
    // SAFETY: such a block has room for a header.
    unsafe { recorder.admit_here(block, layout.size(), call) }
}

/// Out of line, so that the usual alignment is a constant.
///
/// # Safety
/// As for `GlobalAlloc::alloc`.
#[cold]
#[inline(never)]
unsafe fn alloc_aligned<A: GlobalAlloc>(
    recorder: &Recorder,
    inner: &A,
    layout: Layout,
    zeroed: bool,
    call: &CallRecord,
) -> *mut u8 {
    // SAFETY: passed on.
    let block = unsafe { block_with_header(inner, layout, zeroed) };
    if block.is_null() {
        return block;
    }
    // SAFETY: such a block has room for a header.
    unsafe { recorder.admit(block, layout.size(), call) }
}

/// A block with room for a header before it, which is not yet written; or null.
///
/// # Safety
/// As for `GlobalAlloc::alloc`.
#[inline(always)]
unsafe fn block_with_header<A: GlobalAlloc>(inner: &A, layout: Layout, zeroed: bool) -> *mut u8 {
    let Some(outer) = header::with_header(layout) else {
        return null_mut();
    };
    // SAFETY: the outer layout is larger than the caller's, which is valid.
    let start = unsafe { forward_alloc(inner, outer, zeroed) };
    if start.is_null() {
        return start;
    }
    // SAFETY: the outer block begins with room for a header and its alignment.
    unsafe { start.add(header::offset(layout)) }
}

/// # Safety
/// As for `GlobalAlloc::dealloc`.
#[inline(always)]
pub(crate) unsafe fn dealloc<A: GlobalAlloc>(
    recorder: &Recorder,
    inner: &A,
    block: *mut u8,
    layout: Layout,
) {
    // SAFETY: a block of ours has a header. For any other, the words before it are read only:
    // they are the inner allocator's own bookkeeping or a neighbour's end.
    let known = unsafe { header::read(block, recorder.key) };
    if let Some((known, seal)) = known
        && recorder.count_out_at_once(known, layout.size())
    {
        // SAFETY: passed on.
        return unsafe { release(inner, block, layout, seal) };
    }
    // SAFETY: passed on.
    unsafe { dealloc_counting(recorder, inner, block, layout) }
}

/// Out of line, and last in its caller, which then needs no stack frame. Reads the header again, so
/// that the caller need not keep what it says.
///
/// # Safety
/// As for [`dealloc`].
#[cold]
#[inline(never)]
unsafe fn dealloc_counting<A: GlobalAlloc>(
    recorder: &Recorder,
    inner: &A,
    block: *mut u8,
    layout: Layout,
) {
    // SAFETY: as in `dealloc`.
    let Some((known, seal)) = (unsafe { header::read(block, recorder.key) }) else {
        recorder.losses.foreign_free();
        // SAFETY: not ours, so the inner allocator's as it is.
        return unsafe { inner.dealloc(block, layout) };
    };
    recorder.count_out(known, layout.size());
    // SAFETY: passed on.
    unsafe { release(inner, block, layout, seal) };
}

/// Gives a block with a header back.
///
/// # Safety
/// The block was made by [`alloc`] or [`realloc`] with this layout.
#[inline(always)]
unsafe fn release<A: GlobalAlloc>(inner: &A, block: *mut u8, layout: Layout, seal: u64) {
    // SAFETY: so it has this very outer layout.
    unsafe {
        let outer = header::with_header_unchecked(layout);
        header::clear(block, seal);
        inner.dealloc(block.sub(header::offset(layout)), outer);
    }
}

/// # Safety
/// As for `GlobalAlloc::realloc`.
#[inline(always)]
pub(crate) unsafe fn realloc<A: GlobalAlloc>(
    recorder: &Recorder,
    inner: &A,
    block: *mut u8,
    layout: Layout,
    new_size: usize,
    call: &CallRecord,
) -> *mut u8 {
    // SAFETY: as in `dealloc`.
    let Some((known, seal)) = (unsafe { header::read(block, recorder.key) }) else {
        recorder.losses.foreign_free();
        // SAFETY: not ours, so the inner allocator's as it is.
        return unsafe { forward_realloc(inner, block, layout, new_size) };
    };
    let new_outer = Layout::from_size_align(new_size, layout.align())
        .ok()
        .and_then(header::with_header);
    let Some(new_outer) = new_outer else {
        return null_mut();
    };
    let offset = header::offset(layout);
    // SAFETY: the outer block and its layout are those of `alloc`. The header is cleared first,
    // since the inner allocator may leave the old bytes where the block was.
    unsafe {
        let outer = header::with_header_unchecked(layout);
        header::clear(block, seal);
        let start = forward_realloc(inner, block.sub(offset), outer, new_outer.size());
        if start.is_null() {
            header::write(block, recorder.key, layout.size(), known);
            return start;
        }
        recorder.count_out(known, layout.size());
        recorder.admit(start.add(offset), new_size, call)
    }
}

impl Recorder {
    /// [`Self::admit_here`] out of line, for the callers that matter less.
    ///
    /// # Safety
    /// As for [`header::write`].
    #[inline(never)]
    unsafe fn admit(&self, block: *mut u8, size: usize, call: &CallRecord) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { self.admit_here(block, size, call) }
    }

    /// Counts a new block and writes its header.
    ///
    /// # Safety
    /// As for [`header::write`].
    #[inline(always)]
    unsafe fn admit_here(&self, block: *mut u8, size: usize, call: &CallRecord) -> *mut u8 {
        let birth = self.ages.now() & 0xff_ffff;
        let local = local();
        let counted = self.exclusively(local, call.caller().sp, || {
            let state = self.threads.mine(local)?.as_ptr();
            // SAFETY: this thread owns the state; `exclusively` keeps its signal handlers from the
            // memory, and from writing the cache, which is made of atomics.
            let (memory, cache) = unsafe { (&mut (*state).memory, &(*state).cache) };
            if !self.is_usual(local) {
                return Some(self.count_in_aside(memory, cache, size, call, birth));
            }
            let site = self.walk(memory, call.caller());
            Some(self.count_in(cache, site, size, birth))
        });
        let born = match counted.flatten() {
            Some(header) => header,
            None => self.count_in_shared(size, call, birth),
        };
        // SAFETY: the caller vouches for the 16 bytes before the block.
        unsafe { header::write(block, self.key, size, born) };
        block
    }

    /// Counts a new block of a site.
    #[inline(always)]
    fn count_in(&self, cache: &CounterCache, site: NodeId, size: usize, birth: u32) -> Header {
        if !cache.allocated_at_once(site, birth, size as u64) {
            cache.allocated(site, birth, size as u64, &self.shared());
        }
        Header { place: site, birth }
    }

    /// Counts a new block that is heaplens' own, that comes before the start, or that is in a scope.
    #[cold]
    #[inline(never)]
    fn count_in_aside(
        &self,
        memory: &mut Memory,
        cache: &CounterCache,
        size: usize,
        call: &CallRecord,
        birth: u32,
    ) -> Header {
        let local = local();
        let site = match self.site_without_stack(local) {
            Some(site) => site,
            None => self.walk_apart(memory, call.caller()),
        };
        let born = self.count_in(cache, site, size, birth);
        self.count_into_scope(local, born, size)
    }

    /// Counts a block that dies, where that takes no more than an addition. Calls nothing.
    #[inline(always)]
    fn count_out_at_once(&self, block: Header, size: usize) -> bool {
        let local = local();
        if local.active.get() != 0 {
            return false;
        }
        let Some(state) = local.state() else {
            return false;
        };
        self.exclusively(local, Registers::stack_pointer(), || {
            // SAFETY: as in `admit`.
            let cache: &CounterCache = unsafe { &(*state.as_ptr()).cache };
            cache.freed_at_once(block.place, block.birth, size as u64)
        })
        .unwrap_or(false)
    }

    /// Counts a block that dies.
    fn count_out(&self, block: Header, size: usize) {
        let (local, block) = (local(), self.count_out_of_scope(block, size));
        let counted = self.exclusively(local, Registers::stack_pointer(), || {
            let state = self.threads.mine(local)?;
            // SAFETY: as in `admit`.
            let cache: &CounterCache = unsafe { &(*state.as_ptr()).cache };
            cache.freed(block.place, block.birth, size as u64, &self.shared());
            Some(())
        });
        if counted.flatten().is_none() {
            self.count_shared(block, &Delta::free(size as u64));
        }
    }

    /// Of a thread that has no cache, or is using it.
    #[cold]
    #[inline(never)]
    fn count_in_shared(&self, size: usize, call: &CallRecord, birth: u32) -> Header {
        let place = self.site(call);
        let born = Header { place, birth };
        self.count_shared(born, &Delta::allocation(size as u64));
        self.count_into_scope(local(), born, size)
    }

    #[cold]
    #[inline(never)]
    fn count_shared(&self, block: Header, delta: &Delta) {
        self.counters
            .add(block.place, self.ages.bin(block.birth), delta);
    }
}
