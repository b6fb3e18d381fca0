//! The allocator that heaplens wraps in every host: one of three, chosen when the process makes its
//! first allocation, and above it a layer that brings a danger about.
//!
//! Both are named in the environment. Nothing here allocates through the wrapped allocator.

mod failing;
mod paranoid;
mod swapping;

pub(crate) use failing::{
    be_of_the_program, failures_of_others, failures_of_this_thread, let_fail_every,
    let_others_fail_every,
};
pub(crate) use paranoid::finds_wrong_calls;
pub(crate) use swapping::{SWAPPED_SIZE, be_taker, hand_over, let_taker_go, retire};

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::CStr;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed, Ordering::SeqCst, compiler_fence};
use tikv_jemallocator::Jemalloc;

/// Names one of [`BASES`].
pub(crate) const BASE: &CStr = c"HOSTS_INNER";
/// Names one of [`LAYERS`].
pub(crate) const LAYER: &CStr = c"HOSTS_LAYER";

pub(crate) const BASES: [&str; 3] = ["system", "mimalloc", "jemalloc"];
const LAYERS: [&str; 4] = ["none", "paranoid", "swapping", "failing"];

thread_local! {
    /// How many calls of the inner allocator the thread is in.
    static INSIDE: AtomicU32 = const { AtomicU32::new(0) };
}

/// Whether the calling thread is in the inner allocator: a signal handler that allocates then would
/// show what that one does not survive.
pub(crate) fn is_inside() -> bool {
    INSIDE.with(|inside| inside.load(Relaxed)) > 0
}

/// Marks the thread while it is in the inner allocator, also for its signal handlers.
fn inside<R>(work: impl FnOnce() -> R) -> R {
    let add = |by: u32| {
        INSIDE.with(|inside| inside.store(inside.load(Relaxed).wrapping_add(by), Relaxed));
        compiler_fence(SeqCst);
    };
    add(1);
    let result = work();
    compiler_fence(SeqCst);
    add(1_u32.wrapping_neg());
    result
}

/// The number of the name that a variable of the environment holds, looked up once.
fn chosen(variable: &CStr, names: &[&str], known: &AtomicU8) -> u8 {
    let number = known.load(Relaxed);
    if number > 0 {
        return number - 1;
    }
    // SAFETY: the name ends with NUL, and nobody changes the environment of these programs.
    let value = unsafe { libc::getenv(variable.as_ptr()) };
    let place = match value.is_null() {
        true => None,
        // SAFETY: getenv returns a string that ends with NUL.
        false => unsafe { CStr::from_ptr(value) }
            .to_str()
            .ok()
            .and_then(|value| names.iter().position(|name| *name == value)),
    };
    let number = place.unwrap_or(0) as u8;
    known.store(number + 1, Relaxed);
    number
}

/// The allocator that does the work.
pub(crate) struct Base;

macro_rules! by_base {
    ($method:ident, $($argument:expr),*) => {{
        static KNOWN: AtomicU8 = AtomicU8::new(0);
        // SAFETY: passed on; the choice never changes.
        unsafe {
            match chosen(BASE, &BASES, &KNOWN) {
                0 => System.$method($($argument),*),
                1 => MiMalloc.$method($($argument),*),
                _ => Jemalloc.$method($($argument),*),
            }
        }
    }};
}

// SAFETY: forwards everything unchanged, always to the same allocator.
unsafe impl GlobalAlloc for Base {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        by_base!(alloc, layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        by_base!(dealloc, block, layout);
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        by_base!(alloc_zeroed, layout)
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        by_base!(realloc, block, layout, new_size)
    }
}

/// What heaplens wraps: the layer above [`Base`].
pub(crate) struct Inner;

macro_rules! by_layer {
    ($method:ident, $($argument:expr),*) => {{
        static KNOWN: AtomicU8 = AtomicU8::new(0);
        // SAFETY: passed on; the choice never changes.
        inside(|| unsafe {
            match chosen(LAYER, &LAYERS, &KNOWN) {
                0 => Base.$method($($argument),*),
                1 => paranoid::Paranoid.$method($($argument),*),
                2 => swapping::Swapping.$method($($argument),*),
                _ => failing::Failing.$method($($argument),*),
            }
        })
    }};
}

// SAFETY: forwards everything unchanged, always to the same layer.
unsafe impl GlobalAlloc for Inner {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        by_layer!(alloc, layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        by_layer!(dealloc, block, layout);
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        by_layer!(alloc_zeroed, layout)
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        by_layer!(realloc, block, layout, new_size)
    }
}
