//! All owners and paths of a run, tested and classed.
//!
//! 1. Snapshots at the end of the program are left out: they show what is left after `main`. So are
//!    those that were taken because memory was high, which look like growth wherever memory goes up and
//!    down; and the warm-up, the first tenth of the time, as far as eight snapshots stay.
//! 2. Each owner and each path is tested for an upward trend of its live bytes, and of its live bytes
//!    above each age that has shown. What hardly moved in all its time is not tested: whether
//!    something moved does not depend on the order of the values, so this takes nothing from the
//!    other p-values (Bourgon, Gentleman and Huber 2010) and saves them from a larger correction.
//! 3. The p-values are corrected for their number.
//! 4. A trend that is sure is a leak if it also goes on to the end, came in more than one step, never
//!    fell in bulk, does not follow the load, and if old blocks grow with it.
//! 5. Whatever the trend, an owner leaks that has lost blocks: see [`unreached`](super::unreached).

use heaplens::snapshot::{AGE_BOUNDS_SECONDS, Reason};
use rustc_hash::FxHashMap;

use super::course::Course;
use super::finding::{Class, Finding, Measure, Suspects, rank};
use super::history::{BOUNDS, History, Point, Series};
use super::turnover::{Turnover, ages_shown, survival};
use super::unreached::reach_of_owners;
use crate::analysis::heap_graph::OwnerReach;
use crate::analysis::trend::{Slope, benjamini_hochberg};
use crate::profile::{FunctionId, change_variance};

/// Corrected p-values up to this are a trend.
pub const SIGNIFICANT: f64 = 0.01;
/// Fewer snapshots than this tell nothing.
pub const LEAST_SNAPSHOTS: usize = 5;
/// From here on the test of trend stands alone; below, births against frees are tested too.
pub const FULL_SNAPSHOTS: usize = 8;
/// Part of the time that counts as warm-up.
const WARM_UP: f64 = 0.1;
/// Equal independent steps that growth must be as certain as.
const LEAST_STEPS: f64 = 5.0;
/// Samples of growth below which it may be luck.
pub(super) const LEAST_SAMPLES: f64 = 8.0;
/// From this share of frees on, what is born there turns over.
pub(super) const TURNS_OVER: f64 = 0.3;
/// Part of all live bytes from which an owner is named even if it never moved.
const LEAST_SHARE: f64 = 0.02;
/// Births and frees are out of balance up to this chance.
const OUT_OF_BALANCE: f64 = 0.02;
/// What growth must be as certain as where many are freed: the few that stay may be luck.
const STEPS_OF_FEW: f64 = 10.0;
const DRIFT_OF_FEW: f64 = 2.0;
/// Part of the growth that must be of old blocks.
const OLD_GROWTH: f64 = 0.4;

/// Whether it shows what is left after `main`.
pub(super) fn is_at_end(reason: Reason) -> bool {
    matches!(reason, Reason::Exit | Reason::Panic)
}

/// Whether it was taken because memory was high just then. Steps of the limit are not among these: each
/// comes once, and the last before a kill is often the newest that there is.
pub fn is_when_high(reason: Reason) -> bool {
    matches!(reason, Reason::Growth | Reason::Peak)
}

/// What the tests of all series share.
pub(super) struct Frame {
    used: Vec<usize>,
    /// Places in `used` from which the warm-up is over.
    pub(super) warm_up: usize,
    /// Of all that are used, and of those after the warm-up.
    pub(super) all_times: Vec<f64>,
    pub(super) times: Vec<f64>,
    work: Vec<f64>,
    pub(super) least_bytes: f64,
    pub(super) sample_bytes: f64,
    /// See [`History`].
    lacks_ages: bool,
    lacks_births: bool,
    /// Of the whole program at last.
    live_bytes: f64,
}

/// A series with its tests; p-values are corrected later.
struct Tested<'a> {
    series: &'a Series,
    courses: Vec<(Measure, Course, f64)>,
    points: Vec<Point>,
}

/// What stands behind a course.
struct Behind<'a> {
    points: &'a [Point],
    turnover: &'a Turnover,
}

/// Judges a run.
pub fn suspects(history: &History) -> Suspects<'_> {
    judge(history, |_| true)
}

/// Judges a run by its marks where there are enough: there the program does the same each time.
pub fn suspects_at_marks(history: &History) -> Suspects<'_> {
    let is_mark = |reason| reason == Reason::Mark;
    let reasons = history.snapshots.iter().map(|source| source.header.reason);
    match reasons.filter(|&reason| is_mark(reason)).count() >= LEAST_SNAPSHOTS {
        true => judge(history, is_mark),
        false => suspects(history),
    }
}

