//! Arrays as `src/tables/mapped.rs` makes them, from atomics that cannot be mapped as zeros.

use crate::atomic::{AtomicI64, AtomicU32, AtomicU64};
use std::ptr::NonNull;

/// # Safety
/// None here: the name is that of the trait that this one stands for.
pub(crate) unsafe trait Zeroed: Sync + Default {}

// SAFETY: nothing is asked for.
unsafe impl Zeroed for AtomicU64 {}
// SAFETY: as above.
unsafe impl Zeroed for AtomicI64 {}
// SAFETY: as above.
unsafe impl Zeroed for AtomicU32 {}

pub(crate) struct Mapped<T: 'static>(Vec<T>);

impl<T: Zeroed> Mapped<T> {
    pub(crate) const EMPTY: Self = Self(Vec::new());

    pub(crate) fn new(len: usize) -> Self {
        Self((0..len).map(|_| T::default()).collect())
    }

    pub(crate) fn range(&self) -> (NonNull<u8>, usize) {
        (NonNull::from(&*self.0).cast(), size_of_val(&*self.0))
    }
}

impl<T> std::ops::Deref for Mapped<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}
