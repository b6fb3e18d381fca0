//! The numbers of a site, and how they add up.

use heaplens::snapshot::Sites;

/// Half width of a 95 % interval in standard deviations.
const HALF_WIDTH_95: f64 = 1.96;

/// What one site, or a group of sites, holds and ever allocated. Sums saturate.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Values {
    /// Bytes allocated and not freed.
    pub live_bytes: i64,
    /// Blocks allocated and not freed.
    pub live_count: i64,
    /// Bytes ever allocated.
    pub total_bytes: u64,
    /// Blocks ever allocated.
    pub total_count: u64,
    /// Of `live_bytes`, those of blocks that are surely old: see
    /// [`Profile::old_seconds`](super::Profile::old_seconds).
    pub old_bytes: i64,
    /// Variance of `live_bytes` in bytes squared; 0 for exact numbers.
    pub live_bytes_variance: f64,
    /// Variance of `total_bytes` in bytes squared; 0 for exact numbers.
    pub total_bytes_variance: f64,
}

impl Values {
    /// Row `row` of a snapshot's sites; nothing is old.
    pub fn of_site(sites: &Sites, row: usize) -> Self {
        fn at<T: Copy + Default>(column: &[T], row: usize) -> T {
            column.get(row).copied().unwrap_or_default()
        }
        Self {
            live_bytes: at(&sites.live_bytes, row),
            live_count: at(&sites.live_count, row),
            total_bytes: at(&sites.total_bytes, row),
            total_count: at(&sites.total_count, row),
            old_bytes: 0,
            live_bytes_variance: at(&sites.live_bytes_variance, row),
            total_bytes_variance: at(&sites.total_bytes_variance, row),
        }
    }

    /// Adds the numbers of another site.
    pub fn add(&mut self, other: &Self) {
        self.live_bytes = self.live_bytes.saturating_add(other.live_bytes);
        self.live_count = self.live_count.saturating_add(other.live_count);
        self.total_bytes = self.total_bytes.saturating_add(other.total_bytes);
        self.total_count = self.total_count.saturating_add(other.total_count);
        self.old_bytes = self.old_bytes.saturating_add(other.old_bytes);
        self.live_bytes_variance += other.live_bytes_variance;
        self.total_bytes_variance += other.total_bytes_variance;
    }

    /// Half width of the 95 % interval around `live_bytes`.
    pub fn live_bytes_error(&self) -> f64 {
        half_width(self.live_bytes_variance)
    }
}

/// Half width of the 95 % interval of a number with this variance. Never NaN nor infinite: a
/// variance that is no number counts as none.
pub fn half_width(variance: f64) -> f64 {
    if variance.is_finite() && variance > 0.0 {
        HALF_WIDTH_95 * variance.sqrt()
    } else {
        0.0
    }
}

/// Variance of the change of live bytes between two snapshots, an upper bound.
///
/// Blocks that live on both sides of one run add nothing to the error of the difference. At least
/// `after − born` of the variance is theirs, where `born` is the growth of the variance of all
/// allocations; two different runs share none.
pub fn change_variance(before: &Values, after: &Values, same_run: bool) -> f64 {
    let (old, new) = (before.live_bytes_variance, after.live_bytes_variance);
    let shared = if same_run {
        let born = (after.total_bytes_variance - before.total_bytes_variance).max(0.0);
        (new - born).clamp(0.0, old.min(new).max(0.0))
    } else {
        0.0
    };
    old + new - 2.0 * shared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_saturate() {
        let mut sum = Values {
            live_bytes: i64::MAX - 1,
            total_bytes: u64::MAX,
            ..Values::default()
        };
        sum.add(&Values {
            live_bytes: 5,
            total_bytes: 5,
            ..Values::default()
        });
        assert_eq!(sum.live_bytes, i64::MAX);
        assert_eq!(sum.total_bytes, u64::MAX);
    }

    #[test]
    fn error_is_the_95_percent_half_width() {
        assert!((half_width(100.0) - 19.6).abs() < 1e-9);
        assert_eq!(half_width(f64::NAN), 0.0);
        assert_eq!(half_width(-1.0), 0.0);
        assert_eq!(half_width(f64::INFINITY), 0.0);
    }
}
