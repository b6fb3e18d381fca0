//! Mappings that are shared with a copy of the process, that grow, or that are asked which pages are there.

use std::ffi::c_void;
use std::ptr::null_mut;

/// Memory that a copy of the process shares with it. Zeroes at first.
pub(crate) fn map_shared(len: usize) -> Option<std::ptr::NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a fresh mapping touches no memory that exists.
    let address = unsafe { libc::mmap(null_mut(), len, protection, flags, -1, 0) };
    (address != libc::MAP_FAILED)
        .then(|| std::ptr::NonNull::new(address.cast()))
        .flatten()
}

/// Makes a mapping larger or smaller; it may move. `None`: there is no room, and it is as it was.
///
/// # Safety
/// The mapping is `old` bytes long, and nobody else uses it.
pub(crate) unsafe fn resize(
    start: std::ptr::NonNull<u8>,
    old: usize,
    new: usize,
) -> Option<std::ptr::NonNull<u8>> {
    // SAFETY: passed on.
    let moved = unsafe { libc::mremap(start.as_ptr().cast(), old, new, libc::MREMAP_MAYMOVE) };
    (moved != libc::MAP_FAILED)
        .then(|| std::ptr::NonNull::new(moved.cast()))
        .flatten()
}

/// Gives a mapping back.
///
/// # Safety
/// The mapping is so many bytes long, and nobody uses it any more.
pub(crate) unsafe fn unmap(start: std::ptr::NonNull<u8>, len: usize) {
    // SAFETY: passed on.
    unsafe { libc::munmap(start.as_ptr().cast(), len) };
}

/// Calls `each` for the neighbouring pages of shared memory that are there, and returns its first error.
pub(crate) fn pages_in_memory<E>(
    start: u64,
    end: u64,
    each: &mut dyn FnMut(u64, u64) -> Result<(), E>,
) -> Result<(), E> {
    const PAGE: u64 = 4096;
    let mut at = start;
    while at < end {
        let mut pages = [0_u8; 512];
        let len = (end - at).min(pages.len() as u64 * PAGE);
        // SAFETY: writes one byte for each page. A range that is not mapped is an error.
        let known =
            unsafe { libc::mincore(at as *mut c_void, len as usize, pages.as_mut_ptr().cast()) };
        if known == 0 {
            for (page, _) in pages.iter().enumerate().filter(|(_, page)| **page & 1 != 0) {
                let from = at + page as u64 * PAGE;
                if from < at + len {
                    each(from, (from + PAGE).min(at + len))?;
                }
            }
        }
        at += len;
    }
    Ok(())
}