/// Judges a run by the snapshots that count.
fn judge(history: &History, counts: impl Fn(Reason) -> bool) -> Suspects<'_> {
    let frame = Frame::new(history, counts);
    let mut owners: Vec<Tested<'_>> = history.owners.iter().map(|s| frame.test(s)).collect();
    let mut paths: Vec<Tested<'_>> = history.paths.iter().map(|s| frame.test(s)).collect();
    let tests = correct(owners.iter_mut().chain(&mut paths));

    let mut leaking: FxHashMap<FunctionId, Vec<Finding>> = FxHashMap::default();
    for path in paths.iter().filter(|path| !path.courses.is_empty()) {
        let finding = frame.judge(path, tests);
        if finding.class == Class::Leak {
            let owner = history.owner_function(path.series.node);
            leaking.entry(owner).or_default().push(finding);
        }
    }
    let mut reach = reach_of_owners(history);
    let mut quiet = 0;
    let mut findings = Vec::new();
    for owner in &owners {
        let function = history.profile.frame(owner.series.node).function;
        let mut paths = leaking.remove(&function).unwrap_or_default();
        let reach = reach.remove(&function);
        let is_lost = reach.as_ref().is_some_and(OwnerReach::is_lost);
        if owner.courses.is_empty() && paths.is_empty() && !is_lost && frame.is_quiet(owner.series)
        {
            quiet += 1;
            continue;
        }
        paths.sort_by(|a, b| b.rate.rate.total_cmp(&a.rate.rate));
        let finding = frame.judge(owner, tests).with_paths(paths);
        findings.push(finding.with_reach(reach));
    }
    rank(&mut findings, &history.profile);
    Suspects {
        history,
        findings,
        times: frame.all_times,
        warm_up: frame.warm_up,
        used: frame.used,
        tests,
        quiet,
    }
}

/// Corrects the p-values of all tests together, and says how many they are.
fn correct<'a, 'b: 'a>(all: impl Iterator<Item = &'a mut Tested<'b>>) -> usize {
    let mut slots: Vec<&mut f64> = all
        .flat_map(|tested| tested.courses.iter_mut().map(|(.., p)| p))
        .collect();
    let p: Vec<f64> = slots.iter().map(|p| **p).collect();
    for (slot, corrected) in slots.iter_mut().zip(benjamini_hochberg(&p)) {
        **slot = corrected;
    }
    p.len()
}

impl Frame {
    fn new(history: &History, counts: impl Fn(Reason) -> bool) -> Self {
        let seconds = history.seconds();
        let mut used: Vec<usize> = Vec::new();
        for (at, source) in history.snapshots.iter().enumerate() {
            let reason = source.header.reason;
            let is_new = used.last().is_none_or(|&last| seconds[last] < seconds[at]);
            if !is_at_end(reason) && !is_when_high(reason) && counts(reason) && is_new {
                used.push(at);
            }
        }
        let all_times: Vec<f64> = used.iter().map(|&at| seconds[at]).collect();
        let warm_up = match all_times.as_slice() {
            [first, .., last] => {
                let end = first + WARM_UP * (last - first);
                let early = all_times.partition_point(|&time| time < end);
                early.min(all_times.len().saturating_sub(FULL_SNAPSHOTS))
            }
            _ => 0,
        };
        Self {
            times: all_times[warm_up..].to_vec(),
            all_times,
            work: used[warm_up..]
                .iter()
                .map(|&at| history.snapshots[at].header.work_done as f64)
                .collect(),
            used,
            warm_up,
            least_bytes: history.least_bytes(),
            sample_bytes: history.sample_bytes(),
            lacks_ages: history.lacks_ages,
            lacks_births: history.lacks_births,
            live_bytes: history.profile.totals().live_bytes as f64,
        }
    }

    /// Whether a series neither moved, not even while warming up, nor holds much.
    fn is_quiet(&self, series: &Series) -> bool {
        let live = || {
            self.used
                .iter()
                .map(|&at| series.points[at].values.live_bytes)
        };
        let (low, high) = (live().min().unwrap_or(0), live().max().unwrap_or(0));
        let moved = (high - low) as f64 >= self.least_bytes;
        let holds = live().next_back().unwrap_or(0) as f64;
        !moved && holds < LEAST_SHARE * self.live_bytes
    }

