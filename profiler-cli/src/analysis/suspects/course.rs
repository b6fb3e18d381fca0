//! How one measure of memory went over the snapshots: the numbers behind a judgement.
//!
//! A measure is the live bytes of a path or an owner, or those of its blocks that are older than
//! some age. The second is what finds a leak under noise: blocks that come and go within a minute
//! are not among those older than a minute, and leaked ones are.

use crate::analysis::trend::{Slope, drift, mann_kendall, theil_sen, von_neumann_ratio};

/// Shares of the observed time at whose end growth must go on.
const TAILS: [f64; 2] = [0.5, 0.25];
/// Of the growth, the least part that a leak has in the second half of the time.
const LEAST_LATE: f64 = 0.2;
/// Part of the snapshots over which growth must have all but ended for a level to be reached, and the
/// most of all growth that may be in them: half of what an even one has there.
const LEVEL: f64 = 0.4;
const MOST_AT_LEVEL: f64 = LEVEL / 2.0;
/// One-sided 99 % quantile of the normal distribution.
const Z_99: f64 = 2.326;
/// One-sided 95 % quantile of the normal distribution.
const Z_95: f64 = 1.645;
/// Von Neumann ratio from which what is left around a trend counts as noise without memory.
const NO_MEMORY: f64 = 1.2;
/// Growth in one interval, beyond what its length explains, that makes it a step.
const STEP: f64 = 0.5;
/// A fall at once by this part of the range is a fall in bulk.
const BULK: f64 = 0.5;

/// How a measure went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Course {
    /// Chance of such a trend by chance alone, for this one test.
    pub p: f64,
    /// Bytes a second.
    pub slope: Slope,
    /// Last value minus first.
    pub change: f64,
    /// Largest value minus smallest.
    pub range: f64,
    /// How many equal independent steps would be as certain as this growth.
    pub steps: f64,
    /// Growth has slowed down to less than half, or nearly ended, by time and by work.
    pub slows: bool,
    /// The same by one of them at least.
    pub flattens: bool,
    /// Next to none of the growth is in the last two fifths of the snapshots.
    pub is_level: bool,
    /// Growth came in one step.
    pub is_step: bool,
    /// It fell in bulk at least once.
    pub falls: bool,
    /// Sum of its steps over what steps without a direction would make.
    pub drift: f64,
    /// The trend is not that of something that only wanders.
    pub is_directed: bool,
}

impl Course {
    /// How `values` went over `times` in seconds, and over the units of `work` where the program tells
    /// them: what grows as ever with each request does not slow down because there are fewer requests.
    /// `sampling_variance` is that of the change from the first value to the last.
    pub fn of(times: &[f64], work: &[f64], values: &[f64], sampling_variance: f64) -> Self {
        let slope = theil_sen(times, values);
        let (first, last) = (
            value(values, 0),
            value(values, values.len().wrapping_sub(1)),
        );
        let change = last - first;
        let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), &v| {
            (low.min(v), high.max(v))
        });
        let range = (high - low).max(0.0);
        let largest_fall = values
            .windows(2)
            .map(|pair| pair[0] - pair[1])
            .fold(0.0, f64::max);
        let noise = step_variance(times, values).max(sampling_variance);
        let steps = if noise > 0.0 {
            change * change / noise
        } else {
            MOST_STEPS
        };
        let residuals: Vec<f64> = times
            .iter()
            .zip(values)
            .map(|(time, value)| value - slope.rate * time)
            .collect();
        let steps = steps.min(MOST_STEPS);
        let drift = drift(times, values);
        let levels = smoothed(values);
        let slowed: Vec<bool> = paces(times, work)
            .map(|pace| slows(pace, &levels, steps))
            .collect();
        let numbers: Vec<f64> = (0..values.len()).map(|number| number as f64).collect();
        Self {
            p: mann_kendall(values),
            slope,
            change,
            range,
            steps,
            slows: slowed.iter().all(|&slows| slows),
            flattens: slowed.contains(&true),
            is_level: late_share(&numbers, &levels, LEVEL)
                .is_none_or(|share| share <= MOST_AT_LEVEL),
            is_step: paces(times, work).all(|pace| is_step(pace, values)),
            falls: largest_fall > BULK * range && range > 0.0,
            drift,
            is_directed: von_neumann_ratio(&residuals) >= NO_MEMORY || drift >= Z_95,
        }
    }

    /// Whether it goes on growing, apart from how sure that is.
    pub fn keeps_growing(&self) -> bool {
        self.change > 0.0 && !self.slows && !self.is_step && !self.falls && self.is_directed
    }
}

