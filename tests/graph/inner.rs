//! The allocator below heaplens: the system's, mimalloc or jemalloc, named in the environment.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::CStr;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use tikv_jemallocator::Jemalloc;

/// Names one of [`NAMES`].
pub(crate) const INNER: &str = "GRAPH_INNER";
pub(crate) const NAMES: [&str; 3] = ["system", "mimalloc", "jemalloc"];

pub(crate) struct Inner;

/// One more than the place in [`NAMES`]; 0 before the first allocation.
static CHOSEN: AtomicU8 = AtomicU8::new(0);

fn chosen() -> u8 {
    let known = CHOSEN.load(Relaxed);
    if known > 0 {
        return known - 1;
    }
    // SAFETY: the name ends with NUL, and nobody changes the environment of these programs.
    let value = unsafe { libc::getenv(c"GRAPH_INNER".as_ptr()) };
    let is_named = |name: &str| {
        // SAFETY: getenv returns a string that ends with NUL, or null.
        !value.is_null() && unsafe { CStr::from_ptr(value) }.to_bytes() == name.as_bytes()
    };
    let place = NAMES.iter().position(|name| is_named(name)).unwrap_or(0) as u8;
    CHOSEN.store(place + 1, Relaxed);
    place
}

macro_rules! by_inner {
    ($method:ident, $($argument:expr),*) => {
        // SAFETY: passed on to one and the same allocator for the life of the process.
        unsafe {
            match chosen() {
                1 => MiMalloc.$method($($argument),*),
                2 => Jemalloc.$method($($argument),*),
                _ => System.$method($($argument),*),
            }
        }
    };
}

// SAFETY: each method is passed on to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Inner {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        by_inner!(alloc, layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        by_inner!(alloc_zeroed, layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        by_inner!(dealloc, block, layout)
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        by_inner!(realloc, block, layout, size)
    }
}
