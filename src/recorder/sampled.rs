//! Sampled mode: nearly every allocation and free goes straight through; few are recorded.
//!
//! A small sampled block lives in a page-aligned slot of ours, so a free recognises it by its
//! address. A large one stays where the inner allocator put it, lazily zeroed and growing in place,
//! and is looked up by address on free: `Layout` tells that a block is large.

use super::countdown::Countdown;
use super::forward::{forward_alloc, forward_realloc};
use super::poisson::{Random, Weight};
use super::thread_state::{Local, local};
use super::{Recorder, platform};
use crate::settings::Mode;
use crate::stack::CallRecord;
use crate::tables::large_samples::{LargeSamples, Sample};
use crate::tables::mapped::{Mapped, Zeroed};
use crate::tables::sample_slots::{SLOT_ALIGN, SLOT_LIMIT, SampleSlots};
use crate::tables::site_tree::NodeId;
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

/// Most large sampled blocks alive at a time that are surely found room for is half of this.
const LARGE_SAMPLES: usize = 1 << 17;

/// A free is plain when its address has a bit of this mask. Zero before the mode is known and in
/// exact mode: no free is plain.
static FREE_MASK: AtomicUsize = AtomicUsize::new(0);

pub(super) fn set_free_mask(mode: Mode) {
    FREE_MASK.store(
        match mode {
            Mode::Off => usize::MAX,
            Mode::Sampled => SLOT_ALIGN - 1,
            Mode::Exact => 0,
        },
        Relaxed,
    );
}

/// Counts an allocation of `size` bytes down. `true`: it is not sampled, and that is all.
#[inline(always)]
pub(crate) fn is_plain_alloc(size: usize) -> bool {
    let local = local();
    // Neither can overflow: the countdown is never negative, a size at most isize::MAX.
    let left = local.until_sample.get() - size as i64;
    if left > 0 {
        local.until_sample.set(left);
    }
    left > 0
}

/// Whether a block surely has no sample: all but large ones and those at a slot's address.
#[inline(always)]
pub(crate) fn is_plain_free(block: *mut u8, layout: Layout) -> bool {
    block as usize & FREE_MASK.load(Relaxed) != 0 && layout.size() < SLOT_LIMIT
}

/// With heaplens off, no allocation of this thread is looked at again.
#[cold]
pub(crate) fn never_sample() {
    local().until_sample.set(i64::MAX);
}

/// Has the calling thread draw what it samples from this seed, from here on.
#[cfg(feature = "internals")]
pub(crate) fn seed(seed: u64, mean: u64) {
    let (local, mut random) = (local(), Random::new(seed | 1));
    local.set_countdown(Countdown::draw(mean, &mut random));
    local.random.set(random.state());
}

/// The live samples, and sums over all samples ever taken.
pub(crate) struct Samples {
    slots: Option<SampleSlots>,
    large: LargeSamples,
    totals: Mapped<TotalRow>,
}

/// Sums of weights over all samples ever taken at a site.
#[repr(C)]
struct TotalRow {
    bytes: AtomicU64,
    /// In units of 2^-16 blocks: weights are not whole numbers.
    count: AtomicU64,
    samples: AtomicU64,
    /// Bits of a double, in bytes squared.
    variance: AtomicU64,
}

// SAFETY: only atomic integers.
unsafe impl Zeroed for TotalRow {}

/// What all samples of a site add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct SampleTotals {
    pub(crate) bytes: u64,
    pub(crate) count: u64,
    pub(crate) samples: u64,
    pub(crate) variance: f64,
}

impl Samples {
    pub(super) fn new(sites: usize) -> Self {
        Self {
            slots: Some(SampleSlots::new()),
            large: LargeSamples::new(LARGE_SAMPLES),
            totals: Mapped::new(sites),
        }
    }

    /// For exact mode: no samples, no memory.
    pub(super) fn none() -> Self {
        Self {
            slots: None,
            large: LargeSamples::none(),
            totals: Mapped::EMPTY,
        }
    }

    /// All live samples, each read at its own moment.
    pub(crate) fn live(&self) -> impl Iterator<Item = Sample> {
        let small = self.slots.iter().flat_map(SampleSlots::iter);
        small
            .chain(self.large.iter())
            .filter(|sample| sample.size > 0)
    }

