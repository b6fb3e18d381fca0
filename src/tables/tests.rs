//! The tables against plain collections, by any sequence of calls.

use super::age_map::{AGE_BINS, AgeMap, TICKS_MAPPED};
use super::counter_cache::{CounterCache, Shared};
use super::counters::{Counters, Sums};
use super::large_samples::{LargeSamples, Sample};
use super::sample_slots::SampleSlots;
use super::site_tree::{ROOT, SiteTree, folded};
use super::slot_bitmap::SlotBitmap;
use crate::platform;
use proptest::prelude::*;
use std::alloc::Layout;
use std::collections::{BTreeSet, HashMap};

fn sample(number: u64) -> Sample {
    Sample {
        site: number as u32,
        birth: !number as u32,
        size: number + 1,
        mean: number ^ 0xff,
    }
}

fn sorted(samples: impl Iterator<Item = Sample>) -> Vec<u64> {
    let mut sizes: Vec<u64> = samples.map(|sample| sample.size).collect();
    sizes.sort_unstable();
    sizes
}

proptest! {
    #[test]
    fn slot_bitmap_is_a_set(calls in proptest::collection::vec(any::<Option<u8>>(), 0..400)) {
        let (slots, mut model) = (SlotBitmap::new(128), BTreeSet::new());
        for call in calls {
            match call {
                None => match slots.take() {
                    Some(slot) => prop_assert!(slot < 128 && model.insert(slot)),
                    None => prop_assert_eq!(model.len(), 128),
                },
                Some(slot) => {
                    let slot = usize::from(slot);
                    prop_assert_eq!(slots.release(slot), model.remove(&slot));
                }
            }
            prop_assert!(slots.taken().eq(model.iter().copied()));
        }
    }

    #[test]
    fn large_samples_are_a_map(calls in proptest::collection::vec((any::<bool>(), 1..60_u64), 0..400)) {
        let (table, mut model) = (LargeSamples::new(32), HashMap::new());
        for (inserts, number) in calls {
            let address = 0x7f00_0000_0000 + number * 4096;
            if inserts && !model.contains_key(&address) {
                // Where both buckets are full it is refused, and nothing changes.
                if table.insert(address, sample(number)) {
                    model.insert(address, sample(number));
                } else {
                    prop_assert!(model.len() >= 8);
                }
            } else {
                prop_assert_eq!(table.remove(address), model.remove(&address));
            }
            prop_assert_eq!(sorted(table.iter()), sorted(model.values().copied()));
        }
    }

    #[test]
    fn age_map_is_a_table_of_the_last_ticks(
        start in any::<u32>(),
        steps in proptest::collection::vec((0..AGE_BINS, 0..3_000_u32), 1..12),
    ) {
        let (ages, mut model) = (AgeMap::new(), HashMap::new());
        let (mut now, mut oldest) = (start, 0);
        ages.set_now(now);
        for (bin, ahead) in steps {
            if ahead % 5 == 0 {
                oldest = bin;
                ages.set_oldest(bin);
            }
            // As time goes by each tick gets its place.
            for tick in 1..=ahead {
                ages.place(now.wrapping_add(tick), bin);
                model.insert(now.wrapping_add(tick), bin);
            }
            now = now.wrapping_add(ahead);
            ages.set_now(now);
            for back in [0, 1, ahead, TICKS_MAPPED - 1, TICKS_MAPPED, u32::MAX / 2] {
                let birth = now.wrapping_sub(back);
                let known = model.get(&birth).copied();
                match known.filter(|_| back < TICKS_MAPPED) {
                    Some(bin) => prop_assert_eq!(ages.bin(birth), bin),
                    None if back >= TICKS_MAPPED => prop_assert_eq!(ages.bin(birth), oldest),
                    None => {}
                }
            }
        }
    }

    #[test]
    fn rows_and_caches_are_sums(
        calls in proptest::collection::vec((0..2_usize, 1..5_000_u32, 0..3_u32, 0..1_u64 << 40, any::<bool>()), 0..300)
    ) {
        let (counters, ages) = (Counters::new(5_000), AgeMap::new());
        for tick in 0..3 {
            ages.place(tick, tick as usize);
        }
        ages.set_now(2);
        let shared = Shared { counters: &counters, ages: &ages };
        let caches = [cache(), cache()];
        let mut model: HashMap<usize, (Sums, [i64; AGE_BINS])> = HashMap::new();
        for (cache, site, birth, bytes, frees) in calls {
            let (sums, bins) = model.entry(site as usize).or_default();
            if frees {
                caches[cache].freed(site, birth, bytes, &shared);
                sums.live_bytes -= bytes as i64;
                sums.live_count -= 1;
                bins[birth as usize] -= bytes as i64;
            } else {
                caches[cache].allocated(site, birth, bytes, &shared);
                sums.live_bytes += bytes as i64;
                sums.live_count += 1;
                sums.total_bytes += bytes;
                sums.total_count += 1;
                bins[birth as usize] += bytes as i64;
            }
        }
        let mut read: HashMap<usize, Sums> = HashMap::new();
        for cache in caches {
            cache.read(|site, _, delta| read.entry(site as usize).or_default().add(&delta));
        }
        for (&site, (sums, _)) in &model {
            let mut both = read.remove(&site).unwrap_or_default();
            let (row, _) = counters.read(site);
            both.live_bytes += row.live_bytes;
            both.live_count += row.live_count;
            both.total_bytes += row.total_bytes;
            both.total_count += row.total_count;
            prop_assert_eq!(both, *sums);
        }
        prop_assert!(read.is_empty());
        for cache in caches {
            cache.flush(&shared);
        }
        for (site, expected) in model {
            prop_assert_eq!(counters.read(site), expected);
        }
    }

    #[test]
    fn site_tree_is_a_map_of_folded_paths(
        paths in proptest::collection::vec(proptest::collection::vec(0..4_u64, 1..12), 1..60)
    ) {
        let (tree, mut model) = (SiteTree::new(1 << 12, 100), HashMap::new());
        for path in paths {
            let node = path.iter().fold(ROOT, |node, &frame| tree.child(node, frame + 1));
            let path = folded(path);
            prop_assert_eq!(*model.entry(path.clone()).or_insert(node), node);
            let mut up = Vec::new();
            let mut at = node;
            while let Some((parent, frame)) = tree.get(at) {
                up.push(frame - 1);
                at = parent;
            }
            up.reverse();
            prop_assert_eq!(up, path);
        }
    }
}

