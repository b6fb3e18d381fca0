//! Room for small sampled blocks: page-aligned slots in a range of their own.
//!
//! The address of a block tells that it is sampled and where its record is, so no header, no hash
//! table and no change of layout is needed, and the inner allocator never sees the block. One page
//! of memory for each live small sample is the price. Only touched pages cost memory.
//!
//! Does not know what is kept in a record, nor when a block is sampled.

use super::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use super::large_samples::{Sample, SampleRecords};
use super::slot_bitmap::SlotBitmap;
use crate::platform;
use std::alloc::Layout;
use std::ptr::NonNull;

/// Blocks of this size and more do not get a slot.
pub(crate) const SLOT_LIMIT: usize = 64 << 10;

/// Alignment of every slot: the test on free is `address % SLOT_ALIGN == 0`.
pub(crate) const SLOT_ALIGN: usize = 4096;

/// Slots of one page, and slots of sixteen for blocks between 4 KiB and 64 KiB.
const PAGE_SLOTS: usize = 1 << 17;
const WIDE_SLOTS: usize = 1 << 13;
const WIDE: usize = SLOT_LIMIT;
const PAGES_LEN: usize = PAGE_SLOTS * SLOT_ALIGN;
/// Free wide slots that may keep their pages, 1 MiB in all: for the next samples, however many live on.
const WARM_WIDE_SLOTS: usize = 16;
const ROOM: usize = PAGES_LEN + WIDE_SLOTS * WIDE;

/// The slots and their records.
pub(crate) struct SampleSlots {
    /// `ROOM` bytes, aligned to `WIDE`; `None` where the system gave none.
    room: Option<NonNull<u8>>,
    page_slots: SlotBitmap,
    wide_slots: SlotBitmap,
    /// A bit for each free wide slot that has kept its pages, and how many do.
    warm: [AtomicU64; WIDE_SLOTS / 64],
    warm_count: AtomicUsize,
    records: SampleRecords,
}

// SAFETY: the room is mapped for ever; a slot belongs to whoever took it.
unsafe impl Send for SampleSlots {}
// SAFETY: as above.
unsafe impl Sync for SampleSlots {}

/// A slot: page slots first, wide ones behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(usize);

impl SampleSlots {
    pub(crate) fn new() -> Self {
        let records = SampleRecords::new(PAGE_SLOTS + WIDE_SLOTS);
        let room = if records.is_empty() {
            None
        } else {
            platform::map_zeroed(ROOM + WIDE)
        };
        Self {
            // SAFETY: the mapping is one wide slot longer than the room, so this stays inside.
            room: room.map(|start| unsafe { start.add(start.align_offset(WIDE)) }),
            page_slots: SlotBitmap::new(PAGE_SLOTS),
            wide_slots: SlotBitmap::new(WIDE_SLOTS),
            warm: [const { AtomicU64::new(0) }; WIDE_SLOTS / 64],
            warm_count: AtomicUsize::new(0),
            records,
        }
    }

    /// Whether a slot can hold such a block at all.
    pub(crate) fn fits(layout: Layout) -> bool {
        layout.size() < SLOT_LIMIT && layout.align() <= WIDE
    }

    /// Takes a slot for a block that [`Self::fits`]. `None`: all are taken.
    pub(crate) fn take(&self, layout: Layout) -> Option<Slot> {
        self.room?;
        if layout.size() <= SLOT_ALIGN && layout.align() <= SLOT_ALIGN {
            self.page_slots.take().map(Slot)
        } else {
            let wide = self.wide_slots.take()?;
            let mask = 1 << (wide % 64);
            if self.warm[wide / 64].fetch_and(!mask, Relaxed) & mask != 0 {
                self.warm_count.fetch_sub(1, Relaxed);
            }
            Some(Slot(PAGE_SLOTS + wide))
        }
    }

    /// The slot's memory; whatever the last block left is in it.
    pub(crate) fn block(&self, slot: Slot) -> *mut u8 {
        let offset = match slot.0.checked_sub(PAGE_SLOTS) {
            None => slot.0 * SLOT_ALIGN,
            Some(wide) => PAGES_LEN + wide * WIDE,
        };
        match self.room {
            // SAFETY: slots lie within the room.
            Some(room) => unsafe { room.as_ptr().add(offset) },
            None => std::ptr::null_mut(),
        }
    }

    /// The slot of a block, where it is in one.
    #[inline]
    pub(crate) fn find(&self, block: *mut u8) -> Option<Slot> {
        let offset = (block as usize).wrapping_sub(self.room?.as_ptr() as usize);
        if offset >= ROOM {
            return None;
        }
        Some(match offset.checked_sub(PAGES_LEN) {
            None => Slot(offset / SLOT_ALIGN),
            Some(offset) => Slot(PAGE_SLOTS + offset / WIDE),
        })
    }

