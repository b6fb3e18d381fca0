//! Which snapshot files go when there are too many. Pure: names and sizes in, names out.
//!
//! What is kept of the own run spans it: the first file, the one with the most live bytes, the
//! newest ones, and between them files at distances that double with their age. What is kept of
//! earlier runs shrinks, as the own run needs room, to the last file and the peak of each. The
//! limits come before all this, and the newest own file before the limits.

/// Newest files of a run that are not thinned, where there is room for more than these.
const NEWEST: usize = 12;

/// A snapshot file as far as rotation cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) sequence: u64,
    pub(super) file_bytes: u64,
    /// Live bytes of the program in it, where that is known.
    pub(super) live_bytes: Option<i64>,
}

/// How many files, and how many bytes of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) files: usize,
    pub(super) bytes: u64,
}

/// Which files of which run are to be removed, by sequence and in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) own: Vec<u64>,
    /// As long as the list of earlier runs.
    pub(super) earlier: Vec<Vec<u64>>,
}

/// Plans what to remove until the limits hold. `own` and each earlier run are in the order of
/// their sequences, `earlier` runs oldest first.
pub(super) fn plan(own: &[Kept], earlier: &[Vec<Kept>], limits: Limits) -> Plan {
    let mut own = own.to_vec();
    let mut earlier = earlier.to_vec();
    let mut plan = Plan {
        own: Vec::new(),
        earlier: vec![Vec::new(); earlier.len()],
    };
    loop {
        let count = own.len() + earlier.iter().map(Vec::len).sum::<usize>();
        let all = own.iter().chain(earlier.iter().flatten());
        let bytes = all.map(|file| file.file_bytes).fold(0, u64::saturating_add);
        let over_bytes = bytes > limits.bytes;
        if count <= limits.files && !over_bytes {
            return plan;
        }
        // A quarter is earlier runs' for good; disk space is not.
        let quarter = if over_bytes { 0 } else { limits.files / 4 };
        if let Some((run, index)) = next_of_earlier(&earlier, quarter) {
            plan.earlier[run].push(earlier[run].remove(index).sequence);
        } else if let Some(index) = next_of_own(&own, limits.files) {
            plan.own.push(own.remove(index).sequence);
        } else {
            return plan;
        }
    }
}

/// First what lies between the first and the last file of a run and is not its peak, then first
/// files, then, beyond `floor` files, what is left: always from the oldest run on.
fn next_of_earlier(earlier: &[Vec<Kept>], floor: usize) -> Option<(usize, usize)> {
    for keep_first in [true, false] {
        for (run, files) in earlier.iter().enumerate() {
            let last = files.len().saturating_sub(1);
            let peak = peak(files);
            let stays = |index| index == last || Some(index) == peak || (keep_first && index == 0);
            if let Some(index) = least_missed(files, stays) {
                return Some((run, index));
            }
        }
    }
    let left: usize = earlier.iter().map(Vec::len).sum();
    let oldest = earlier.iter().position(|files| !files.is_empty())?;
    (left > floor).then_some((oldest, 0))
}

/// First what lies between, then newer ones except the last, then the peak, then the first.
fn next_of_own(own: &[Kept], limit: usize) -> Option<usize> {
    let last = own.len().checked_sub(1)?;
    // Where the limit leaves no room between first, peak and newest, half of it is for the span.
    let newest = if limit >= NEWEST + 2 {
        NEWEST
    } else {
        (limit / 2).max(1)
    };
    let peak = peak(own);
    let is_end = |index: usize| index == 0 || index == last || Some(index) == peak;
    least_missed(own, |index| is_end(index) || index + newest > last)
        .or_else(|| least_missed(own, is_end))
        .or_else(|| least_missed(own, |index| index == 0 || index == last))
        .or_else(|| (last > 0).then_some(0))
}

/// The file that leaves the smallest gap when it goes, measured against the distance of that gap
/// from the newest file: gaps may grow with their age.
fn least_missed(files: &[Kept], stays: impl Fn(usize) -> bool) -> Option<usize> {
    let last = files.last()?.sequence;
    let cost = |index: usize| {
        let before = files[index.saturating_sub(1)].sequence;
        let after = files.get(index + 1).map_or(last, |file| file.sequence);
        let age = last.saturating_sub(files[index].sequence);
        after.saturating_sub(before) as f64 / age.max(1) as f64
    };
    let candidates = (0..files.len()).filter(|&index| !stays(index));
    candidates.min_by(|&left, &right| cost(left).total_cmp(&cost(right)))
}

