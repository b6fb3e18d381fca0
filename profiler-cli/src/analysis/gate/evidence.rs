//! What keeps a run from passing: a gate that lets through what it cannot see is none.

use heaplens::snapshot::{Losses, RecorderMode};

use crate::analysis::suspects::History;
use crate::render::units::span;

/// Why nothing, or not all, is known of what a run allocated; empty if all is.
pub fn gaps(history: &History) -> Vec<String> {
    let mut gaps = Vec::new();
    let Some(newest) = history.snapshots.last() else {
        return gaps;
    };
    let headers = || history.snapshots.iter().map(|source| &source.header);
    if headers().any(|header| header.recorder.mode == RecorderMode::Off) {
        gaps.push("nothing was recorded: the program ran with HEAPLENS_MODE=off".to_owned());
    } else if headers().all(|header| {
        let totals = &header.totals;
        totals.total_count == 0 && totals.total_bytes == 0 && totals.live_bytes == 0
    }) {
        gaps.push(
            "nothing was recorded: the program's allocations do not go through heaplens; make \
             `heaplens::profile!()` the first line of its `main`"
                .to_owned(),
        );
    }
    gaps.extend(switched_off(newest.header.recorder.sampling_off_ms));
    gaps.extend(losses(&newest.header.losses));
    gaps
}

fn switched_off(milliseconds: u64) -> Option<String> {
    let time = span(milliseconds);
    (milliseconds > 0).then(|| {
        format!("sampling was switched off for {time} of the run, and nothing was recorded then")
    })
}

/// Losses behind which a leak may hide. Stacks that were cut short are none: their bytes are counted.
fn losses(losses: &Losses) -> Vec<String> {
    let lost = [
        (
            losses.stack_table_full,
            "allocations were not recorded, since the table of stacks was full",
        ),
        (
            losses.sample_table_full,
            "samples were not recorded, since the table of live samples was full: a larger \
             HEAPLENS_SAMPLE_BYTES loses less",
        ),
        (
            losses.unmarkable,
            "samples were not recorded, since no mark fits blocks of such an alignment",
        ),
        (
            losses.reentered,
            "allocations have no stack, since they came from within the recorder",
        ),
        (
            losses.snapshots_failed,
            "snapshots could not be written, so part of the run is not known",
        ),
    ];
    let lost = lost.into_iter().filter(|(count, _)| *count > 0);
    lost.map(|(count, what)| format!("{count} {what}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_without_sampling_is_a_gap() {
        assert_eq!(switched_off(0), None);
        let gap = switched_off(90_000).unwrap();
        assert!(gap.contains("for 1m 30s of the run"), "{gap}");
    }

    #[test]
    fn each_loss_that_may_hide_a_leak_is_a_gap() {
        assert_eq!(losses(&Losses::default()), [""; 0]);
        let set: [fn(&mut Losses); 5] = [
            |losses| losses.stack_table_full = 1,
            |losses| losses.sample_table_full = 1,
            |losses| losses.unmarkable = 1,
            |losses| losses.reentered = 1,
            |losses| losses.snapshots_failed = 1,
        ];
        for set in set {
            let mut some = Losses::default();
            set(&mut some);
            assert_eq!(losses(&some).len(), 1, "{some:?}");
        }
    }
}
