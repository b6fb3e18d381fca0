//! Which age bin holds the blocks born at a tick.
//!
//! Births are numbered in ticks. Live bytes are kept in few bins, each for a range of births; as
//! blocks grow old, bins are merged by `recorder::ages`, which alone writes here.

use super::atomic::{AtomicU32, Ordering::Relaxed};
use super::mapped::Mapped;

/// Most age bins at a time.
pub(crate) const AGE_BINS: usize = 24;

/// Births this many ticks back have a place of their own; older ones share the oldest bin.
pub(crate) const TICKS_MAPPED: u32 = 4096;

/// Bin by birth tick.
pub(crate) struct AgeMap {
    bins: Mapped<AtomicU32>,
    now: AtomicU32,
    oldest: AtomicU32,
}

impl AgeMap {
    pub(crate) fn new() -> Self {
        Self {
            bins: Mapped::new(TICKS_MAPPED as usize),
            now: AtomicU32::new(0),
            oldest: AtomicU32::new(0),
        }
    }

    /// The tick that blocks are born at now.
    #[inline(always)]
    pub(crate) fn now(&self) -> u32 {
        self.now.load(Relaxed)
    }

    /// The bin of a birth tick.
    #[inline]
    pub(crate) fn bin(&self, birth: u32) -> usize {
        let oldest = self.oldest.load(Relaxed) as usize;
        if self.now().wrapping_sub(birth) >= TICKS_MAPPED {
            return oldest;
        }
        match self.bins.get((birth % TICKS_MAPPED) as usize) {
            Some(bin) => bin.load(Relaxed) as usize,
            None => oldest,
        }
    }

    /// Births at `tick` go to `bin` from now on.
    pub(crate) fn place(&self, tick: u32, bin: usize) {
        if let Some(cell) = self.bins.get((tick % TICKS_MAPPED) as usize) {
            cell.store(bin as u32, Relaxed);
        }
    }

    /// Births without a place of their own go to `bin`.
    pub(crate) fn set_oldest(&self, bin: usize) {
        self.oldest.store(bin as u32, Relaxed);
    }

    /// Blocks are born at `tick` from now on; its place must be set.
    pub(crate) fn set_now(&self, tick: u32) {
        self.now.store(tick, Relaxed);
    }
}
