//! Files and folders of /proc, read where nobody may allocate.

use std::ffi::{CStr, c_int};

/// A file, read without the C library's buffers. Closed when dropped.
pub(crate) struct File(c_int);

impl File {
    pub(crate) fn open(path: &CStr) -> Option<Self> {
        Self::open_with(path, libc::O_RDONLY)
    }

    pub(super) fn open_to_write(path: &CStr) -> Option<Self> {
        Self::open_with(path, libc::O_WRONLY)
    }

    fn open_with(path: &CStr, flags: c_int) -> Option<Self> {
        let flags = flags | libc::O_CLOEXEC;
        // SAFETY: the path ends with NUL.
        let file =
            unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0) };
        (file >= 0).then_some(Self(file as c_int))
    }

    /// Reads what comes next. 0 at the end, and where it fails.
    pub(crate) fn read(&self, buffer: &mut [u8]) -> usize {
        // SAFETY: the buffer is writable for its length.
        let read =
            unsafe { libc::syscall(libc::SYS_read, self.0, buffer.as_mut_ptr(), buffer.len()) };
        usize::try_from(read).unwrap_or(0)
    }

    /// Reads words at a place. How many were read.
    pub(crate) fn read_words_at(&self, words: &mut [u64], offset: u64) -> usize {
        let bytes = std::mem::size_of_val(words);
        // SAFETY: the buffer is writable for its length, and any bytes are words.
        let read =
            unsafe { libc::syscall(libc::SYS_pread64, self.0, words.as_mut_ptr(), bytes, offset) };
        usize::try_from(read).unwrap_or(0) / size_of::<u64>()
    }

    /// Reads entries of a folder, as the system lays them out.
    pub(crate) fn read_entries(&self, buffer: &mut [u8]) -> usize {
        // SAFETY: the buffer is writable for its length.
        let read = unsafe {
            libc::syscall(
                libc::SYS_getdents64,
                self.0,
                buffer.as_mut_ptr(),
                buffer.len(),
            )
        };
        usize::try_from(read).unwrap_or(0)
    }

    pub(super) fn write(&self, bytes: &[u8]) {
        // SAFETY: the bytes are readable for their length.
        unsafe { libc::syscall(libc::SYS_write, self.0, bytes.as_ptr(), bytes.len()) };
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: opened by us, and closed once.
        unsafe { libc::syscall(libc::SYS_close, self.0) };
    }
}
