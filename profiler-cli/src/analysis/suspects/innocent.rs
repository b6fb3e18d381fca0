//! What becomes of an owner or a path that is no leak: what else its course looks like, and how many
//! snapshots would tell more.

use super::course::{Course, is_step};
use super::finding::{Class, Finding};
use super::history::Point;
use super::judge::{Frame, LEAST_SAMPLES, LEAST_SNAPSHOTS, SIGNIFICANT, TURNS_OVER};
use crate::analysis::trend::least_p;

impl Frame {
    /// The class of what is no leak as far as one can tell.
    pub(super) fn innocent(&self, finding: &Finding, points: &[Point]) -> Class {
        let course = &finding.course;
        if course.range < self.least_bytes {
            return self.since_the_start(finding);
        }
        if course.falls {
            return Class::Sawtooth;
        }
        if course.change < self.least_bytes {
            return self.since_the_start(finding);
        }
        if self.times.len() < LEAST_SNAPSHOTS {
            return Class::TooLittle;
        }
        let turns_over = finding.turnover.freed_share() >= TURNS_OVER;
        // What is never freed, and grows as ever with each unit of work, has not flattened.
        if course.slows || course.is_step || turns_over && (course.flattens || course.is_level) {
            return Class::Warming;
        }
        if turns_over && finding.turnover.follows_load {
            return Class::Stable;
        }
        if !self.old_grow(course, points) {
            return Class::Warming;
        }
        if course.p <= 0.05 && course.is_directed {
            return Class::TooLittle;
        }
        self.since_the_start(finding)
    }

    /// What is level now has warmed up if it filled by and by. What came in one step was set up.
    fn since_the_start(&self, finding: &Finding) -> Class {
        let live: Vec<f64> = finding.live.iter().map(|&bytes| bytes as f64).collect();
        let (first, last) = match live.as_slice() {
            [first, .., last] => (*first, *last),
            _ => return Class::Stable,
        };
        let grew = last - first >= self.least_bytes && last >= 2.0 * first;
        if grew && !is_step(&self.all_times, &live) {
            Class::Warming
        } else {
            Class::Stable
        }
    }

    /// Snapshots after which a series that always rises would be sure, and would have samples enough.
    pub(super) fn snapshots_needed(&self, course: &Course, tests: usize) -> usize {
        let have = self.times.len();
        let by_trend = (LEAST_SNAPSHOTS..50)
            .find(|&n| least_p(n) * tests.max(1) as f64 <= SIGNIFICANT)
            .unwrap_or(50)
            .max(have + 1);
        let samples = course.change / self.sample_bytes.max(1.0);
        let by_samples = if self.sample_bytes > 0.0 && samples < LEAST_SAMPLES {
            (have as f64 * LEAST_SAMPLES / samples.max(0.5)).ceil() as usize
        } else {
            0
        };
        self.warm_up + by_trend.max(by_samples)
    }
}
