//! When a snapshot is taken beside the regular ones: memory has grown, comes near its limit, or is at
//! a new peak. What is taken after the process was killed is taken too late.
//!
//! Decides from two numbers that the keeper reads; reads nothing itself, and takes no snapshot.

mod rules;

pub(super) use rules::{ALLOWED, Rules};

use crate::snapshot::Reason;
use std::time::Duration;

/// Smallest growth that is worth a snapshot, whatever its share.
const LEAST_GROWTH: i64 = 1 << 20;
/// A new peak is one by this part of the last one.
const PEAK_PART: i64 = 10;
/// A step of the limit counts again once memory has fallen this many percent of the limit below it.
const RELEASE_PERCENT: u64 = 5;
/// Time between looks while nothing is near.
const CALM: Duration = Duration::from_secs(1);
/// Time between looks from half of the limit on: a fast leak goes from there to its end in seconds.
const NEAR: Duration = Duration::from_millis(100);

/// What the process holds of what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pressure {
    pub(super) used_bytes: u64,
    pub(super) limit_bytes: u64,
}

impl Pressure {
    fn percent(self) -> u64 {
        let percent = u128::from(self.used_bytes) * 100 / u128::from(self.limit_bytes.max(1));
        u64::try_from(percent).unwrap_or(u64::MAX)
    }
}

/// The rules, and what they have seen so far.
#[derive(Debug)]
pub(super) struct Triggers {
    rules: Rules,
    /// Live bytes at the last snapshot.
    last_taken: Option<i64>,
    /// Most live bytes at a snapshot.
    peak: i64,
    /// Steps of the limit that were passed when a snapshot was taken, and have been since.
    steps_taken: usize,
    /// Steps of the limit that are passed now.
    steps_passed: usize,
    is_near: bool,
}