/// What growth may keep step with: time, and work where the program tells it.
fn paces<'a>(times: &'a [f64], work: &'a [f64]) -> impl Iterator<Item = &'a [f64]> {
    let is_told = work.len() == times.len()
        && work.first() < work.last()
        && work.windows(2).all(|pair| pair[0] <= pair[1]);
    std::iter::once(times).chain(is_told.then_some(work))
}

/// More than any test needs, and a number that can be written.
const MOST_STEPS: f64 = 1000.0;

fn value(values: &[f64], at: usize) -> f64 {
    values.get(at).copied().unwrap_or(0.0)
}

/// Variance of the whole change, from how much neighbouring intervals differ: a shift in the middle
/// counts once and not all along.
fn step_variance(times: &[f64], values: &[f64]) -> f64 {
    let lengths: Vec<f64> = times.windows(2).map(|t| t[1] - t[0]).collect();
    let rates: Vec<f64> = values
        .windows(2)
        .zip(&lengths)
        .map(|(pair, length)| (pair[1] - pair[0]) / length.max(1e-9))
        .collect();
    if rates.len() < 2 {
        return 0.0;
    }
    let squares: f64 = rates
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).powi(2))
        .sum();
    let of_rate = squares / (2.0 * (rates.len() - 1) as f64);
    of_rate * lengths.iter().map(|length| length * length).sum::<f64>()
}

/// Whether growth in a tail is less than half of the average one, and surely so; or next to none.
fn slows(times: &[f64], levels: &[f64], steps: f64) -> bool {
    TAILS.iter().any(|&tail| {
        let Some(share) = late_share(times, levels, tail) else {
            return true;
        };
        let least = tail / 2.0;
        let error = (least * (1.0 - least) / steps.max(1.0)).sqrt();
        share < least - Z_99 * error || (tail == 0.5 && share < LEAST_LATE)
    })
}

/// Of all growth, the part in the last `tail` of the time. `None`: there is no growth.
fn late_share(times: &[f64], levels: &[f64], tail: f64) -> Option<f64> {
    let (&start, &end) = (times.first()?, times.last()?);
    let level = |time: f64| interpolate(times, levels, time);
    let whole = level(end) - level(start);
    (whole > 0.0).then(|| (level(end) - level(end - tail * (end - start))) / whole)
}

/// Medians of three neighbours where values fall at times; the values themselves where they never do.
fn smoothed(values: &[f64]) -> Vec<f64> {
    if values.len() < 7 || values.windows(2).all(|pair| pair[0] <= pair[1]) {
        return values.to_vec();
    }
    let last = values.len() - 1;
    (0..values.len())
        .map(|at| {
            let from = at.saturating_sub(1).min(last - 2);
            let mut three = [values[from], values[from + 1], values[from + 2]];
            three.sort_unstable_by(f64::total_cmp);
            three[1]
        })
        .collect()
}

/// The value at a time between two points.
fn interpolate(times: &[f64], values: &[f64], time: f64) -> f64 {
    let after = times
        .partition_point(|&t| t < time)
        .clamp(1, times.len().max(2) - 1);
    let (before, after) = (after - 1, after);
    let length = value(times, after) - value(times, before);
    if length <= 0.0 {
        return value(values, before);
    }
    let part = ((time - value(times, before)) / length).clamp(0.0, 1.0);
    value(values, before) + part * (value(values, after) - value(values, before))
}

