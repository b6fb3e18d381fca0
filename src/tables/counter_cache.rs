//! A thread's write-back cache in front of the shared counters.
//!
//! The common path writes this alone, without a locked instruction. Readers may look at any time;
//! how they add caches and rows up is in `counters`.

use super::age_map::AgeMap;
use super::atomic::Ordering::{Acquire, Relaxed, Release};
use super::atomic::{AtomicU64, fence};
use super::counters::{Counters, Delta};

/// Lines of a thread's cache.
const LINES: usize = 1024;

/// One thread's write-back cache. Only its owner writes; anyone may read.
///
/// A line holds one site and birth tick, since live bytes are kept by age.
#[repr(C)]
pub(crate) struct CounterCache {
    lines: [Line; LINES],
}

#[repr(C, align(32))]
struct Line {
    /// `site << 32 | birth`; 0 where free (site 0 is no site).
    key: AtomicU64,
    allocated: Packed,
    freed: Packed,
}

/// Blocks and their bytes in one word, so that one addition counts both, and a reader sees both or
/// none: the bytes in the low 40 bits, the blocks above.
#[repr(transparent)]
struct Packed(AtomicU64);

impl Packed {
    const BLOCK: u64 = 1 << 40;
    /// The highest bits of both. A word that has neither takes another block.
    const ENOUGH: u64 = 1 << 63 | 1 << 39;
    /// Blocks of this size and more do not fit.
    const LARGE: u64 = 1 << 39;

    /// Adds without a locked instruction: the caller is the only writer. `true`: flush now.
    #[inline(always)]
    fn add(&self, bytes: u64) -> bool {
        let sum = self.0.load(Relaxed) + (Self::BLOCK + bytes);
        self.0.store(sum, Relaxed);
        sum & Self::ENOUGH != 0
    }

    /// Blocks and bytes.
    fn load(&self) -> (u64, u64) {
        let packed = self.0.load(Relaxed);
        (packed / Self::BLOCK, packed % Self::BLOCK)
    }
}

impl CounterCache {
    /// Counts an allocation. Only the owner of the cache may call this.
    #[inline(always)]
    pub(crate) fn allocated(&self, site: u32, birth: u32, bytes: u64, shared: &Shared<'_>) {
        let (line, key) = self.line(site, birth);
        if line.key.load(Relaxed) == key && bytes < Packed::LARGE {
            if line.allocated.add(bytes) {
                line.flush(key, shared);
            }
        } else {
            line.replace(key, &Delta::allocation(bytes), shared);
        }
    }

    /// Counts a free, where that takes no more than an addition. Only the owner of the cache may
    /// call this.
    #[inline(always)]
    pub(crate) fn freed_at_once(&self, site: u32, birth: u32, bytes: u64) -> bool {
        let (line, key) = self.line(site, birth);
        let has_room = line.key.load(Relaxed) == key
            && bytes < Packed::LARGE
            && line.freed.0.load(Relaxed) & Packed::ENOUGH == 0;
        if has_room {
            line.freed.add(bytes);
        }
        has_room
    }

    /// Counts a free. Only the owner of the cache may call this.
    pub(crate) fn freed(&self, site: u32, birth: u32, bytes: u64, shared: &Shared<'_>) {
        if !self.freed_at_once(site, birth, bytes) {
            let (line, key) = self.line(site, birth);
            line.replace(key, &Delta::free(bytes), shared);
        }
    }

    #[inline(always)]
    fn line(&self, site: u32, birth: u32) -> (&Line, u64) {
        let key = u64::from(site) << 32 | u64::from(birth);
        let index = (site ^ birth.wrapping_mul(0x9e37_79b1) >> 20) as usize % LINES;
        (&self.lines[index], key)
    }

    /// Empties the cache into the shared rows. Only the owner, or its heir, may call this.
    pub(crate) fn flush(&self, shared: &Shared<'_>) {
        for line in &self.lines {
            line.flush(0, shared);
        }
    }

    /// Every line in use as (site, birth, change). May be called by anyone; a line that changes
    /// hands meanwhile is skipped, and its site's flush count tells.
    pub(crate) fn read(&self, mut visit: impl FnMut(u32, u32, Delta)) {
        for line in &self.lines {
            let key = line.key.load(Acquire);
            if key == 0 {
                continue;
            }
            let delta = line.delta();
            fence(Acquire);
            if line.key.load(Relaxed) == key {
                visit((key >> 32) as u32, key as u32, delta);
            }
        }
    }
}

