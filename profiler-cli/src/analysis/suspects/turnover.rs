//! What came and went: births, frees and ages behind a level of memory.

use heaplens::snapshot::AGE_BOUNDS_SECONDS;

use super::history::{BOUNDS, Point};

/// Most independent events that one interval can show: blocks are often born and freed together.
const EVENTS_AN_INTERVAL: f64 = 6.0;
/// Part of the time before which births may outweigh frees: something fills up.
const WARM_PART: f64 = 1.0 / 3.0;
/// Growth of births from which the load is said to rise.
const LOAD_RISES: f64 = 1.15;
/// How much more than the load the level may rise and still follow it.
const FOLLOWS: f64 = 1.5;

/// Births and frees over a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turnover {
    /// Bytes allocated between the first snapshot and the last.
    pub born: f64,
    /// Bytes freed between them.
    pub freed: f64,
    /// Chance that births outweigh frees so much in the last two thirds, if each were as likely.
    pub balance_p: f64,
    /// The level rises no more than the load does.
    pub follows_load: bool,
}

impl Turnover {
    /// Of the points after warm-up. `work` is what the program says it has done, at each.
    pub fn of(times: &[f64], points: &[Point], work: &[f64]) -> Self {
        let [born, freed] = match points {
            [first, .., last] => flows(first, last),
            _ => [0.0; 2],
        };
        Self {
            born,
            freed,
            balance_p: balance(times, points),
            follows_load: follows_load(times, points, work),
        }
    }

    /// Of what was born, the part that is gone: 0 to 1.
    pub fn freed_share(&self) -> f64 {
        if self.born > 0.0 {
            (self.freed / self.born).clamp(0.0, 1.0)
        } else {
            0.0
        }
    }
}

/// Bytes born and freed between two points.
fn flows(before: &Point, after: &Point) -> [f64; 2] {
    let (before, after) = (&before.values, &after.values);
    let born = after.total_bytes.saturating_sub(before.total_bytes) as f64;
    let kept = after.live_bytes.saturating_sub(before.live_bytes) as f64;
    [born, (born - kept).max(0.0)]
}

/// In balance each event is a birth or a free with the same chance. An interval counts as a few
/// events at most, and as no more than the samples or blocks that were born in it.
fn balance(times: &[f64], points: &[Point]) -> f64 {
    let from = match times {
        [first, .., last] => first + (last - first) * WARM_PART,
        _ => return 1.0,
    };
    let (mut events, mut births, mut intervals) = (0.0, 0.0, 0);
    for (time, pair) in times.windows(2).zip(points.windows(2)) {
        if (time[0] + time[1]) / 2.0 < from {
            continue;
        }
        intervals += 1;
        let [born, freed] = flows(&pair[0], &pair[1]);
        let (before, after) = (&pair[0].values, &pair[1].values);
        let variance = after.total_bytes_variance - before.total_bytes_variance;
        let blocks = after.total_count.saturating_sub(before.total_count) as f64;
        let independent = if variance > 0.0 {
            (born * born / variance).min(blocks)
        } else {
            blocks
        };
        let shown = independent.min(EVENTS_AN_INTERVAL);
        events += shown;
        births += shown * born / (born + freed).max(1.0);
    }
    if intervals < 2 {
        return 1.0;
    }
    at_least(events.floor() as u32, births.floor() as u32)
}

/// The chance of at least `heads` among `n` throws of a coin.
fn at_least(n: u32, heads: u32) -> f64 {
    let mut term = 0.5_f64.powi(n as i32);
    let mut sum = 0.0;
    for k in 0..=n {
        if k >= heads {
            sum += term;
        }
        term *= f64::from(n - k) / f64::from(k + 1);
    }
    sum.min(1.0)
}

/// By Little's law a level is the rate of births times how long blocks live. While lifetimes stay,
/// it rises as the load does; a leak rises more.
fn follows_load(times: &[f64], points: &[Point], work: &[f64]) -> bool {
    let (Some(start), Some(end)) = (times.first(), times.last()) else {
        return false;
    };
    let half = times.partition_point(|&time| time < (start + end) / 2.0);
    if half < 2 || times.len() - half < 2 {
        return false;
    }
    let level = |range: std::ops::Range<usize>| {
        let mut live: Vec<f64> = points[range]
            .iter()
            .map(|point| point.values.live_bytes as f64)
            .collect();
        live.sort_unstable_by(f64::total_cmp);
        live[live.len() / 2]
    };
    let rate = |of: &dyn Fn(usize) -> f64, from: usize, to: usize| {
        (of(to) - of(from)) / (times[to] - times[from]).max(1e-9)
    };
    let ratio = |of: &dyn Fn(usize) -> f64| {
        let early = rate(of, 0, half - 1);
        let late = rate(of, half, times.len() - 1);
        if early > 0.0 { late / early } else { 0.0 }
    };
    let births = ratio(&|at| points[at].values.total_bytes as f64);
    let work = ratio(&|at| work.get(at).copied().unwrap_or(0.0));
    let load = births.max(work);
    let (early, late) = (level(0..half), level(half..points.len()));
    load >= LOAD_RISES && early > 0.0 && late / early - 1.0 <= FOLLOWS * (load - 1.0)
}

