//! Ages of live blocks in exact mode, at the cost of one table look-up a flush.
//!
//! Blocks carry the tick of their birth. Live bytes are kept in bins, each for a range of births.
//! A young bin spans three ticks; as bins grow old, neighbours are merged as long as the result
//! spans at most half of the next age bound, so that a block is seen to cross a bound at most half
//! of that bound late, and never early. The keeper alone moves time and merges bins.
//!
//! A flush that has looked up a bin just before it was merged may still add to it. A merged bin is
//! therefore emptied once more at the next tick, and only then used again.

use super::Recorder;
use crate::snapshot::{AGE_BOUNDS_SECONDS, AGE_CLASSES};
use crate::tables::age_map::{AGE_BINS, AgeMap, TICKS_MAPPED};
use crate::tables::counters::Counters;
use std::time::Duration;

/// Length of a tick in seconds: the resolution of births. 24 bits of ticks are five years.
pub(crate) const TICK_SECONDS: u64 = 10;

/// Ticks that a young bin spans.
const YOUNG_SPAN: u32 = 3;

/// The tick at a time since the recorder's start.
pub(crate) fn tick_at(uptime: Duration) -> u32 {
    (uptime.as_secs() / TICK_SECONDS) as u32
}

/// Age class of something that is surely `seconds` old.
pub(crate) fn class_of(seconds: u64) -> usize {
    AGE_BOUNDS_SECONDS
        .iter()
        .filter(|&&bound| seconds >= bound)
        .count()
}

/// The bins as the keeper sees them.
#[derive(Debug)]
pub(crate) struct AgeBins {
    /// Oldest first; births in `first..=last`.
    bins: Vec<Bin>,
    free: Vec<usize>,
    /// Merged into the second one; to be emptied once more.
    cooling: Vec<(usize, usize)>,
    now: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Bin {
    index: usize,
    first: u32,
    last: u32,
}

impl AgeBins {
    /// One bin for the births so far. Up to now all had tick 0, whenever they were.
    pub(crate) fn starting_at(tick: u32, map: &AgeMap) -> Self {
        map.set_now(tick);
        Self {
            bins: vec![Bin {
                index: 0,
                first: 0,
                last: tick,
            }],
            free: (1..AGE_BINS).rev().collect(),
            cooling: Vec::new(),
            now: tick,
        }
    }

    /// Moves time to `tick`. `sites`: those below this number can have live bytes.
    pub(crate) fn advance(&mut self, tick: u32, map: &AgeMap, counters: &Counters, sites: usize) {
        if tick <= self.now {
            return;
        }
        for (from, into) in std::mem::take(&mut self.cooling) {
            counters.merge_bin(from, into, sites);
            self.free.push(from);
        }
        // After a long pause the ticks in between are nobody's birth, but they need a place.
        let from = self.now + 1;
        self.now = tick;
        let youngest = self.bins[self.bins.len() - 1];
        let starts_bin = tick / YOUNG_SPAN != youngest.first / YOUNG_SPAN;
        match self.free.pop_if(|_| starts_bin) {
            Some(index) => self.bins.push(Bin {
                index,
                first: from,
                last: tick,
            }),
            None => {
                let last = self.bins.len() - 1;
                self.bins[last].last = tick;
            }
        }
        let index = self.bins[self.bins.len() - 1].index;
        for tick in from.max(tick.saturating_sub(TICKS_MAPPED - 1))..=tick {
            map.place(tick, index);
        }
        map.set_now(tick);
        self.merge(map, counters, sites);
        map.set_oldest(self.bins[0].index);
    }

    fn merge(&mut self, map: &AgeMap, counters: &Counters, sites: usize) {
        let mut older = 0;
        while older + 2 < self.bins.len() {
            let (old, young) = (self.bins[older], self.bins[older + 1]);
            if !self.may_merge(old, young) {
                older += 1;
                continue;
            }
            for tick in young.first.max(self.now.saturating_sub(TICKS_MAPPED - 1))..=young.last {
                map.place(tick, old.index);
            }
            counters.merge_bin(young.index, old.index, sites);
            self.cooling.push((young.index, old.index));
            self.bins[older].last = young.last;
            self.bins.remove(older + 1);
        }
        // A bin that was merged on, while one merged into it still cools, passes it along.
        for at in 0..self.cooling.len() {
            let (_, into) = self.cooling[at];
            if let Some(&(_, next)) = self.cooling.iter().find(|(from, _)| *from == into) {
                self.cooling[at].1 = next;
            }
        }
    }

    /// Neighbours of one class, if the next bound is crossed at most half of it late.
    fn may_merge(&self, old: Bin, young: Bin) -> bool {
        let class = self.class(young);
        if class != self.class(old) {
            return false;
        }
        match AGE_BOUNDS_SECONDS.get(class) {
            None => true,
            Some(bound) => u64::from(young.last - old.first + 1) * TICK_SECONDS <= bound / 2,
        }
    }

