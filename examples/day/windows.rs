//! Response times in windows of time, and what can be said of two parts of the day.
//!
//! The windows of the quiet part say how far equal load differs by chance (A/A). A later part is back if the
//! middle one of its windows is within what they span. As nothing else is equal on a busy machine, two things
//! are looked at beside: the control, and whether the leak was outside of that range at all.

use std::time::{Duration, Instant};

use quantum::drive::load::Times;

use super::visitors::{Kind, Visit};

/// The length of a window: 200 views of simple widgets.
pub(crate) const WINDOW: Duration = Duration::from_secs(2);

/// Fewest requests in a window of which there is a 95th percentile.
const LEAST: usize = 20;

/// 95th percentiles of windows, in the order of time.
#[derive(Debug, Clone)]
pub(crate) struct Windows(Vec<Duration>);

impl Windows {
    /// Of one kind of request, from a moment on. A window with few of them is an error: the load stood still.
    pub(crate) fn of(
        visits: &[Visit],
        kind: Kind,
        from: Instant,
        count: u32,
    ) -> Result<Self, String> {
        let p95 = |index| {
            let window = from + WINDOW * index..from + WINDOW * (index + 1);
            let times = times(visits, kind, window);
            match times.count() {
                LEAST.. => Ok(times.p95()),
                few => Err(format!(
                    "{few} requests in {} s, the machine stood still",
                    WINDOW.as_secs()
                )),
            }
        };
        (0..count).map(p95).collect::<Result<_, _>>().map(Self)
    }

    /// The least and the most.
    pub(crate) fn range(&self) -> (Duration, Duration) {
        let least = self.0.iter().min().copied();
        let most = self.0.iter().max().copied();
        (least.unwrap_or_default(), most.unwrap_or_default())
    }

    /// The middle one, or the upper of the two in the middle.
    pub(crate) fn median(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }

    /// Whether the middle window is no slower than all of those.
    fn is_within(&self, reference: &Self) -> bool {
        self.median() <= reference.range().1
    }
}

/// Response times of one kind of request in a part of the day.
pub(crate) fn times(visits: &[Visit], kind: Kind, part: std::ops::Range<Instant>) -> Times {
    let inside = visits
        .iter()
        .filter(|visit| visit.kind == kind && part.contains(&visit.at));
    Times::new(inside.map(|visit| visit.took).collect())
}

/// Simple widgets and the control, in the same windows.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) simple: Windows,
    pub(crate) control: Windows,
}

/// What the times after the fix say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Within the quiet part's own range.
    Back,
    /// Not, and the machine is no busier.
    Slower,
    /// Not, but the machine is busier by the control too.
    BusyMachine,
    /// The leak itself did not stand out of the range, so being inside says nothing.
    NoPower,
}

/// Judges the same requests in quiet, with what had leaked, and after the fix.
pub(crate) fn judge(quiet: &Measured, leaked: &Measured, fixed: &Measured) -> Outcome {
    if leaked.simple.is_within(&quiet.simple) {
        Outcome::NoPower
    } else if fixed.simple.is_within(&quiet.simple) {
        Outcome::Back
    } else if fixed.control.is_within(&quiet.control) {
        Outcome::Slower
    } else {
        Outcome::BusyMachine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(milliseconds: &[u64]) -> Windows {
        Windows(
            milliseconds
                .iter()
                .copied()
                .map(Duration::from_millis)
                .collect(),
        )
    }

    fn measured(simple: &[u64], control: &[u64]) -> Measured {
        Measured {
            simple: windows(simple),
            control: windows(control),
        }
    }

    #[test]
    fn back_is_what_equal_load_spans_and_the_leak_does_not() {
        let quiet = measured(&[10, 12, 11, 14], &[3, 4, 3, 4]);
        let leaked = measured(&[30, 31], &[4, 4]);
        let of =
            |simple: &[u64], control: &[u64]| judge(&quiet, &leaked, &measured(simple, control));
        assert_eq!(of(&[11, 14, 90], &[3, 3, 3]), Outcome::Back);
        assert_eq!(of(&[11, 15, 90], &[3, 3, 3]), Outcome::Slower);
        assert_eq!(of(&[11, 15, 90], &[3, 5, 5]), Outcome::BusyMachine);
        let mild = measured(&[14, 14], &[4, 4]);
        assert_eq!(judge(&quiet, &mild, &quiet), Outcome::NoPower);
    }

    #[test]
    fn a_visit_belongs_to_the_window_in_which_it_was_sent() {
        let from = Instant::now();
        let visit = |after: Duration, took| Visit {
            kind: Kind::Simple,
            at: from + after,
            took: Duration::from_millis(took),
            failure: None,
        };
        let mut visits = vec![visit(Duration::ZERO, 5_000); LEAST];
        visits.extend(vec![visit(WINDOW, 7); LEAST]);
        let p95 = Windows::of(&visits, Kind::Simple, from, 2).unwrap().0;
        assert_eq!(p95, [5_000, 7].map(Duration::from_millis));
        assert!(Windows::of(&visits, Kind::Simple, from, 3).is_err());
        assert!(Windows::of(&visits, Kind::Control, from, 1).is_err());
    }
}