impl Line {
    fn delta(&self) -> Delta {
        let (allocated_count, allocated_bytes) = self.allocated.load();
        let (freed_count, freed_bytes) = self.freed.load();
        Delta {
            allocated_bytes,
            allocated_count,
            freed_bytes,
            freed_count,
        }
    }

    /// Gives the line to a site and birth, and counts a change of theirs.
    #[cold]
    #[inline(never)]
    fn replace(&self, key: u64, delta: &Delta, shared: &Shared<'_>) {
        self.flush(key, shared);
        if delta.allocated_bytes.max(delta.freed_bytes) >= Packed::LARGE {
            let bin = shared.ages.bin(key as u32);
            return shared.counters.add((key >> 32) as u32, bin, delta);
        }
        // Empty just now, so neither is enough.
        if delta.allocated_count != 0 {
            self.allocated.add(delta.allocated_bytes);
        } else {
            self.freed.add(delta.freed_bytes);
        }
    }

    #[cold]
    #[inline(never)]
    fn flush(&self, new_key: u64, shared: &Shared<'_>) {
        let clear = || {
            self.allocated.0.store(0, Release);
            self.freed.0.store(0, Release);
            self.key.store(new_key, Release);
        };
        let key = self.key.load(Relaxed);
        if key == 0 {
            return clear();
        }
        let bin = shared.ages.bin(key as u32);
        shared
            .counters
            .flush((key >> 32) as u32, bin, &self.delta(), clear);
    }
}

/// Where a cache flushes to.
pub(crate) struct Shared<'a> {
    pub(crate) counters: &'a Counters,
    pub(crate) ages: &'a AgeMap,
}

#[cfg(test)]
mod tests {
    use super::super::counters::Sums;
    use super::*;

    fn cache() -> Box<CounterCache> {
        Box::new(CounterCache {
            lines: std::array::from_fn(|_| Line {
                key: AtomicU64::new(0),
                allocated: Packed(AtomicU64::new(0)),
                freed: Packed(AtomicU64::new(0)),
            }),
        })
    }

    #[test]
    fn caches_and_rows_add_up() {
        let counters = Counters::new(4096);
        let ages = AgeMap::new();
        ages.place(1, 1);
        ages.set_now(1);
        let shared = Shared {
            counters: &counters,
            ages: &ages,
        };
        let cache = cache();
        for round in 0..10_000u64 {
            let site = (round % 3_000) as u32 + 1;
            cache.allocated(site, 1, 100, &shared);
            if round % 2 == 0 {
                cache.freed(site, 1, 100, &shared);
            }
        }
        let mut sum = Sums::default();
        cache.read(|_, _, delta| sum.add(&delta));
        for site in 0..counters.len() {
            let (row, bins) = counters.read(site);
            assert_eq!(bins[1], row.live_bytes);
            sum.live_bytes += row.live_bytes;
            sum.live_count += row.live_count;
            sum.total_bytes += row.total_bytes;
            sum.total_count += row.total_count;
        }
        assert_eq!(
            sum,
            Sums {
                live_bytes: 500_000,
                live_count: 5_000,
                total_bytes: 1_000_000,
                total_count: 10_000
            }
        );
        cache.flush(&shared);
        let mut lines = 0;
        cache.read(|_, _, _| lines += 1);
        assert_eq!(lines, 0);
    }

    #[test]
    fn large_numbers_are_not_lost() {
        let counters = Counters::new(64);
        let ages = AgeMap::new();
        let shared = Shared {
            counters: &counters,
            ages: &ages,
        };
        let cache = cache();
        let free = |bytes| cache.freed(7, 0, bytes, &shared);
        let sizes = [1 << 38, 1 << 39, (1 << 39) - 1, 1 << 62, 0, 1 << 20];
        for round in 0..4 {
            for bytes in sizes {
                cache.allocated(7, 0, bytes, &shared);
                if round > 0 {
                    free(bytes);
                }
            }
        }
        // More blocks than the word counts.
        for _ in 0..9_000_000u32 {
            cache.allocated(7, 0, 1, &shared);
            free(1);
        }
        cache.flush(&shared);
        let (sums, _) = counters.read(7);
        let bytes: u64 = sizes.iter().sum();
        assert_eq!(
            sums,
            Sums {
                live_bytes: bytes as i64,
                live_count: sizes.len() as i64,
                total_bytes: bytes.wrapping_mul(4).wrapping_add(9_000_000),
                total_count: 4 * sizes.len() as u64 + 9_000_000,
            }
        );
    }
}