proptest! {
    // Each maps more than a gigabyte.
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn sample_slots_are_a_map(
        calls in proptest::collection::vec((any::<bool>(), 0..60_000_usize, 0..13_u32), 0..120)
    ) {
        let (slots, mut model) = (SampleSlots::new(), Vec::new());
        for (takes, size, align) in calls {
            let layout = Layout::from_size_align(size, 1 << align).unwrap();
            if takes {
                let slot = slots.take(layout).expect("there is room");
                let block = slots.block(slot) as usize;
                prop_assert_eq!(block % layout.align(), 0);
                for &(_, other, length, _) in &model {
                    prop_assert!(block + size <= other || other + length <= block);
                }
                let number = model.len() as u64;
                slots.record(slot, sample(number));
                model.push((slot, block, size, sample(number)));
            } else if !model.is_empty() {
                let (slot, block, ..) = model.swap_remove(size % model.len());
                prop_assert_eq!(slots.find(block as *mut u8), Some(slot));
                slots.release(slot);
            }
            prop_assert_eq!(sorted(slots.iter()), sorted(model.iter().map(|&(.., sample)| sample)));
        }
    }
}

/// An empty cache, as threads get theirs.
fn cache() -> &'static CounterCache {
    let memory = platform::map_zeroed(size_of::<CounterCache>()).expect("memory");
    // SAFETY: mapped for ever, page-aligned, and all of its fields are atomics that may be zero.
    unsafe { memory.cast().as_ref() }
}