/// How old what is live has become, and what became of what was live then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Survival {
    /// An age in seconds.
    pub age_seconds: u64,
    /// Part of the live bytes that is surely older: 0 to 1.
    pub old_share: f64,
    /// Of the bytes that were live so long ago, the part that is surely gone: 0 to 1.
    pub freed_since: f64,
}

/// An age class is told late by at most half of its bound and two ticks of ten seconds.
fn latest(bound: u64) -> f64 {
    bound as f64 * 1.5 + 20.0
}

/// The ages that have shown for long enough to have a course of their own: at most a third of the
/// time passes before the first block can be so old.
pub fn ages_shown(times: &[f64]) -> impl Iterator<Item = usize> + use<> {
    let span = span(times);
    (0..BOUNDS).filter(move |&k| latest(AGE_BOUNDS_SECONDS[k]) <= span / 3.0)
}

fn span(times: &[f64]) -> f64 {
    match times {
        [first, .., last] => last - first,
        _ => 0.0,
    }
}

/// Survival at the largest age that there is something to be said of.
pub fn survival(times: &[f64], points: &[Point]) -> Option<Survival> {
    let (end, last) = (times.last()?, points.last()?);
    let live = last.values.live_bytes as f64;
    (0..BOUNDS).rev().find_map(|k| {
        let old = last.older[k] as f64;
        let then = times.partition_point(|&time| time <= end - latest(AGE_BOUNDS_SECONDS[k]));
        let was = points.get(then.checked_sub(1)?)?.values.live_bytes as f64;
        (live > 0.0 && was > 0.0).then(|| Survival {
            age_seconds: AGE_BOUNDS_SECONDS[k],
            old_share: (old / live).clamp(0.0, 1.0),
            freed_since: (1.0 - old / was).clamp(0.0, 1.0),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Values;

    fn point(live: i64, total: u64) -> Point {
        Point {
            values: Values {
                live_bytes: live,
                total_bytes: total,
                total_count: total / 100,
                ..Values::default()
            },
            ..Point::default()
        }
    }

    fn times(n: usize) -> Vec<f64> {
        (0..n).map(|at| at as f64 * 60.0).collect()
    }

    #[test]
    fn what_is_never_freed_is_out_of_balance() {
        let leak: Vec<Point> = (0..6).map(|t| point(t * 5_000, t as u64 * 5_000)).collect();
        let turnover = Turnover::of(&times(6), &leak, &[]);
        assert_eq!(turnover.freed_share(), 0.0);
        assert!(turnover.balance_p < 1e-3, "{}", turnover.balance_p);
        let steady: Vec<Point> = (0..6).map(|t| point(5_000, 5_000 + t * 5_000)).collect();
        let turnover = Turnover::of(&times(6), &steady, &[]);
        assert_eq!(turnover.freed_share(), 1.0);
        assert!(turnover.balance_p > 0.4);
    }

    #[test]
    fn a_level_that_follows_its_births_follows_the_load() {
        let ramp = |n: u64| -> Vec<Point> {
            let mut total = 0;
            (0..n)
                .map(|t| {
                    total += 10_000 * (n + t);
                    point((1_000 * (n + t)) as i64, total)
                })
                .collect()
        };
        assert!(Turnover::of(&times(12), &ramp(12), &[]).follows_load);
        let leak: Vec<Point> = (0..12)
            .map(|t| point(1_000 + t * 1_000, 20_000 * (1 + t as u64)))
            .collect();
        assert!(!Turnover::of(&times(12), &leak, &[]).follows_load);
    }

    #[test]
    fn survival_is_told_from_ages() {
        let points: Vec<Point> = (0..10)
            .map(|t| {
                let mut point = point(1_000 * (t + 1), 0);
                point.older[0] = 1_000 * (t - 1).max(0);
                point.older[1] = 1_000 * (t - 5).max(0);
                point
            })
            .collect();
        let survival = survival(&times(10), &points).unwrap();
        assert_eq!(survival.age_seconds, 300);
        assert_eq!(survival.old_share, 0.4);
        assert_eq!(survival.freed_since, 0.0);
        let times = times(10);
        assert_eq!(ages_shown(&times).collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn coins_are_fair() {
        assert!((at_least(2, 2) - 0.25).abs() < 1e-12);
        assert!((at_least(3, 2) - 0.5).abs() < 1e-12);
        assert_eq!(at_least(0, 0), 1.0);
    }
}
