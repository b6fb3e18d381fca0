//! Exact counters for each site: the rows that all threads share.
//!
//! In front of them each thread has a write-back cache (`counter_cache`), which alone the common
//! path writes; a line that is evicted is added to the shared row. A reader gets the sum of both without stopping anyone: each row counts the flushes
//! that began and ended, and a row whose count moved while the caches were read is read again.

use super::age_map::AGE_BINS;
use super::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use super::atomic::{AtomicI64, AtomicU64, fence};
use super::mapped::{Mapped, Zeroed};

/// What a site sums up to, apart from ages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) live_bytes: i64,
    pub(crate) live_count: i64,
    pub(crate) total_bytes: u64,
    pub(crate) total_count: u64,
}

/// A change that is not yet in a shared row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Delta {
    pub(crate) allocated_bytes: u64,
    pub(crate) allocated_count: u64,
    pub(crate) freed_bytes: u64,
    pub(crate) freed_count: u64,
}

impl Delta {
    pub(crate) fn allocation(bytes: u64) -> Self {
        Self {
            allocated_bytes: bytes,
            allocated_count: 1,
            ..Self::default()
        }
    }

    pub(crate) fn free(bytes: u64) -> Self {
        Self {
            freed_bytes: bytes,
            freed_count: 1,
            ..Self::default()
        }
    }

    pub(crate) fn live_bytes(&self) -> i64 {
        self.allocated_bytes.wrapping_sub(self.freed_bytes) as i64
    }
}

impl Sums {
    pub(crate) fn add(&mut self, delta: &Delta) {
        self.live_bytes = self.live_bytes.wrapping_add(delta.live_bytes());
        self.live_count += delta.allocated_count.wrapping_sub(delta.freed_count) as i64;
        self.total_bytes = self.total_bytes.wrapping_add(delta.allocated_bytes);
        self.total_count += delta.allocated_count;
    }
}

/// The shared rows, by site.
pub(crate) struct Counters {
    rows: Mapped<Row>,
    /// Live bytes by age bin: `AGE_BINS` columns one after the other.
    bins: Mapped<AtomicI64>,
}

#[repr(C)]
#[derive(Default)]
struct Row {
    /// Flushes begun in the low half, ended in the high half.
    flushes: AtomicU64,
    live_count: AtomicI64,
    total_bytes: AtomicU64,
    total_count: AtomicU64,
}

// SAFETY: only atomic integers.
unsafe impl Zeroed for Row {}

const FLUSH_BEGUN: u64 = 1;
const FLUSH_ENDED: u64 = 1 << 32;

impl Counters {
    /// Rows for sites below `sites`.
    pub(crate) fn new(sites: usize) -> Self {
        let (rows, bins) = (Mapped::new(sites), Mapped::new(sites * AGE_BINS));
        Self {
            rows: if bins.is_empty() { Mapped::EMPTY } else { rows },
            bins,
        }
    }

    /// Sites below this number have rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds to a shared row at once: for threads without a cache.
    pub(crate) fn add(&self, site: u32, bin: usize, delta: &Delta) {
        self.flush(site, bin, delta, || ());
    }

    /// Adds to a shared row; `clear` empties the place that held the change until now.
    pub(super) fn flush(&self, site: u32, bin: usize, delta: &Delta, clear: impl FnOnce()) {
        let Some(row) = self.rows.get(site as usize) else {
            return clear();
        };
        row.flushes.fetch_add(FLUSH_BEGUN, AcqRel);
        // Whoever sees one of the additions below sees that a flush has begun.
        fence(Release);
        let live_bytes = delta.live_bytes();
        if live_bytes != 0 {
            self.bin(bin, site as usize).fetch_add(live_bytes, Relaxed);
        }
        row.live_count.fetch_add(
            delta.allocated_count.wrapping_sub(delta.freed_count) as i64,
            Relaxed,
        );
        if delta.allocated_count != 0 {
            row.total_bytes.fetch_add(delta.allocated_bytes, Relaxed);
            row.total_count.fetch_add(delta.allocated_count, Relaxed);
        }
        clear();
        row.flushes.fetch_add(FLUSH_ENDED, Release);
    }

    fn bin(&self, bin: usize, site: usize) -> &AtomicI64 {
        &self.bins[(bin % AGE_BINS) * self.rows.len() + site]
    }

    /// The flush count of a row; `None` while a flush is under way. A second, equal reading proves
    /// that none came in between.
    pub(crate) fn settled(&self, site: usize) -> Option<u64> {
        fence(Acquire);
        let flushes = self.rows[site].flushes.load(Acquire);
        (flushes as u32 == (flushes >> 32) as u32).then_some(flushes)
    }

    /// A shared row, and its live bytes by age bin.
    pub(crate) fn read(&self, site: usize) -> (Sums, [i64; AGE_BINS]) {
        let row = &self.rows[site];
        let bins = std::array::from_fn(|bin| self.bin(bin, site).load(Relaxed));
        let sums = Sums {
            live_bytes: bins
                .iter()
                .fold(0i64, |sum, bytes| sum.wrapping_add(*bytes)),
            live_count: row.live_count.load(Relaxed),
            total_bytes: row.total_bytes.load(Relaxed),
            total_count: row.total_count.load(Relaxed),
        };
        (sums, bins)
    }

    /// Moves the live bytes of one age bin into another, for sites below `sites`.
    pub(crate) fn merge_bin(&self, from: usize, into: usize, sites: usize) {
        for site in 0..sites.min(self.rows.len()) {
            let source = self.bin(from, site);
            // Read first: a plain read does not make a page of zeroes a page of its own.
            if source.load(Relaxed) != 0 {
                let bytes = source.swap(0, Relaxed);
                self.bin(into, site).fetch_add(bytes, Relaxed);
            }
        }
    }

    /// Starts and lengths in bytes of the mappings.
    pub(crate) fn ranges(&self) -> [(std::ptr::NonNull<u8>, usize); 2] {
        [self.rows.range(), self.bins.range()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_bins_keeps_the_sum() {
        let counters = Counters::new(64);
        counters.add(5, 2, &Delta::allocation(300));
        counters.add(5, 3, &Delta::allocation(40));
        counters.add(5, 2, &Delta::free(300));
        counters.merge_bin(3, 2, 64);
        let (sums, bins) = counters.read(5);
        assert_eq!((sums.live_bytes, bins[2], bins[3]), (40, 40, 0));
        assert_eq!(sums.total_count, 2);
        assert_eq!(counters.settled(5), counters.settled(5));
    }
}
