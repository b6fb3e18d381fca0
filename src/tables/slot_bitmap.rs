//! Which slots of an array are taken: one bit each.

use super::atomic::Ordering::{AcqRel, Acquire};
use super::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use super::mapped::Mapped;

/// A lock-free set of small numbers with "take a low one that is free": what the slots stand for stays
/// warm, and no more of it is ever touched than was taken at a time.
pub(crate) struct SlotBitmap {
    words: Mapped<AtomicU64>,
    /// Word to look at first. Those before it are full, but for slots that were given back while
    /// another thread took one.
    hint: AtomicUsize,
}

impl SlotBitmap {
    /// Room for `slots` slots, a multiple of 64.
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            words: Mapped::new(slots / 64),
            hint: AtomicUsize::new(0),
        }
    }

    /// Takes a free slot, or `None` when all are taken.
    pub(crate) fn take(&self) -> Option<usize> {
        let words = self.words.len();
        let start = self.hint.load(Relaxed);
        for step in 0..words {
            let at = (start + step) % words;
            let mut bits = self.words[at].load(Relaxed);
            while bits != u64::MAX {
                let bit = bits.trailing_ones();
                match self.words[at].compare_exchange_weak(bits, bits | 1 << bit, Acquire, Relaxed)
                {
                    Ok(_) => {
                        if step != 0 {
                            // Not over a lower one that a release has set meanwhile.
                            let _ = self.hint.compare_exchange(start, at, Relaxed, Relaxed);
                        }
                        return Some(at * 64 + bit as usize);
                    }
                    Err(now) => bits = now,
                }
            }
        }
        None
    }

    /// Gives a slot back. Returns whether it was taken.
    pub(crate) fn release(&self, slot: usize) -> bool {
        let mask = 1 << (slot % 64);
        match self.words.get(slot / 64) {
            Some(word) => {
                let was_taken = word.fetch_and(!mask, AcqRel) & mask != 0;
                self.hint.fetch_min(slot / 64, Relaxed);
                was_taken
            }
            None => false,
        }
    }

    /// The slots that are taken, each read at its own moment.
    pub(crate) fn taken(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(at, word)| {
            let mut bits = word.load(Acquire);
            std::iter::from_fn(move || {
                (bits != 0).then(|| {
                    let bit = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    at * 64 + bit
                })
            })
        })
    }

    /// Start and length in bytes of the mapping.
    pub(crate) fn range(&self) -> (std::ptr::NonNull<u8>, usize) {
        self.words.range()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_once_and_again_after_release() {
        let slots = SlotBitmap::new(128);
        let mut taken: Vec<usize> = std::iter::from_fn(|| slots.take()).collect();
        taken.sort_unstable();
        assert_eq!(taken, (0..128).collect::<Vec<_>>());
        assert!(slots.release(77));
        assert!(!slots.release(77));
        assert_eq!(slots.taken().count(), 127);
        assert_eq!(slots.take(), Some(77));
        assert!(!slots.release(1 << 20));
    }

    #[test]
    fn no_more_slots_are_touched_than_were_taken_at_a_time() {
        let slots = SlotBitmap::new(64 * 64);
        let mut highest = 0;
        for _ in 0..50 {
            let taken: Vec<usize> = (0..200).filter_map(|_| slots.take()).collect();
            highest = taken.iter().copied().fold(highest, usize::max);
            taken.iter().for_each(|&slot| assert!(slots.release(slot)));
        }
        assert_eq!(highest, 199);
    }

    #[test]
    fn no_slot_is_given_to_two_threads() {
        let slots = SlotBitmap::new(64);
        let owners: Vec<AtomicU64> = (0..64).map(|_| AtomicU64::new(0)).collect();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if let Some(slot) = slots.take() {
                            assert_eq!(owners[slot].fetch_add(1, Relaxed), 0);
                            owners[slot].fetch_sub(1, Relaxed);
                            assert!(slots.release(slot));
                        }
                    }
                });
            }
        });
        assert_eq!(slots.taken().count(), 0);
    }
}
