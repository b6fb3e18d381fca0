//! Makes SQLite allocate through Rust's global allocator.
//!
//! SQLite is written in C and calls `malloc`, which a profiler in Rust's allocator does not see.
//! Six callbacks change that, so that what the database holds stands in the same picture as all
//! the rest, with stacks that pass through SQLite's own functions. Nothing else here is unsafe.

use std::alloc::Layout;
use std::ffi::{c_int, c_void};
use std::ptr;

use rusqlite::ffi::{self, sqlite3_mem_methods};

/// In front of each block stands its size, as SQLite asks for it and Rust needs it to free. Two
/// words, so that blocks stay aligned as those of `malloc` are.
const HEADER: usize = 16;

/// Takes over SQLite's memory. To be called before the first connection is opened.
pub(crate) fn use_rust_allocator() -> Result<(), String> {
    let methods = sqlite3_mem_methods {
        xMalloc: Some(allocate),
        xFree: Some(free),
        xRealloc: Some(reallocate),
        xSize: Some(size),
        xRoundup: Some(round_up),
        xInit: Some(start),
        xShutdown: Some(stop),
        pAppData: ptr::null_mut(),
    };
    // SAFETY: SQLite copies the methods, which is what this option's one argument is documented to
    // be. The call is safe before SQLite is initialized, and refused afterwards.
    let code = unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const methods) };
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(format!(
            "SQLite refused to use Rust's allocator: code {code}"
        )),
    }
}

/// The layout of a block with its header, where there can be one.
fn layout(size: c_int) -> Option<Layout> {
    let size = usize::try_from(size).ok()?.checked_add(HEADER)?;
    Layout::from_size_align(size, HEADER).ok()
}

extern "C" fn allocate(size: c_int) -> *mut c_void {
    let Some(layout) = layout(size) else {
        return ptr::null_mut();
    };
    // SAFETY: the layout is not empty, since it has room for the header.
    let start = unsafe { std::alloc::alloc(layout) };
    with_header(start, size)
}

/// Writes the header and returns the block behind it; null stays null.
fn with_header(start: *mut u8, size: c_int) -> *mut c_void {
    if start.is_null() {
        return ptr::null_mut();
    }
    // SAFETY: the callers pass the start of a block with room for the header, aligned to it.
    unsafe {
        start.cast::<c_int>().write(size);
        start.add(HEADER).cast()
    }
}

/// # Safety
/// `block` came from [`allocate`] or [`reallocate`] and is live.
unsafe fn start_and_size(block: *mut c_void) -> (*mut u8, c_int) {
    // SAFETY: in front of such a block stands its header.
    unsafe {
        let start = block.cast::<u8>().sub(HEADER);
        (start, start.cast::<c_int>().read())
    }
}

unsafe extern "C" fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: SQLite frees live blocks only, and the header still says with which layout the block
    // was allocated.
    unsafe {
        let (start, size) = start_and_size(block);
        if let Some(layout) = layout(size) {
            std::alloc::dealloc(start, layout);
        }
    }
}

unsafe extern "C" fn reallocate(block: *mut c_void, size: c_int) -> *mut c_void {
    if block.is_null() {
        return allocate(size);
    }
    // SAFETY: as in `free`; the new size has room for the header, and was checked like the old one.
    unsafe {
        let (start, old_size) = start_and_size(block);
        let (Some(old), Some(new)) = (layout(old_size), layout(size)) else {
            return ptr::null_mut();
        };
        with_header(std::alloc::realloc(start, old, new.size()), size)
    }
}

unsafe extern "C" fn size(block: *mut c_void) -> c_int {
    if block.is_null() {
        return 0;
    }
    // SAFETY: SQLite asks about live blocks only.
    unsafe { start_and_size(block).1 }
}

extern "C" fn round_up(size: c_int) -> c_int {
    size.checked_add(7).map_or(size, |size| size & !7)
}

extern "C" fn start(_: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

extern "C" fn stop(_: *mut c_void) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_know_their_size_and_keep_their_content_when_they_move() {
        // SAFETY: each block is live until it is freed, once, and written within its size.
        unsafe {
            let block = allocate(10);
            assert_eq!((size(block), block as usize % 8), (10, 0));
            block.cast::<[u8; 10]>().write([7; 10]);
            let block = reallocate(block, 100_000);
            assert_eq!(size(block), 100_000);
            assert_eq!(block.cast::<[u8; 10]>().read(), [7; 10]);
            free(block);
        }
    }

    #[test]
    fn what_cannot_be_is_null() {
        assert!(allocate(-1).is_null());
        assert_eq!(round_up(c_int::MAX), c_int::MAX);
        // SAFETY: null is allowed in all three.
        unsafe {
            free(ptr::null_mut());
            assert_eq!(size(ptr::null_mut()), 0);
            let block = reallocate(ptr::null_mut(), 3);
            assert_eq!(size(block), 3);
            free(block);
        }
    }
}
