//! Live samples found by address: a set-associative table without tombstones.
//!
//! A block lives in one of two buckets that its address picks, so a look-up reads at most two
//! buckets, however many blocks have come and gone. The caller guarantees that an address is
//! inserted at most once at a time: it removes a block before the allocator can reuse its address.

use super::atomic::AtomicU64;
use super::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use super::mapped::Mapped;

/// What is kept of a sampled block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) site: u32,
    /// Birth in ticks of the recorder.
    pub(crate) birth: u32,
    /// Size in bytes that the program asked for.
    pub(crate) size: u64,
    /// Sampling mean in bytes when the sample was drawn.
    pub(crate) mean: u64,
}

/// Words of a stored sample: site and birth, mean, size.
const SAMPLE_WORDS: usize = 3;

/// Samples stored as words, one after the other.
pub(crate) struct SampleRecords(Mapped<AtomicU64>);

impl SampleRecords {
    pub(crate) fn new(len: usize) -> Self {
        Self(Mapped::new(len * SAMPLE_WORDS))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn store(&self, at: usize, sample: Sample) {
        let words = &self.0[at * SAMPLE_WORDS..][..SAMPLE_WORDS];
        words[0].store(
            u64::from(sample.site) << 32 | u64::from(sample.birth),
            Relaxed,
        );
        words[1].store(sample.mean, Relaxed);
        words[2].store(sample.size, Release);
    }

    pub(crate) fn load(&self, at: usize) -> Sample {
        let words = &self.0[at * SAMPLE_WORDS..][..SAMPLE_WORDS];
        let size = words[2].load(Acquire);
        let place = words[0].load(Relaxed);
        Sample {
            site: (place >> 32) as u32,
            birth: place as u32,
            size,
            mean: words[1].load(Relaxed),
        }
    }

    /// The record reads as size 0 from now on.
    pub(crate) fn clear(&self, at: usize) {
        self.0[at * SAMPLE_WORDS + 2].store(0, Release);
    }

    pub(crate) fn range(&self) -> (std::ptr::NonNull<u8>, usize) {
        self.0.range()
    }
}

/// Places in a bucket: one cache line of keys.
const WAYS: usize = 8;
/// Key of a place that is being filled.
const BUSY: u64 = 1;

/// The table.
pub(crate) struct LargeSamples {
    keys: Mapped<AtomicU64>,
    records: SampleRecords,
}

impl LargeSamples {
    /// Room for `capacity` samples, a power of two and a multiple of 8.
    pub(crate) fn new(capacity: usize) -> Self {
        let (keys, records) = (Mapped::new(capacity), SampleRecords::new(capacity));
        Self {
            keys: if records.is_empty() {
                Mapped::EMPTY
            } else {
                keys
            },
            records,
        }
    }

    /// A table without room.
    pub(crate) fn none() -> Self {
        Self {
            keys: Mapped::EMPTY,
            records: SampleRecords(Mapped::EMPTY),
        }
    }

    /// Remembers a block. `false`: both of its buckets are full.
    pub(crate) fn insert(&self, address: u64, sample: Sample) -> bool {
        // Into the emptier bucket first: that keeps both from filling up before the table is full.
        let [first, second] = self.buckets(address);
        let taken = |bucket: usize| {
            bucket_places(bucket)
                .filter(|&place| self.keys[place].load(Relaxed) != 0)
                .count()
        };
        let order = match !self.keys.is_empty() && taken(first) > taken(second) {
            true => [second, first],
            false => [first, second],
        };
        for place in self.places(order) {
            let key = &self.keys[place];
            if key.load(Relaxed) == 0 && key.compare_exchange(0, BUSY, AcqRel, Relaxed).is_ok() {
                self.records.store(place, sample);
                key.store(address, Release);
                return true;
            }
        }
        false
    }

    /// Forgets a block and returns what was kept of it.
    pub(crate) fn remove(&self, address: u64) -> Option<Sample> {
        let place = self
            .places(self.buckets(address))
            .find(|&place| self.keys[place].load(Acquire) == address)?;
        let sample = self.records.load(place);
        self.keys[place].store(0, Release);
        Some(sample)
    }

    /// All samples, each read at its own moment.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Sample> {
        self.keys.iter().enumerate().filter_map(|(place, key)| {
            let before = key.load(Acquire);
            if before <= BUSY {
                return None;
            }
            let sample = self.records.load(place);
            // Taken by another block meanwhile: that one will be in the next snapshot.
            (key.load(Acquire) == before).then_some(sample)
        })
    }

    /// The two buckets of an address.
    fn buckets(&self, address: u64) -> [usize; 2] {
        let buckets = (self.keys.len() / WAYS).max(1) as u64;
        let hash = (address >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        [hash >> 40, hash >> 20].map(|hash| (hash & (buckets - 1)) as usize)
    }

    fn places(&self, buckets: [usize; 2]) -> impl Iterator<Item = usize> {
        let has_room = !self.keys.is_empty();
        buckets
            .into_iter()
            .filter(move |_| has_room)
            .flat_map(bucket_places)
    }

    pub(crate) fn ranges(&self) -> [(std::ptr::NonNull<u8>, usize); 2] {
        [self.keys.range(), self.records.range()]
    }
}

fn bucket_places(bucket: usize) -> std::ops::Range<usize> {
    bucket * WAYS..(bucket + 1) * WAYS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(address: u64) -> Sample {
        Sample {
            site: address as u32,
            birth: 7,
            size: address * 2,
            mean: 512 << 10,
        }
    }

    #[test]
    fn half_full_without_a_refusal_and_every_block_is_found_again() {
        let table = LargeSamples::new(1 << 12);
        let addresses: Vec<u64> = (1..=2_048)
            .map(|i| 0x7f00_0000_0010 + i * 0x11_000)
            .collect();
        for &address in &addresses {
            assert!(table.insert(address, sample(address)));
        }
        assert_eq!(table.iter().count(), addresses.len());
        for &address in &addresses {
            assert_eq!(table.remove(address), Some(sample(address)));
            assert_eq!(table.remove(address), None);
        }
    }

    #[test]
    fn turnover_for_ever_leaves_no_trace() {
        let table = LargeSamples::new(64);
        for round in 1..100_000u64 {
            assert!(table.insert(round << 12, sample(round)));
            assert_eq!(table.remove(round << 12), Some(sample(round)));
        }
        assert_eq!(table.iter().count(), 0);
    }

    #[test]
    fn a_table_without_memory_has_no_room() {
        let table = LargeSamples::none();
        assert!(!table.insert(4096, sample(1)));
        assert_eq!(table.remove(4096), None);
    }
}