impl Triggers {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            last_taken: None,
            peak: 0,
            steps_taken: 0,
            steps_passed: 0,
            is_near: false,
        }
    }

    /// Whether live bytes matter to any rule.
    pub(super) fn look_at_live_bytes(&self) -> bool {
        self.rules.growth_percent.is_some() || self.rules.growth_bytes.is_some() || self.rules.peak
    }

    /// Whether the limit matters to any rule.
    pub(super) fn look_at_limit(&self) -> bool {
        !self.rules.limit_percents.is_empty()
    }

    /// Why a snapshot is due now, and still is if none can be taken. The limit comes first: who is
    /// near it has the least time.
    pub(super) fn due(
        &mut self,
        live_bytes: Option<i64>,
        pressure: Option<Pressure>,
    ) -> Option<Reason> {
        if self.passes_step(pressure) {
            return Some(Reason::Limit);
        }
        let live_bytes = live_bytes?;
        // What is there at the start is where growth counts from.
        let last = *self.last_taken.get_or_insert(live_bytes);
        let growth = live_bytes.saturating_sub(last);
        if growth >= LEAST_GROWTH {
            let by_share = self.rules.growth_percent.is_some_and(|percent| {
                i128::from(growth) * 100 >= i128::from(last.max(0)) * i128::from(percent)
            });
            let by_bytes = self
                .rules
                .growth_bytes
                .is_some_and(|bytes| growth.unsigned_abs() >= bytes);
            if by_share || by_bytes {
                return Some(Reason::Growth);
            }
        }
        let higher = live_bytes.saturating_sub(self.peak);
        let is_peak = self.rules.peak && higher >= LEAST_GROWTH.max(self.peak / PEAK_PART);
        is_peak.then_some(Reason::Peak)
    }

    /// A snapshot has been taken, for whatever reason.
    pub(super) fn taken(&mut self, live_bytes: i64) {
        self.last_taken = Some(live_bytes);
        self.peak = self.peak.max(live_bytes);
        self.steps_taken = self.steps_passed;
    }

    /// How long to wait before the next look.
    pub(super) fn pause(&self) -> Duration {
        if self.is_near { NEAR } else { CALM }
    }

    /// Whether a step of the limit has been passed of which there is no snapshot.
    fn passes_step(&mut self, pressure: Option<Pressure>) -> bool {
        let percent = pressure.map_or(0, Pressure::percent);
        let below = |percent: u64| {
            let steps = self.rules.limit_percents.iter();
            steps.take_while(|&&step| step <= percent).count()
        };
        self.steps_passed = below(percent);
        self.steps_taken = self
            .steps_taken
            .min(below(percent.saturating_add(RELEASE_PERCENT)));
        self.is_near = self.look_at_limit() && percent >= 50;
        self.steps_passed > self.steps_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: i64 = 1 << 20;

    fn triggers(text: &str) -> Triggers {
        Triggers::new(Rules::parse(text).expect("rules"))
    }

    fn at(percent: u64) -> Option<Pressure> {
        Some(Pressure {
            used_bytes: percent << 20,
            limit_bytes: 100 << 20,
        })
    }

    /// The percentages at which a snapshot is taken, out of these in turn.
    fn taken_at(rules: &str, percents: &[u64]) -> Vec<u64> {
        let mut triggers = triggers(rules);
        let due = |&percent: &u64| {
            let due = triggers.due(None, at(percent)) == Some(Reason::Limit);
            if due {
                triggers.taken(0);
            }
            due
        };
        percents.iter().copied().filter(due).collect()
    }

    #[test]
    fn each_step_of_the_limit_counts_once() {
        let percents = [10, 59, 60, 61, 79, 85, 89, 95, 99];
        assert_eq!(taken_at("limit", &percents), [60, 85, 95]);
        assert_eq!(taken_at("limit=50%", &percents), [59]);
        assert_eq!(taken_at("limit", &[10, 95, 99]), [95], "one for many steps");
        assert_eq!(taken_at("none", &percents), Vec::<u64>::new());
    }

    #[test]
    fn a_step_counts_again_after_a_clear_fall_and_not_after_a_flutter() {
        assert_eq!(taken_at("limit", &[62, 58, 61, 57, 60]), [62]);
        assert_eq!(taken_at("limit", &[62, 54, 61]), [62, 61]);
        assert_eq!(taken_at("limit", &[95, 70, 85, 95]), [95, 85, 95]);
    }

    #[test]
    fn a_step_is_due_until_there_is_a_snapshot_of_it() {
        let mut triggers = triggers("limit");
        for _ in 0..3 {
            assert_eq!(triggers.due(None, at(60)), Some(Reason::Limit));
        }
        triggers.taken(0);
        assert_eq!(triggers.due(None, at(60)), None);
    }

    #[test]
    fn growth_counts_from_the_last_snapshot() {
        let mut triggers = triggers("growth=50%,growth=64MiB");
        assert_eq!(triggers.due(Some(10 * MIB), None), None, "the start");
        assert_eq!(triggers.due(Some(14 * MIB), None), None);
        assert_eq!(triggers.due(Some(15 * MIB), None), Some(Reason::Growth));
        triggers.taken(15 * MIB);
        assert_eq!(triggers.due(Some(20 * MIB), None), None);
        triggers.taken(400 * MIB);
        assert_eq!(triggers.due(Some(463 * MIB), None), None);
        assert_eq!(triggers.due(Some(464 * MIB), None), Some(Reason::Growth));
    }

    #[test]
    fn little_growth_is_none_whatever_its_share() {
        let mut triggers = triggers("growth=50%,peak");
        triggers.taken(1_000);
        assert_eq!(triggers.due(Some(MIB), None), None);
        assert_eq!(triggers.due(Some(2 * MIB), None), Some(Reason::Growth));
    }

    #[test]
    fn a_peak_is_higher_than_any_before_by_a_tenth() {
        let mut triggers = triggers("peak");
        triggers.taken(100 * MIB);
        triggers.taken(50 * MIB);
        assert_eq!(triggers.due(Some(109 * MIB), None), None);
        assert_eq!(triggers.due(Some(110 * MIB), None), Some(Reason::Peak));
    }

    #[test]
    fn who_is_near_the_limit_is_looked_at_more_often() {
        let mut triggers = triggers("limit");
        assert_eq!(triggers.pause(), CALM);
        triggers.due(None, at(50));
        assert_eq!(triggers.pause(), NEAR);
        triggers.due(None, at(49));
        assert_eq!(triggers.pause(), CALM);
    }

    #[test]
    fn extremes_are_no_trouble() {
        let mut triggers = triggers("growth=50%,growth=1,limit,peak");
        let full = Some(Pressure {
            used_bytes: u64::MAX,
            limit_bytes: 0,
        });
        assert_eq!(triggers.due(Some(i64::MIN), full), Some(Reason::Limit));
        triggers.taken(i64::MIN);
        assert_eq!(triggers.due(Some(i64::MIN), full), None);
        assert_eq!(triggers.due(Some(i64::MAX), full), Some(Reason::Growth));
        triggers.taken(i64::MAX);
        assert_eq!(triggers.due(Some(i64::MIN), None), None);
    }
}