    pub(crate) fn record(&self, slot: Slot, sample: Sample) {
        self.records.store(slot.0, sample);
    }

    /// Gives a slot back, its block and record with it.
    pub(crate) fn release(&self, slot: Slot) {
        self.records.clear(slot.0);
        match slot.0.checked_sub(PAGE_SLOTS) {
            None => self.page_slots.release(slot.0),
            Some(wide) => {
                // A page may stay for the next sample; sixteen are worth a system call.
                if self.warm_count.fetch_add(1, Relaxed) < WARM_WIDE_SLOTS {
                    self.warm[wide / 64].fetch_or(1 << (wide % 64), Relaxed);
                } else {
                    self.warm_count.fetch_sub(1, Relaxed);
                    if let Some(start) = NonNull::new(self.block(slot)) {
                        // SAFETY: the slot is still taken, and its block is dead.
                        unsafe { platform::discard(start, WIDE) };
                    }
                }
                self.wide_slots.release(wide)
            }
        };
    }

    /// The records of all slots that are taken, each read at its own moment. A slot taken but not
    /// yet recorded shows size 0.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Sample> {
        let wide = self.wide_slots.taken().map(|slot| PAGE_SLOTS + slot);
        self.page_slots
            .taken()
            .chain(wide)
            .map(|slot| self.records.load(slot))
    }

    /// Starts and lengths in bytes of the tables, without the room.
    pub(crate) fn table_ranges(&self) -> [(NonNull<u8>, usize); 3] {
        [
            self.page_slots.range(),
            self.wide_slots.range(),
            self.records.range(),
        ]
    }

    /// Start and length in bytes of the room.
    pub(crate) fn room(&self) -> Option<(NonNull<u8>, usize)> {
        self.room.map(|start| (start, ROOM))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_free_slots_stay_warm_however_many_live() {
        let slots = SampleSlots::new();
        let layout = Layout::from_size_align(SLOT_LIMIT - 1, 1).unwrap();
        let warm = || -> u32 {
            let bits = slots
                .warm
                .iter()
                .map(|word| word.load(Relaxed).count_ones());
            bits.sum()
        };
        let living: Vec<Slot> = (0..100).map(|_| slots.take(layout).unwrap()).collect();
        for _ in 0..3 {
            let taken: Vec<Slot> = (0..40).map(|_| slots.take(layout).unwrap()).collect();
            assert_eq!(warm(), 0);
            let block = slots.block(taken[0]);
            // SAFETY: the slot is ours until it is given back, and its memory is never unmapped.
            unsafe { block.write(7) };
            taken.iter().for_each(|&slot| slots.release(slot));
            assert_eq!(warm() as usize, WARM_WIDE_SLOTS);
            assert_eq!(slots.warm_count.load(Relaxed), WARM_WIDE_SLOTS);
            // SAFETY: as above; nobody else takes slots here.
            assert_eq!(unsafe { block.read() }, 7, "the first to come back is warm");
        }
        living.into_iter().for_each(|slot| slots.release(slot));
        assert_eq!(warm() as usize, WARM_WIDE_SLOTS);
    }

    #[test]
    fn a_block_is_found_by_any_slot_address_and_by_no_other() {
        let slots = SampleSlots::new();
        for (size, align) in [
            (1, 1),
            (4096, 4096),
            (4097, 8),
            (SLOT_LIMIT - 1, 64),
            (8, 1 << 16),
        ] {
            let layout = Layout::from_size_align(size, align).unwrap();
            assert!(SampleSlots::fits(layout));
            let slot = slots.take(layout).unwrap();
            let block = slots.block(slot);
            assert_eq!(block as usize % align.max(SLOT_ALIGN), 0);
            assert_eq!(slots.find(block), Some(slot));
            // SAFETY: the slot is ours and large enough.
            unsafe { block.write_bytes(0xaa, size) };
            slots.record(
                slot,
                Sample {
                    site: 1,
                    birth: 2,
                    size: size as u64,
                    mean: 3,
                },
            );
            assert_eq!(
                slots.iter().map(|sample| sample.size).collect::<Vec<_>>(),
                [size as u64]
            );
            slots.release(slot);
            assert_eq!(slots.iter().count(), 0);
        }
        let elsewhere = Box::new([0u8; 8192]);
        assert_eq!(slots.find(elsewhere.as_ptr().cast_mut()), None);
        assert!(!SampleSlots::fits(
            Layout::from_size_align(8, 1 << 17).unwrap()
        ));
    }
}