    /// A bin is as old as its youngest block must be.
    fn class(&self, bin: Bin) -> usize {
        // A block born at the end of its tick is a tick younger than the difference of ticks.
        let ticks = (self.now - bin.last).saturating_sub(1);
        class_of(u64::from(ticks) * TICK_SECONDS)
    }

    /// Age class of the blocks in a bin.
    pub(crate) fn class_of_bin(&self, index: usize) -> usize {
        let bin = self.bins.iter().find(|bin| bin.index == index);
        bin.map_or(0, |bin| self.class(*bin))
    }

    /// Live bytes by age class, from live bytes by bin.
    pub(crate) fn classes(&self, by_bin: &[i64; AGE_BINS]) -> [i64; AGE_CLASSES] {
        let mut classes = [0i64; AGE_CLASSES];
        // Bins that no block can be in now count as young: a flush that came late.
        let mut rest = by_bin
            .iter()
            .fold(0i64, |sum, bytes| sum.wrapping_add(*bytes));
        for bin in &self.bins {
            let bytes = by_bin[bin.index];
            rest = rest.wrapping_sub(bytes);
            let class = &mut classes[self.class(*bin)];
            *class = class.wrapping_add(bytes);
        }
        classes[0] = classes[0].wrapping_add(rest);
        classes
    }
}

impl Recorder {
    /// Moves the time that blocks are born at. The first time makes the bins.
    pub(crate) fn advance<'a>(
        &self,
        bins: &'a mut Option<AgeBins>,
        uptime: Duration,
    ) -> &'a AgeBins {
        let tick = tick_at(uptime);
        let bins = bins.get_or_insert_with(|| AgeBins::starting_at(tick, &self.ages));
        bins.advance(tick, &self.ages, &self.counters, self.walker.tree.len());
        bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::counters::Delta;

    /// Blocks of one byte, one born at each tick, against the definition of the classes.
    #[test]
    fn ages_lag_by_half_a_bound_at_most_and_never_lead() {
        let (map, counters) = (AgeMap::new(), Counters::new(64));
        let mut bins = AgeBins::starting_at(0, &map);
        for tick in 0..6_000u32 {
            bins.advance(tick, &map, &counters, 64);
            assert_eq!(map.now(), tick);
            counters.add(7, map.bin(tick), &Delta::allocation(1));
            let (_, by_bin) = counters.read(7);
            let classes = bins.classes(&by_bin);
            assert_eq!(classes.iter().sum::<i64>(), i64::from(tick) + 1);
            for class in 1..AGE_CLASSES {
                let older: i64 = classes[class..].iter().sum();
                let bound = AGE_BOUNDS_SECONDS[class - 1];
                // Births at tick t are surely `seconds` old when (now − t − 1) ticks are.
                let surely =
                    |seconds: u64| (i64::from(tick) - (seconds / TICK_SECONDS) as i64).max(0);
                assert!(older <= surely(bound), "{class} at {tick}: {older}");
                let late = bound + bound / 2 + 2 * TICK_SECONDS;
                assert!(
                    older >= surely(late),
                    "{class} at {tick}: {older} < {}",
                    surely(late)
                );
            }
        }
    }

    #[test]
    fn who_starts_late_takes_no_block_for_older_than_it_is() {
        let (map, counters) = (AgeMap::new(), Counters::new(64));
        counters.add(7, map.bin(0), &Delta::allocation(1));
        let mut bins = AgeBins::starting_at(1_000, &map);
        let classes = |bins: &AgeBins| bins.classes(&counters.read(7).1);
        assert_eq!((map.now(), classes(&bins)[0]), (1_000, 1));
        counters.add(7, map.bin(1_000), &Delta::allocation(2));
        bins.advance(1_010, &map, &counters, 64);
        assert_eq!(classes(&bins)[..2], [0, 3]);
        counters.add(7, map.bin(0), &Delta::free(1));
        counters.add(7, map.bin(1_000), &Delta::free(2));
        assert_eq!(classes(&bins), [0; AGE_CLASSES]);
    }

    #[test]
    fn a_free_finds_the_bin_of_its_birth_after_any_pause() {
        let (map, counters) = (AgeMap::new(), Counters::new(64));
        let mut bins = AgeBins::starting_at(0, &map);
        let mut born = Vec::new();
        for tick in [0, 1, 2, 50, 51, 700, 5_000, 5_001, 20_000] {
            bins.advance(tick, &map, &counters, 64);
            counters.add(3, map.bin(tick), &Delta::allocation(1 << tick.min(20)));
            born.push((tick, 1u64 << tick.min(20)));
        }
        for (tick, bytes) in born {
            counters.add(3, map.bin(tick), &Delta::free(bytes));
        }
        let (sums, by_bin) = counters.read(3);
        assert_eq!(sums.live_bytes, 0);
        assert_eq!(bins.classes(&by_bin), [0; AGE_CLASSES], "{by_bin:?}");
    }
}
