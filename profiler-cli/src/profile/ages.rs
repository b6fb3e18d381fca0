//! Live bytes by age: how much of a site is surely older than a bound.

use heaplens::snapshot::{AGE_BOUNDS_SECONDS, Ages, Header};

/// The age from which a block of this snapshot is old: the largest bound up to half of the program's
/// time, so that what was allocated at the start can be far beyond it. None while no bound is.
pub fn old_seconds(header: &Header) -> Option<u64> {
    let half = header.uptime_ms / 2_000;
    AGE_BOUNDS_SECONDS
        .into_iter()
        .rev()
        .find(|&bound| bound <= half)
}

/// Live bytes of row `row` of blocks that are at least so old. A file's own bounds count as the next
/// lower one of ours.
pub fn older_than(ages: &Ages, row: usize, seconds: u64) -> i64 {
    let classes = ages.live_bytes.iter().skip(1);
    ages.bounds_seconds
        .iter()
        .zip(classes)
        .filter(|(surely, _)| **surely >= seconds)
        .filter_map(|(_, column)| column.get(row))
        .fold(0, |sum, &bytes| i64::saturating_add(sum, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_is_what_half_of_the_time_allows() {
        let after = |minutes: u64| {
            old_seconds(&Header {
                uptime_ms: minutes * 60_000,
                ..Header::default()
            })
        };
        assert_eq!(after(1), None);
        assert_eq!(after(2), Some(60));
        assert_eq!(after(59), Some(300));
        assert_eq!(after(60), Some(1_800));
        assert_eq!(after(100_000), Some(28_800));
    }

    #[test]
    fn classes_above_the_bound_add_up() {
        let ages = Ages {
            bounds_seconds: vec![60, 300],
            live_bytes: vec![vec![1], vec![20], vec![300]],
        };
        assert_eq!(older_than(&ages, 0, 60), 320);
        assert_eq!(older_than(&ages, 0, 61), 300);
        assert_eq!(older_than(&ages, 0, 301), 0);
        assert_eq!(older_than(&ages, 1, 60), 0);
    }
}
