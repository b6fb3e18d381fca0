//! Arrays of atomics in mapped memory: zero until touched, never moved, never freed.

use crate::platform;
use std::ptr::NonNull;

/// A type for which all-zero bytes are a valid value, and which is shared between threads.
///
/// # Safety
/// All-zero bytes are a valid value of the type.
pub(crate) unsafe trait Zeroed: Sync {}

// SAFETY: zero is a valid integer.
unsafe impl Zeroed for std::sync::atomic::AtomicU64 {}
// SAFETY: zero is a valid integer.
unsafe impl Zeroed for std::sync::atomic::AtomicI64 {}
// SAFETY: zero is a valid integer.
unsafe impl Zeroed for std::sync::atomic::AtomicU32 {}
// SAFETY: zero is a null pointer.
unsafe impl<T> Zeroed for std::sync::atomic::AtomicPtr<T> {}

/// A slice in a mapping of its own. Empty where the system gave no memory.
pub(crate) struct Mapped<T: 'static> {
    slice: &'static [T],
}

impl<T: Zeroed> Mapped<T> {
    pub(crate) const EMPTY: Self = Self { slice: &[] };

    /// Maps `len` zeroed elements, or none where the system has no room.
    pub(crate) fn new(len: usize) -> Self {
        let bytes = len * size_of::<T>();
        let Some(start) = platform::map_zeroed(bytes) else {
            return Self::EMPTY;
        };
        // SAFETY: the mapping is page-aligned, `bytes` long, lives for ever, and zero is valid.
        let slice = unsafe { std::slice::from_raw_parts(start.as_ptr().cast(), len) };
        Self { slice }
    }

    /// Start and length in bytes of the mapping, to count what is resident.
    pub(crate) fn range(&self) -> (NonNull<u8>, usize) {
        (
            NonNull::from(self.slice).cast(),
            std::mem::size_of_val(self.slice),
        )
    }
}

impl<T> std::ops::Deref for Mapped<T> {
    type Target = [T];

    #[inline(always)]
    fn deref(&self) -> &[T] {
        self.slice
    }
}
