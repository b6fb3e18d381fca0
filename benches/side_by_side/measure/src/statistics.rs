//! The median of a few values, and how well it is known.

/// A median with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Median {
    /// The middle value, or the mean of the two in the middle.
    pub value: f64,
    /// Covers the true median with a probability of at least 95 %. `None` for fewer than six values,
    /// of which not even the smallest and the largest do.
    pub interval: Option<(f64, f64)>,
}

impl Median {
    /// `None` if there are no values, or one of them is not a number.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        if values.is_empty() || values.iter().any(|value| value.is_nan()) {
            return None;
        }
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let value = match values.len() % 2 {
            1 => values[middle],
            _ => (values[middle - 1] + values[middle]) / 2.0,
        };
        let interval =
            rank(values.len()).map(|rank| (values[rank - 1], values[values.len() - rank]));
        Some(Self { value, interval })
    }
}

/// The largest k such that the k-th smallest and the k-th largest of `count` values enclose the true
/// median with a probability of at least 95 %, whatever the values' distribution is.
///
/// Each value lies below the true median with probability 1/2. The interval misses the median if
/// fewer than k values lie on one of its sides: 2 · P(B < k), where B is binomial(count, 1/2).
fn rank(count: usize) -> Option<usize> {
    let mut probability = 0.5f64.powi(i32::try_from(count).ok()?);
    let mut below = 0.0;
    let mut best = None;
    for k in 1..=count {
        // Here `probability` is P(B = k − 1).
        below += probability;
        if 2.0 * below > 0.05 {
            break;
        }
        best = Some(k);
        probability *= (count - k + 1) as f64 / k as f64;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_published_tables() {
        // Two-sided, 95 %, for instance Conover, "Practical Nonparametric Statistics", on the sign
        // test: n = 6 to 30.
        for (count, expected) in [
            (5, None),
            (6, Some(1)),
            (8, Some(1)),
            (9, Some(2)),
            (15, Some(4)),
            (20, Some(6)),
            (25, Some(8)),
            (30, Some(10)),
        ] {
            assert_eq!(rank(count), expected, "{count}");
        }
    }

    #[test]
    fn the_median_does_not_care_for_order_or_outliers() {
        let median = Median::of([1_000.0, 3.0, 1.0, 2.0, -50.0]).unwrap();
        assert_eq!((median.value, median.interval), (2.0, None));
        assert_eq!(Median::of([4.0, 1.0]).unwrap().value, 2.5);
    }

    #[test]
    fn the_interval_leaves_out_three_values_on_each_side_of_fifteen() {
        let median = Median::of((1..=15).rev().map(f64::from)).unwrap();
        assert_eq!((median.value, median.interval), (8.0, Some((4.0, 12.0))));
    }

    #[test]
    fn nothing_has_no_median() {
        assert_eq!(Median::of([]), None);
        assert_eq!(Median::of([1.0, f64::NAN]), None);
    }
}