    pub(crate) fn totals(&self, site: NodeId) -> SampleTotals {
        let Some(row) = self.totals.get(site as usize) else {
            return SampleTotals::default();
        };
        SampleTotals {
            bytes: row.bytes.load(Relaxed),
            count: (row.count.load(Relaxed) + (1 << 15)) >> 16,
            samples: row.samples.load(Relaxed),
            variance: f64::from_bits(row.variance.load(Relaxed)),
        }
    }

    fn add_total(&self, site: NodeId, weight: Weight) {
        let Some(row) = self.totals.get(site as usize) else {
            return;
        };
        row.bytes.fetch_add(weight.bytes.round() as u64, Relaxed);
        row.count
            .fetch_add((weight.count * 65_536.0).round() as u64, Relaxed);
        row.samples.fetch_add(1, Relaxed);
        let add = |bits: u64| Some((f64::from_bits(bits) + weight.variance).to_bits());
        // Cannot fail: the closure always gives a value.
        let _ = row.variance.fetch_update(Relaxed, Relaxed, add);
    }

    /// Starts and lengths in bytes of the tables.
    pub(crate) fn table_ranges(&self) -> impl Iterator<Item = (NonNull<u8>, usize)> {
        let slots = self.slots.iter().flat_map(SampleSlots::table_ranges);
        slots
            .chain(self.large.ranges())
            .chain([self.totals.range()])
    }

    /// Start and length in bytes of the room for small sampled blocks.
    pub(crate) fn room(&self) -> Option<(NonNull<u8>, usize)> {
        self.slots.as_ref().and_then(SampleSlots::room)
    }
}

/// # Safety
/// As for `GlobalAlloc::alloc`.
#[inline(never)]
pub(crate) unsafe fn alloc<A: GlobalAlloc>(
    recorder: &Recorder,
    inner: &A,
    layout: Layout,
    zeroed: bool,
    call: &CallRecord,
) -> *mut u8 {
    match recorder.picked(layout.size()) {
        // SAFETY: passed on.
        Some(mean) => unsafe { recorder.alloc_sampled(inner, layout, zeroed, mean, call) },
        // SAFETY: passed on.
        None => unsafe { forward_alloc(inner, layout, zeroed) },
    }
}

/// # Safety
/// As for `GlobalAlloc::dealloc`.
#[inline(never)]
pub(crate) unsafe fn dealloc<A: GlobalAlloc>(
    recorder: &Recorder,
    inner: &A,
    block: *mut u8,
    layout: Layout,
) {
    let samples = &recorder.samples;
    if let Some((slots, slot)) = samples.slot(block) {
        slots.release(slot);
        return;
    }
    if layout.size() >= SLOT_LIMIT {
        // Before the inner allocator can hand the address to another thread.
        samples.large.remove(block as u64);
    }
    // SAFETY: not in a slot, so the inner allocator's.
    unsafe { inner.dealloc(block, layout) };
}

/// # Safety
/// As for `GlobalAlloc::realloc`.
#[inline(never)]
pub(crate) unsafe fn realloc<A: GlobalAlloc>(
    recorder: &Recorder,
    inner: &A,
    block: *mut u8,
    layout: Layout,
    new_size: usize,
    call: &CallRecord,
) -> *mut u8 {
    let samples = &recorder.samples;
    let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else {
        return null_mut();
    };
    let picked = recorder.picked(new_size);
    let old_slot = samples.slot(block);
    if old_slot.is_some() || picked.is_some() && SampleSlots::fits(new_layout) {
        // Into a slot or out of one: a new block, and a copy of less than 64 KiB.
        // SAFETY: both blocks are at least as long as the copy; the old one is freed where it
        // came from.
        unsafe {
            let new = match picked {
                Some(mean) => recorder.alloc_sampled(inner, new_layout, false, mean, call),
                None => forward_alloc(inner, new_layout, false),
            };
            if new.is_null() {
                return new;
            }
            new.copy_from_nonoverlapping(block, layout.size().min(new_size));
            match old_slot {
                Some((slots, slot)) => slots.release(slot),
                None => {
                    samples.large.remove_if_large(block, layout);
                    inner.dealloc(block, layout);
                }
            }
            return new;
        }
    }
    let old = samples.large.remove_if_large(block, layout);
    // SAFETY: not in a slot, so the inner allocator's.
    let new = unsafe { forward_realloc(inner, block, layout, new_size) };
    if new.is_null() {
        if let Some(old) = old.filter(|&old| !samples.large.insert(block as u64, old)) {
            // Its place went to another block meanwhile.
            debug_assert!(old.size > 0);
            recorder.losses.sample_table_full();
        }
        return new;
    }
    if let Some(mean) = picked {
        recorder.record_large(new, new_layout, mean, recorder.site(call));
    }
    new
}