    /// The tests of a series; none if it hardly moved.
    fn test<'a>(&self, series: &'a Series) -> Tested<'a> {
        let points: Vec<Point> = self.used[self.warm_up..]
            .iter()
            .map(|&at| series.points[at])
            .collect();
        let mut measures = vec![Measure::Live];
        measures.extend(
            self.ages_shown()
                .map(|k| Measure::Older(AGE_BOUNDS_SECONDS[k])),
        );
        let courses = measures
            .into_iter()
            .filter_map(|measure| {
                let values = measure.values(&points);
                let course = Course::of(
                    &self.times,
                    &self.work,
                    &values,
                    self.variance(&points, &values, measure),
                );
                (course.range >= self.least_bytes)
                    .then(|| (measure, course, self.p_value(measure, &course, &points)))
            })
            .collect();
        Tested {
            series,
            courses,
            points,
        }
    }

    /// Variance by sampling of the change from the first point to the last.
    fn variance(&self, points: &[Point], values: &[f64], measure: Measure) -> f64 {
        match (points, values) {
            ([first, .., last], [low, .., high]) => match measure {
                Measure::Live => change_variance(&first.values, &last.values, true),
                // A sample of size s stands for s/p bytes with variance s²(1−p)/p², which is at most
                // s/p times the mean.
                Measure::Older(_) => (high - low).abs() * self.sample_bytes,
            },
            _ => 0.0,
        }
    }

    fn p_value(&self, measure: Measure, course: &Course, points: &[Point]) -> f64 {
        let has_another = measure == Measure::Live && !self.lacks_births;
        if self.times.len() >= FULL_SNAPSHOTS || !has_another {
            return course.p;
        }
        // Of two tests either may speak, at twice the p-value.
        let balance = Turnover::of(&self.times, points, &self.work).balance_p;
        (2.0 * course.p.min(balance)).min(1.0)
    }

    fn judge(&self, tested: &Tested<'_>, tests: usize) -> Finding {
        let Tested {
            series,
            courses,
            points,
        } = tested;
        let turnover = Turnover::of(&self.times, points, &self.work);
        let live = Measure::Live.values(points);
        let variance = self.variance(points, &live, Measure::Live);
        let mut finding = Finding {
            node: series.node,
            class: Class::Stable,
            measure: Measure::Live,
            course: Course::of(&self.times, &self.work, &live, variance),
            p: 1.0,
            rate: Slope::default(),
            turnover,
            survival: survival(&self.times, points).filter(|_| !self.lacks_ages),
            live: self
                .used
                .iter()
                .map(|&at| series.points[at].values.live_bytes)
                .collect(),
            live_variance: points.last().map_or(0.0, |p| p.values.live_bytes_variance),
            snapshots_needed: 0,
            paths: Vec::new(),
            reach: None,
            is_by_graph_alone: false,
        };
        finding.rate = finding.course.slope;
        if let Some((.., p)) = courses
            .iter()
            .find(|(measure, ..)| *measure == Measure::Live)
        {
            finding.p = *p;
        }
        let enough = self.times.len() >= LEAST_SNAPSHOTS;
        let behind = Behind {
            points,
            turnover: &turnover,
        };
        for (measure, course, p) in courses {
            if enough
                && *p <= SIGNIFICANT
                && self.is_leak(*measure, course, &finding.course, &behind)
            {
                finding.class = Class::Leak;
                finding.measure = *measure;
                finding.course = *course;
                finding.rate = course.slope;
                finding.p = *p;
                return finding;
            }
        }
        finding.class = self.innocent(&finding, points);
        if finding.class == Class::TooLittle {
            finding.snapshots_needed = self.snapshots_needed(&finding.course, tests);
        }
        finding
    }

    /// Whether a trend that is sure is one of a leak.
    fn is_leak(
        &self,
        measure: Measure,
        course: &Course,
        live: &Course,
        behind: &Behind<'_>,
    ) -> bool {
        let Behind { points, turnover } = behind;
        let turns_over = turnover.freed_share() >= TURNS_OVER;
        if !self.is_suspicious(course) || turns_over && turnover.follows_load {
            return false;
        }
        // Where nobody knows what is freed, it may be as much.
        let may_be_few = turns_over || self.lacks_births;
        if may_be_few && (course.steps < STEPS_OF_FEW || course.drift < DRIFT_OF_FEW) {
            return false;
        }
        let is_out_of_balance = self.lacks_births || turnover.balance_p <= OUT_OF_BALANCE;
        match measure {
            Measure::Live => is_out_of_balance && self.old_grow(course, points),
            // Old blocks are late to tell that nothing is born any more.
            Measure::Older(_) => turns_over || !live.slows,
        }
    }

    /// Growth that looks like a leak's, however sure it is.
    fn is_suspicious(&self, course: &Course) -> bool {
        let samples = if self.sample_bytes > 0.0 {
            course.change / self.sample_bytes
        } else {
            f64::INFINITY
        };
        course.keeps_growing()
            && course.change >= self.least_bytes
            && samples >= LEAST_SAMPLES
            && course.steps >= LEAST_STEPS
    }

    /// The ages that have shown and are told.
    fn ages_shown(&self) -> impl Iterator<Item = usize> + use<> {
        ages_shown(&self.times).take(if self.lacks_ages { 0 } else { BOUNDS })
    }

    /// Whether old blocks have grown as all have, as far as the snapshots can tell.
    pub(super) fn old_grow(&self, course: &Course, points: &[Point]) -> bool {
        let Some(k) = self.ages_shown().next() else {
            return true;
        };
        match points {
            [first, .., last] => {
                (last.older[k] - first.older[k]) as f64 >= OLD_GROWTH * course.change
            }
            _ => true,
        }
    }
}
