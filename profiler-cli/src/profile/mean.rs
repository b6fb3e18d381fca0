//! Means per process, where sums would compare fleets of different sizes.

use super::{Profile, Values};

impl Profile {
    /// The mean of the snapshots instead of their sum, with the sum to be asked for. Each number is
    /// rounded on its own; totals are the sums of what was rounded, so that all adds up.
    #[must_use]
    pub fn mean(mut self) -> Self {
        let snapshots = self.sources.len().max(1) as u64;
        self.sums.get_or_insert(self.totals);
        self.unfiltered = self.unfiltered.divided(snapshots);
        self.totals = Values::default();
        for site in &mut self.sites {
            site.values = site.values.divided(snapshots);
            self.totals.add(&site.values);
        }
        self
    }

    /// The numbers of all snapshots together, if those of this profile are their means.
    pub fn sums(&self) -> Option<&Values> {
        self.sums.as_ref()
    }
}

impl Values {
    /// A part of each number, rounded to the nearest.
    fn divided(&self, by: u64) -> Self {
        let signed = |number: i64| {
            let part = i64::try_from(rounded(number.unsigned_abs(), by)).unwrap_or(i64::MAX);
            part * number.signum()
        };
        let squared = (by as f64).powi(2);
        Self {
            live_bytes: signed(self.live_bytes),
            live_count: signed(self.live_count),
            total_bytes: rounded(self.total_bytes, by),
            total_count: rounded(self.total_count, by),
            old_bytes: signed(self.old_bytes),
            live_bytes_variance: self.live_bytes_variance / squared,
            total_bytes_variance: self.total_bytes_variance / squared,
        }
    }
}

fn rounded(number: u64, by: u64) -> u64 {
    number / by + u64::from(number % by >= by.div_ceil(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_rounded_and_keep_their_sign() {
        let values = |bytes: i64| Values {
            live_bytes: bytes,
            total_bytes: bytes.unsigned_abs(),
            live_bytes_variance: 900.0,
            ..Values::default()
        };
        let tenth = values(-25).divided(10);
        assert_eq!((tenth.live_bytes, tenth.total_bytes), (-3, 3));
        assert_eq!(tenth.live_bytes_variance, 9.0);
        assert_eq!(values(24).divided(10).live_bytes, 2);
        assert_eq!(values(i64::MIN).divided(1).live_bytes, -i64::MAX);
        assert_eq!(values(7).divided(1), values(7));
        assert_eq!(rounded(u64::MAX, 1), u64::MAX);
        assert_eq!([4, 5].map(|number| rounded(number, 3)), [1, 2]);
    }
}