impl Recorder {
    /// The mean that the thread's next pick was drawn at, if a block of `size` bytes holds it and is to be
    /// recorded; draws the pick after it.
    fn picked(&self, size: usize) -> Option<u64> {
        let (local, mean) = (local(), self.sampling_mean());
        if local.is_patient.get() {
            return None;
        }
        let mut countdown = local.countdown();
        let mut random = Random::new(match local.random.get() {
            0 => {
                let mut random = Random::new(self.seed(local));
                countdown = Countdown::draw(mean, &mut random);
                random.state()
            }
            state => state,
        });
        let picked = countdown.pass(size, mean, &mut random);
        local.set_countdown(countdown);
        local.random.set(random.state());
        // heaplens' own allocations use picks up, which changes nothing for the others.
        picked.filter(|_| !local.is_own())
    }

    /// Differs between processes, threads, and threads that follow each other at one address.
    fn seed(&self, local: &Local) -> u64 {
        static THREADS: AtomicU64 = AtomicU64::new(1);
        let number = THREADS.fetch_add(1, Relaxed);
        let seed = platform::process_random()
            ^ (local as *const Local as u64)
            ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        seed | 1
    }

    /// Allocates a block that is to be recorded.
    ///
    /// # Safety
    /// As for `GlobalAlloc::alloc`.
    #[inline(always)]
    unsafe fn alloc_sampled<A: GlobalAlloc>(
        &self,
        inner: &A,
        layout: Layout,
        zeroed: bool,
        mean: u64,
        call: &CallRecord,
    ) -> *mut u8 {
        let slots = self
            .samples
            .slots
            .as_ref()
            .filter(|_| SampleSlots::fits(layout));
        let Some(slots) = slots else {
            // SAFETY: passed on.
            let block = unsafe { forward_alloc(inner, layout, zeroed) };
            if !block.is_null() {
                self.record_large(block, layout, mean, self.site(call));
            }
            return block;
        };
        let Some(slot) = slots.take(layout) else {
            self.losses.sample_table_full();
            // SAFETY: passed on.
            return unsafe { forward_alloc(inner, layout, zeroed) };
        };
        let block = slots.block(slot);
        if zeroed {
            // SAFETY: the slot is ours and fits the layout.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        slots.record(slot, self.sample(layout, mean, self.site(call)));
        block
    }

    #[inline(always)]
    fn record_large(&self, block: *mut u8, layout: Layout, mean: u64, site: NodeId) {
        if layout.size() < SLOT_LIMIT {
            // Too strict an alignment for a slot, and not looked up on free.
            self.losses.unmarkable();
        } else if !self
            .samples
            .large
            .insert(block as u64, self.sample(layout, mean, site))
        {
            self.losses.sample_table_full();
        }
    }

    /// The record of a new block, whose pick was drawn at `mean`. It is counted.
    fn sample(&self, layout: Layout, mean: u64, site: NodeId) -> Sample {
        let size = layout.size() as u64;
        self.samples.add_total(site, Weight::of(size, mean));
        // A size of 0 would look like a slot that is not recorded yet.
        Sample {
            site,
            birth: self.ages.now(),
            size: size.max(1),
            mean,
        }
    }
}

impl Samples {
    #[inline(always)]
    fn slot(&self, block: *mut u8) -> Option<(&SampleSlots, crate::tables::sample_slots::Slot)> {
        let slots = self.slots.as_ref()?;
        Some((slots, slots.find(block)?))
    }
}

impl LargeSamples {
    #[inline(always)]
    fn remove_if_large(&self, block: *mut u8, layout: Layout) -> Option<Sample> {
        if layout.size() < SLOT_LIMIT {
            return None;
        }
        self.remove(block as u64)
    }
}
