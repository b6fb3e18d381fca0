//! Marks between the phases of a run, and runs that repeat one phase: what a check in CI compares.
//!
//! A mark is a snapshot with a name. What is made of marks afterwards is the command line's business.

use super::environment::Environment;
use super::requests::Wanted;
use super::{SNAPSHOT_CAP, SnapshotError, ask, keeper, stderr, work_done};
use crate::recorder;
use crate::snapshot::Reason;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;

/// Most marks that [`iterate`] takes after its first one: no more than a folder keeps by default.
const MOST_MARKS: u64 = 20;

/// Marks a point of the run: takes a snapshot with this name, and waits until it is written, 30
/// seconds at most. Where the profiler does not run, this does nothing.
///
/// The snapshot's reason, which stands in the file's name too, is `mark`, and the name is its label.
/// `heaplens check` compares the marks of a run.
///
/// ```
/// heaplens::mark("warm");
/// // ... what should leave nothing behind ...
/// heaplens::mark("done");
/// ```
///
/// A snapshot that cannot be taken is told in one line on stderr.
pub fn mark(name: &str) {
    match ask(Reason::Mark, name, Wanted::File, SNAPSHOT_CAP) {
        Ok(_) => {}
        Err(SnapshotError::NotStarted | SnapshotError::Off | SnapshotError::ForkedChild) => {}
        // The keeper has told it, and does not tell it again for each snapshot.
        Err(SnapshotError::Write { .. }) => {}
        Err(error) => recorder::as_own(|| stderr::line(&format!("no mark {name:?}: {error}"))),
    }
}

/// Runs `body` as often as `HEAPLENS_ITERATIONS` says, once by default, and returns what the last run
/// does.
///
/// The start is a [`mark`] called `iteration 0`, and the end of a run is one called by its number: of
/// each run up to 20 of them, and otherwise of 20 at even distances. Each run counts as one unit of
/// work, unless `body` counts its own by [`work_done`](crate::work_done). So a check can tell what
/// each run leaves behind from what only the first ones do.
///
/// ```
/// # fn compose_page() {}
/// fn main() {
///     heaplens::profile!();
///     heaplens::iterate(compose_page);
/// }
/// ```
pub fn iterate<T>(mut body: impl FnMut() -> T) -> T {
    let runs =
        recorder::as_own(|| Environment::of_process().0.iterations).map_or(1, NonZeroU32::get);
    mark("iteration 0");
    let mut run = 1;
    loop {
        let before = keeper::WORK_DONE.load(Ordering::Relaxed);
        let result = body();
        if keeper::WORK_DONE.load(Ordering::Relaxed) == before {
            work_done(1);
        }
        if is_marked(run, runs) {
            let name = recorder::as_own(|| format!("iteration {run}"));
            mark(&name);
        }
        if run >= runs {
            return result;
        }
        run += 1;
    }
}

/// Whether a run is the first one at or after the next of [`MOST_MARKS`] even steps.
fn is_marked(run: u32, runs: u32) -> bool {
    let steps = |runs_done: u32| u64::from(runs_done) * MOST_MARKS / u64::from(runs);
    steps(run) > steps(run - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(runs: u32) -> Vec<u32> {
        (1..=runs).filter(|&run| is_marked(run, runs)).collect()
    }

    #[test]
    fn marks_are_few_even_and_end_with_the_last_run() {
        assert_eq!(marked(1), [1]);
        assert_eq!(marked(5), [1, 2, 3, 4, 5]);
        assert_eq!(marked(20), (1..=20).collect::<Vec<_>>());
        for runs in [21, 39, 40, 50, 999, 2_000] {
            let marks = marked(runs);
            assert_eq!(marks.len(), 20, "{runs}");
            assert_eq!(marks.last(), Some(&runs));
            let distances = marks.windows(2).map(|pair| pair[1] - pair[0]);
            let (least, most) = (distances.clone().min(), distances.max());
            assert!(most.unwrap() - least.unwrap() <= 1, "{runs}: {marks:?}");
        }
        assert!(is_marked(u32::MAX, u32::MAX));
    }
}