/// Whether more than half of the growth came in one interval, beyond what its length explains.
pub(super) fn is_step(times: &[f64], values: &[f64]) -> bool {
    let last = values.len().wrapping_sub(1);
    let change = value(values, last) - value(values, 0);
    let span = value(times, last) - value(times, 0);
    if change <= 0.0 || span <= 0.0 {
        return false;
    }
    values
        .windows(2)
        .zip(times.windows(2))
        .any(|(value, time)| (value[1] - value[0]) / change - (time[1] - time[0]) / span > STEP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn course(values: &[f64]) -> Course {
        let times: Vec<f64> = (0..values.len()).map(|at| at as f64 * 60.0).collect();
        Course::of(&times, &[], values, 0.0)
    }

    fn of(n: usize, value: impl Fn(f64) -> f64) -> Course {
        let values: Vec<f64> = (0..n).map(|at| value(at as f64)).collect();
        course(&values)
    }

    #[test]
    fn steady_growth_keeps_growing() {
        let line = of(8, |t| 1000.0 * t + 5.0);
        assert!(line.keeps_growing(), "{line:?}");
        assert!((line.slope.rate - 1000.0 / 60.0).abs() < 1e-9);
        assert_eq!(line.change, 7000.0);
    }

    #[test]
    fn what_fills_up_slows() {
        let full = of(12, |t| (1000.0 * t).min(5000.0));
        assert!(full.slows && full.is_level);
        assert!(!of(12, |t| 1000.0 * t).is_level);
        assert!(of(20, |t| 1e6 * (1.0 - (-t / 4.0).exp())).slows);
        assert!(!of(20, |t| 1e6 * t.powf(0.9)).slows);
        assert!(!of(20, |t| t * t).slows);
    }

    #[test]
    fn growth_with_each_unit_of_work_does_not_slow_when_work_does() {
        let times: Vec<f64> = (0..12).map(|at| f64::from(at) * 60.0).collect();
        // Most of the work is done at first.
        let work: Vec<f64> = (0..12).map(|at| 1e4 * (1.0 - 0.7_f64.powi(at))).collect();
        let leak: Vec<f64> = work.iter().map(|work| 500.0 * work).collect();
        assert!(Course::of(&times, &[], &leak, 0.0).slows);
        assert!(Course::of(&times, &work, &leak, 0.0).keeps_growing());
        // What fills up slows by any measure.
        let cache: Vec<f64> = work.iter().map(|work| work.min(4e3)).collect();
        assert!(Course::of(&times, &work, &cache, 0.0).slows);
        // A count that falls is none.
        let reset: Vec<f64> = work.iter().rev().copied().collect();
        assert!(Course::of(&times, &reset, &leak, 0.0).slows);
    }

    #[test]
    fn steps_and_falls_are_told() {
        let step = of(12, |t| if t < 5.0 { 10.0 } else { 5000.0 + t });
        assert!(step.is_step && !step.keeps_growing());
        let saw = of(12, |t| 1000.0 * (t % 4.0));
        assert!(saw.falls && !saw.keeps_growing());
        let level = of(12, |_| 7.0);
        assert!(!level.keeps_growing() && level.p == 1.0);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_all_is_finite(
            values in prop::collection::vec(-1e15..1e15_f64, 0..40),
            steps in prop::collection::vec(0_u32..1000, 40),
        ) {
            let mut time = 0.0;
            let times: Vec<f64> = values.iter().zip(steps).map(|(_, step)| {
                time += f64::from(step);
                time
            }).collect();
            let course = Course::of(&times, &[], &values, 1.0);
            prop_assert!((0.0..=1.0).contains(&course.p));
            prop_assert!(course.slope.rate.is_finite() && course.steps.is_finite());
            prop_assert!(course.range.is_finite());
        }

        #[test]
        fn the_unit_of_bytes_does_not_matter(
            values in prop::collection::vec(0_u32..1000, 4..30),
        ) {
            let small: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
            let large: Vec<f64> = small.iter().map(|v| v * 1024.0).collect();
            let (a, b) = (course(&small), course(&large));
            prop_assert_eq!((a.slows, a.is_step, a.falls), (b.slows, b.is_step, b.falls));
            prop_assert_eq!(a.p, b.p);
        }
    }
}
