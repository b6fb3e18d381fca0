//! The wrapper around another allocator: forwards, and asks the recorder. No policy.

mod entry;

use crate::recorder::{self, exact, sampled};
use crate::settings::{Mode, Settings};
use crate::stack::CallRecord;
use std::alloc::{GlobalAlloc, Layout, System};

/// A global allocator that records where memory is allocated, and leaves the work to `A`.
///
/// [`profile!`](crate::profile) installs one; write the `static` yourself to keep it in sight:
///
/// ```
/// use heaplens::{Allocator, Config};
/// use std::alloc::System;
///
/// const CONFIG: Config = Config::new();
///
/// #[global_allocator]
/// static ALLOCATOR: Allocator<System> = Allocator::new(System, CONFIG);
///
/// fn main() {
///     let _profiler = heaplens::start(CONFIG).expect("heaplens starts");
/// }
/// ```
#[derive(Debug)]
pub struct Allocator<A = System> {
    inner: A,
    defaults: Settings,
}

impl<A> Allocator<A> {
    /// Wraps `inner`. The environment overrides the defaults.
    pub(crate) const fn with_settings(inner: A, defaults: Settings) -> Self {
        Self { inner, defaults }
    }
}

// SAFETY: every block comes from `A` or from a slot of the recorder, with at least the size and
// alignment asked for, and goes back to where it came from with the layout it was made with.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Allocator<A> {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if sampled::is_plain_alloc(layout.size()) {
            // SAFETY: passed on.
            return unsafe { self.inner.alloc(layout) };
        }
        // SAFETY: passed on.
        unsafe { entry::alloc(self, layout, false) }
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if sampled::is_plain_alloc(layout.size()) {
            // SAFETY: passed on.
            return unsafe { self.inner.alloc_zeroed(layout) };
        }
        // SAFETY: passed on.
        unsafe { entry::alloc(self, layout, true) }
    }

    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if sampled::is_plain_free(block, layout) {
            // SAFETY: a plain block is the inner allocator's, with this very layout.
            return unsafe { self.inner.dealloc(block, layout) };
        }
        // SAFETY: passed on.
        unsafe { self.record_dealloc(block, layout) }
    }

    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if sampled::is_plain_free(block, layout) && sampled::is_plain_alloc(new_size) {
            // SAFETY: a plain block is the inner allocator's, with this very layout.
            return unsafe { self.inner.realloc(block, layout, new_size) };
        }
        // SAFETY: passed on.
        unsafe { entry::realloc(self, block, layout, new_size) }
    }
}

impl<A: GlobalAlloc> Allocator<A> {
    /// # Safety
    /// As for `GlobalAlloc::alloc`.
    #[inline(always)]
    unsafe fn record_alloc(&self, layout: Layout, zeroed: bool, call: &CallRecord) -> *mut u8 {
        let inner = &self.inner;
        // SAFETY: passed on.
        unsafe {
            match recorder::global_or_install(&self.defaults) {
                Some(recorder) if recorder.settings().mode == Mode::Exact => {
                    exact::alloc(recorder, inner, layout, zeroed, call)
                }
                Some(recorder) => sampled::alloc(recorder, inner, layout, zeroed, call),
                None => {
                    sampled::never_sample();
                    recorder::forward_alloc(inner, layout, zeroed)
                }
            }
        }
    }

    /// # Safety
    /// As for `GlobalAlloc::dealloc`.
    #[cold]
    #[inline(never)]
    unsafe fn record_dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: passed on.
        unsafe {
            match recorder::global() {
                Some(recorder) if recorder.settings().mode == Mode::Exact => {
                    exact::dealloc(recorder, &self.inner, block, layout);
                }
                Some(recorder) => sampled::dealloc(recorder, &self.inner, block, layout),
                None => self.inner.dealloc(block, layout),
            }
        }
    }

    /// # Safety
    /// As for `GlobalAlloc::realloc`.
    #[inline(always)]
    unsafe fn record_realloc(
        &self,
        block: *mut u8,
        layout: Layout,
        new_size: usize,
        call: &CallRecord,
    ) -> *mut u8 {
        // SAFETY: passed on.
        unsafe {
            match recorder::global() {
                Some(recorder) if recorder.settings().mode == Mode::Exact => {
                    exact::realloc(recorder, &self.inner, block, layout, new_size, call)
                }
                Some(recorder) => {
                    sampled::realloc(recorder, &self.inner, block, layout, new_size, call)
                }
                None => self.inner.realloc(block, layout, new_size),
            }
        }
    }
}