/// The file with the most live bytes; the earliest of several.
fn peak(files: &[Kept]) -> Option<usize> {
    let known = files
        .iter()
        .enumerate()
        .filter_map(|(index, file)| Some((file.live_bytes?, index)));
    known
        .max_by_key(|&(live, index)| (live, std::cmp::Reverse(index)))
        .map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NO_LIMIT: u64 = u64::MAX;

    fn file(sequence: u64, live_bytes: i64) -> Kept {
        Kept {
            sequence,
            file_bytes: 100,
            live_bytes: Some(live_bytes),
        }
    }

    fn files_only(files: usize) -> Limits {
        Limits {
            files,
            bytes: NO_LIMIT,
        }
    }

    fn apply(files: &mut Vec<Kept>, gone: &[u64]) {
        files.retain(|file| !gone.contains(&file.sequence));
    }

    /// Takes `count` snapshots one after the other, as the keeper does, and returns what is left.
    fn run(count: u64, limits: Limits, live_bytes: impl Fn(u64) -> i64) -> Vec<Kept> {
        let mut own = Vec::new();
        for sequence in 1..=count {
            own.push(file(sequence, live_bytes(sequence)));
            let gone = plan(&own, &[], limits).own;
            apply(&mut own, &gone);
        }
        own
    }

    fn sequences(files: &[Kept]) -> Vec<u64> {
        files.iter().map(|file| file.sequence).collect()
    }

    #[test]
    fn forty_eight_files_span_sixteen_hours_of_minutes() {
        let peak_at = 333;
        let live = |sequence: u64| if sequence == peak_at { 1_000 } else { 10 };
        let kept = sequences(&run(960, files_only(48), live));
        assert_eq!(kept.len(), 48);
        assert_eq!(kept[0], 1);
        assert!(kept.contains(&peak_at));
        assert_eq!(kept[36..], (949..=960).collect::<Vec<_>>());
        // No gap is wider than the distance of its far end from now: every age is within a factor
        // of two of the age of a file that was kept.
        for pair in kept[..36].windows(2) {
            let (gap, age) = (pair[1] - pair[0], 960 - pair[1]);
            assert!(gap <= age.max(4), "gap of {gap} at age {age}: {kept:?}");
        }
    }

    #[test]
    fn small_limits_keep_what_matters_most() {
        let live = |sequence: u64| if sequence == 40 { 1_000 } else { 10 };
        assert_eq!(sequences(&run(100, files_only(1), live)), [100]);
        assert_eq!(sequences(&run(100, files_only(2), live)), [1, 100]);
        assert_eq!(sequences(&run(100, files_only(3), live)), [1, 40, 100]);
        let kept = sequences(&run(100, files_only(8), live));
        assert_eq!(kept.len(), 8);
        assert!(kept.starts_with(&[1]) && kept.contains(&40), "{kept:?}");
        assert!(kept.ends_with(&[97, 98, 99, 100]), "{kept:?}");
        let kept = sequences(&run(100, files_only(14), live));
        assert_eq!(kept[..2], [1, 40]);
        assert_eq!(kept[2..], (89..=100).collect::<Vec<_>>());
    }

    #[test]
    fn earlier_runs_stay_while_there_is_room() {
        let earlier = vec![
            (1..=40)
                .map(|sequence| file(sequence, sequence as i64))
                .collect(),
        ];
        let own = [file(1, 0)];
        assert_eq!(
            plan(&own, &earlier, files_only(48)).earlier,
            [Vec::<u64>::new()]
        );
    }

    #[test]
    fn earlier_runs_shrink_to_last_and_peak_and_then_to_a_quarter() {
        let run_with_peak = |peak| (1..=20).map(|s| file(s, i64::from(s == peak))).collect();
        let mut earlier: Vec<Vec<Kept>> = (1..=10).map(run_with_peak).collect();
        let mut own = Vec::new();
        for sequence in 1..=100 {
            own.push(file(sequence, 5));
            let plan = plan(&own, &earlier, files_only(48));
            apply(&mut own, &plan.own);
            for (files, gone) in earlier.iter_mut().zip(&plan.earlier) {
                apply(files, gone);
            }
            assert!(own.len() + earlier.iter().map(Vec::len).sum::<usize>() <= 48);
        }
        let left: Vec<Vec<u64>> = earlier.iter().map(|files| sequences(files)).collect();
        assert_eq!(left[..4], [const { Vec::<u64>::new() }; 4]);
        for (run, files) in left.iter().enumerate().skip(4) {
            assert_eq!(*files, [run as u64 + 1, 20]);
        }
        assert_eq!(own.len(), 36);
    }

    #[test]
    fn disk_space_is_taken_from_earlier_runs_first() {
        let limits = |bytes| Limits { files: 48, bytes };
        let earlier = vec![vec![file(1, 1), file(2, 2)], vec![file(1, 1)]];
        let own = [file(1, 1), file(2, 9), file(3, 1), file(4, 1), file(5, 1)];
        let kept = |bytes| {
            let plan = plan(&own, &earlier, limits(bytes));
            let mut own = own.to_vec();
            apply(&mut own, &plan.own);
            (plan.earlier, sequences(&own))
        };
        assert_eq!(kept(800), (vec![vec![], vec![]], vec![1, 2, 3, 4, 5]));
        assert_eq!(kept(799), (vec![vec![1], vec![]], vec![1, 2, 3, 4, 5]));
        assert_eq!(kept(500), (vec![vec![1, 2], vec![1]], vec![1, 2, 3, 4, 5]));
        assert_eq!(kept(300).1, [1, 2, 5]);
        assert_eq!(kept(200).1, [1, 5]);
        assert_eq!(kept(100).1, [5]);
        assert_eq!(kept(0).1, [5]);
    }

    fn any_run() -> impl Strategy<Value = Vec<Kept>> {
        let file = (1_u64..5, 0_u64..1_000, prop::option::of(-10_i64..10));
        prop::collection::vec(file, 0..40).prop_map(|files| {
            let mut sequence = 0;
            let numbered = files.into_iter().map(|(step, file_bytes, live_bytes)| {
                sequence += step;
                Kept {
                    sequence,
                    file_bytes,
                    live_bytes,
                }
            });
            numbered.collect()
        })
    }

    proptest! {
        #[test]
        fn limits_hold_and_the_newest_stays(
            own in any_run(),
            mut earlier in prop::collection::vec(any_run(), 0..5),
            files in 1_usize..30,
            bytes in 0_u64..20_000,
        ) {
            let limits = Limits { files, bytes };
            let plan = plan(&own, &earlier, limits);
            let mut left = own.clone();
            apply(&mut left, &plan.own);
            let mut gone = plan.own.len();
            for (files, removed) in earlier.iter_mut().zip(&plan.earlier) {
                let before = files.len();
                apply(files, removed);
                prop_assert_eq!(before - files.len(), removed.len());
                gone += removed.len();
            }
            prop_assert_eq!(own.len() - left.len(), plan.own.len());
            prop_assert_eq!(left.last(), own.last());
            let earlier_count: usize = earlier.iter().map(Vec::len).sum();
            prop_assert!(left.len() + earlier_count <= files);
            let all = left.iter().chain(earlier.iter().flatten());
            let size: u64 = all.map(|file| file.file_bytes).sum();
            prop_assert!(size <= bytes || (left.len() <= 1 && earlier_count == 0));
            // First and peak go only when nothing else of the own run can.
            if left.len() > 2 {
                prop_assert_eq!(left.first(), own.first());
                prop_assert!(peak(&own).is_none_or(|peak| left.contains(&own[peak])));
            }
            // Nothing is removed without need.
            if gone == 0 {
                return Ok(());
            }
            let all_before = own.len() + plan.earlier.iter().map(Vec::len).sum::<usize>() + earlier_count;
            let was: u64 = size + removed_bytes(&own, &plan.own);
            prop_assert!(all_before > files || was > bytes || !plan.earlier.concat().is_empty());
        }
    }

    fn removed_bytes(files: &[Kept], gone: &[u64]) -> u64 {
        let removed = files.iter().filter(|file| gone.contains(&file.sequence));
        removed.map(|file| file.file_bytes).sum()
    }
}
