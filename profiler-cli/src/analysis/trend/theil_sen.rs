//! How steep is it? The median of the slopes of all pairs of points (Theil 1950, Sen 1968).
//!
//! Up to 29 % of the points may be anything without moving it far. Its interval is Sen's: the slopes
//! whose ranks are 1.96 standard deviations of Kendall's S from the middle.

/// Half width of a 95 % interval in standard deviations.
const HALF_WIDTH_95: f64 = 1.96;

/// A rate of change, and its 95 % interval.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Slope {
    /// Per unit of time.
    pub rate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// The slope of `values` over `times`, of which no two may be the same. Zero for fewer than two.
pub fn theil_sen(times: &[f64], values: &[f64]) -> Slope {
    let points: Vec<(f64, f64)> = times.iter().copied().zip(values.iter().copied()).collect();
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (at, early) in points.iter().enumerate() {
        for late in &points[at + 1..] {
            let slope = (late.1 - early.1) / (late.0 - early.0);
            if slope.is_finite() {
                slopes.push(slope);
            }
        }
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let Some(last) = slopes.len().checked_sub(1) else {
        return Slope::default();
    };
    let n = points.len() as f64;
    let spread = HALF_WIDTH_95 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let at = |rank: f64| slopes[(rank.max(0.0) as usize).min(last)];
    let all = slopes.len() as f64;
    Slope {
        rate: (slopes[last / 2] + slopes[slopes.len() / 2]) / 2.0,
        low: at(((all - spread) / 2.0).floor()),
        high: at(((all + spread) / 2.0).ceil()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn outliers_do_not_move_it() {
        let times: Vec<f64> = (0..12).map(f64::from).collect();
        let mut values: Vec<f64> = times.iter().map(|t| 3.0 * t + 5.0).collect();
        values[4] = 1e9;
        values[9] = -1e9;
        assert!((theil_sen(&times, &values).rate - 3.0).abs() < 1e-9);
    }

    #[test]
    fn nothing_has_no_slope() {
        assert_eq!(theil_sen(&[], &[]), Slope::default());
        assert_eq!(theil_sen(&[1.0], &[5.0]), Slope::default());
        assert_eq!(theil_sen(&[1.0, 1.0], &[5.0, 9.0]), Slope::default());
    }

    proptest! {
        #[test]
        fn a_line_has_its_slope(
            steps in prop::collection::vec(1_u32..100, 2..40),
            slope in -1e6..1e6_f64,
        ) {
            let times: Vec<f64> = steps
                .iter()
                .scan(0, |time, step| { *time += step; Some(f64::from(*time)) })
                .collect();
            let values: Vec<f64> = times.iter().map(|t| t * slope).collect();
            let found = theil_sen(&times, &values);
            prop_assert!((found.rate - slope).abs() <= slope.abs() * 1e-6 + 1e-6);
            prop_assert!(found.low <= found.rate && found.rate <= found.high);
        }
    }
}
