//! Arrays in mappings of their own, for the copy of the process, where the program's allocator must not
//! be used. They count what they take, and keep to a budget where somebody asks for it.

use crate::platform;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// There is no memory left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoMemory;

/// What all arrays of this process take, and the most that they ever took.
static TAKEN: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);

/// Most bytes that the arrays of this process have taken at a time.
pub(super) fn peak_bytes() -> u64 {
    PEAK.load(Relaxed)
}

fn count(before: usize, now: usize) {
    let change = (now as u64).wrapping_sub(before as u64);
    let taken = TAKEN.fetch_add(change, Relaxed).wrapping_add(change);
    PEAK.fetch_max(taken, Relaxed);
}

/// Most bytes that the arrays of this process may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    most: u64,
}

impl Budget {
    #[cfg(test)]
    pub(super) const UNLIMITED: Self = Self { most: u64::MAX };

    pub(super) fn up_to(most: u64) -> Self {
        Self { most }
    }

    /// Whether so many bytes more are within it.
    pub(super) fn covers(self, more: usize) -> Result<(), NoMemory> {
        let wanted = TAKEN.load(Relaxed).checked_add(more as u64);
        match wanted.filter(|&wanted| wanted <= self.most) {
            Some(_) => Ok(()),
            None => Err(NoMemory),
        }
    }
}

/// A growing array of plain values.
pub(super) struct Array<T: Copy> {
    start: NonNull<T>,
    len: usize,
    /// Bytes of the mapping.
    mapped: usize,
}

const FIRST_BYTES: usize = 64 << 10;

impl<T: Copy> Array<T> {
    /// An empty array.
    pub(super) fn new() -> Result<Self, NoMemory> {
        Self::map(FIRST_BYTES, 0)
    }

    /// An array of so many zeroes.
    ///
    /// # Safety
    /// All-zero bytes are a value of the type.
    pub(super) unsafe fn zeroed(len: usize) -> Result<Self, NoMemory> {
        let bytes = len.checked_mul(size_of::<T>()).ok_or(NoMemory)?;
        Self::map(bytes.max(1).next_multiple_of(4096), len)
    }

    fn map(bytes: usize, len: usize) -> Result<Self, NoMemory> {
        let start = platform::map_zeroed(bytes).ok_or(NoMemory)?;
        count(0, bytes);
        Ok(Self {
            start: start.cast(),
            len,
            mapped: bytes,
        })
    }

    #[inline]
    pub(super) fn push(&mut self, value: T) -> Result<(), NoMemory> {
        if (self.len + 1) * size_of::<T>() > self.mapped {
            self.grow()?;
        }
        // SAFETY: within the mapping, which is aligned to a page.
        unsafe { self.start.add(self.len).write(value) };
        self.len += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        self.len = self.len.checked_sub(1)?;
        // SAFETY: written by `push`, or zero.
        Some(unsafe { self.start.add(self.len).read() })
    }

    /// Half as large again, so that little of it is in vain.
    #[cold]
    fn grow(&mut self) -> Result<(), NoMemory> {
        let larger = (self.mapped + self.mapped / 2).next_multiple_of(4096);
        // SAFETY: our mapping, and `self` is its only user.
        let moved = unsafe { platform::resize(self.start.cast(), self.mapped, larger) };
        self.start = moved.ok_or(NoMemory)?.cast();
        count(self.mapped, larger);
        self.mapped = larger;
        Ok(())
    }

    /// Forgets all values.
    pub(super) fn clear(&mut self) {
        self.len = 0;
    }

    /// Where it lies: start and length of the mapping in bytes.
    pub(super) fn place(&self) -> (u64, u64) {
        (self.start.as_ptr() as u64, self.mapped as u64)
    }
}

impl<T: Copy> Deref for Array<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: so many values were written, or are zeroes for which `zeroed` was vouched.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Copy> DerefMut for Array<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T: Copy> Drop for Array<T> {
    fn drop(&mut self) {
        // SAFETY: our mapping, and nobody uses it any more.
        unsafe { platform::unmap(self.start.cast(), self.mapped) };
        count(self.mapped, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_keeps_what_is_pushed_while_it_grows() {
        let mut array = Array::new().expect("memory");
        for value in 0..100_000_u64 {
            array.push(value).expect("memory");
        }
        assert!(array.iter().copied().eq(0..100_000));
        assert!(peak_bytes() >= 800_000);
        assert_eq!(array.pop(), Some(99_999));
        array.clear();
        assert_eq!(array.pop(), None);
        // SAFETY: zero is an integer.
        let zeroed = unsafe { Array::<u32>::zeroed(5_000) }.expect("memory");
        assert!(zeroed.len() == 5_000 && zeroed.iter().all(|&value| value == 0));
    }
}
