//! Is there an upward trend? The one-sided test of Mann (1945) and Kendall (1975).
//!
//! S counts, over all pairs of points, those that rise minus those that fall. Without a trend each
//! order of the values is as likely as any other. Then S has a known distribution: with the ties
//! that the values have, the falling pairs are the inversions of a random arrangement of a multiset,
//! whose generating function is the q-multinomial coefficient [n]! / ∏ [tᵢ]! (MacMahon). Up to
//! [`EXACT`] points the p-value is computed from it; beyond, S is close to normal with variance
//! (n(n−1)(2n+5) − Σ t(t−1)(2t+5)) / 18, and 1 is the correction for continuity.

/// Most points for which the distribution is computed exactly: 30! fits 128 bits.
const EXACT: usize = 30;

/// The chance of a trend as upward as that of `values`, if there were none. 1 for fewer than two.
pub fn mann_kendall(values: &[f64]) -> f64 {
    let n = values.len();
    let mut s = 0_i64;
    for (at, early) in values.iter().enumerate() {
        for late in &values[at + 1..] {
            s += i64::from(late > early) - i64::from(late < early);
        }
    }
    if s <= 0 {
        return 1.0;
    }
    let ties = ties(values);
    if n <= EXACT {
        exact(n, s, &ties)
    } else {
        normal(n, s, &ties)
    }
}

/// The least p-value that `points` can have: that of a series which always rises.
pub fn least_p(points: usize) -> f64 {
    (1..=points).map(|n| 1.0 / n as f64).product()
}

/// Sizes of the groups of equal values.
fn ties(values: &[f64]) -> Vec<usize> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(<[f64]>::len).collect()
}

fn pairs(n: usize) -> i64 {
    (n * n.saturating_sub(1) / 2) as i64
}

fn exact(n: usize, s: i64, ties: &[usize]) -> f64 {
    let untied = pairs(n) - ties.iter().map(|&t| pairs(t)).sum::<i64>();
    // S = untied − 2 · inversions.
    let most_inversions = usize::try_from((untied - s) / 2).unwrap_or(0);
    // Arrangements by inversions. Each factor is 1 + q + … + q^(i−1) = (1 − q^i) / (1 − q).
    let mut count = vec![0_i128; most_inversions + 1];
    count[0] = 1;
    let mut all = 1_i128;
    for i in 1..=n {
        multiply(&mut count, i);
        all *= i as i128;
    }
    for i in ties.iter().flat_map(|&t| 1..=t) {
        divide(&mut count, i);
        all /= i as i128;
    }
    count.iter().sum::<i128>() as f64 / all as f64
}

/// Multiplies a power series by 1 + q + … + q^(i−1).
fn multiply(series: &mut [i128], i: usize) {
    for k in (i..series.len()).rev() {
        series[k] -= series[k - i];
    }
    for k in 1..series.len() {
        series[k] += series[k - 1];
    }
}

/// Divides a power series by 1 + q + … + q^(i−1).
fn divide(series: &mut [i128], i: usize) {
    for k in (1..series.len()).rev() {
        series[k] -= series[k - 1];
    }
    for k in i..series.len() {
        series[k] += series[k - i];
    }
}

fn normal(n: usize, s: i64, ties: &[usize]) -> f64 {
    let term = |n: usize| (n * (n - 1) * (2 * n + 5)) as f64;
    let variance = (term(n) - ties.iter().map(|&t| term(t)).sum::<f64>()) / 18.0;
    upper_tail((s - 1) as f64 / variance.sqrt())
}

/// The chance that a standard normal number exceeds `z`: half of erfc(z/√2), by the rational
/// approximation of Abramowitz and Stegun 7.1.26 for small z and the continued fraction for large.
fn upper_tail(z: f64) -> f64 {
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z > 3.0 {
        let fraction = (1..=60).rev().fold(z, |below, k| z + f64::from(k) / below);
        return density / fraction;
    }
    if z < 0.0 {
        return 1.0 - upper_tail(-z);
    }
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let polynomial = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    0.5 * polynomial * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By definition: over all arrangements, the share with an S as large.
    fn by_enumeration(values: &[f64]) -> f64 {
        fn s(values: &[f64]) -> i64 {
            let mut s = 0;
            for (at, a) in values.iter().enumerate() {
                for b in &values[at + 1..] {
                    s += i64::from(b > a) - i64::from(b < a);
                }
            }
            s
        }
        fn permute(values: &mut Vec<f64>, from: usize, see: &mut dyn FnMut(&[f64])) {
            if from == values.len() {
                return see(values);
            }
            for at in from..values.len() {
                values.swap(from, at);
                permute(values, from + 1, see);
                values.swap(from, at);
            }
        }
        let observed = s(values);
        let (mut all, mut as_large) = (0_u32, 0_u32);
        permute(&mut values.to_vec(), 0, &mut |order| {
            all += 1;
            as_large += u32::from(s(order) >= observed);
        });
        f64::from(as_large) / f64::from(all)
    }

    #[test]
    fn a_series_that_always_rises_has_the_least_p() {
        for n in 2..12 {
            let values: Vec<f64> = (0..n).map(f64::from).collect();
            let p = mann_kendall(&values);
            assert!((p / least_p(values.len()) - 1.0).abs() < 1e-9, "{n}: {p}");
        }
    }

    #[test]
    fn no_trend_is_no_evidence() {
        assert_eq!(mann_kendall(&[]), 1.0);
        assert_eq!(mann_kendall(&[1.0]), 1.0);
        assert_eq!(mann_kendall(&[2.0; 40]), 1.0);
        assert_eq!(mann_kendall(&[3.0, 2.0, 1.0]), 1.0);
    }

    #[test]
    fn the_normal_tail_is_that_of_the_tables() {
        for (z, p) in [
            (0.0, 0.5),
            (1.0, 0.158_655),
            (1.96, 0.024_998),
            (4.0, 3.167e-5),
        ] {
            assert!((upper_tail(z) / p - 1.0).abs() < 1e-3, "{z}");
        }
        assert!((upper_tail(-1.0) - 0.841_345).abs() < 1e-5);
    }

    proptest! {
        #[test]
        fn exact_values_are_those_of_the_definition(values in prop::collection::vec(0_u8..5, 2..8)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let p = mann_kendall(&values);
            let expected = if p == 1.0 { 1.0 } else { by_enumeration(&values) };
            prop_assert!((p - expected).abs() < 1e-9, "{p} {expected}");
        }

        #[test]
        fn the_approximation_joins_the_exact_values(values in prop::collection::vec(0_u8..40, EXACT)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let mut s = 0_i64;
            for (at, a) in values.iter().enumerate() {
                for b in &values[at + 1..] {
                    s += i64::from(b > a) - i64::from(b < a);
                }
            }
            if s > 0 {
                let ties = ties(&values);
                let difference = exact(EXACT, s, &ties) - normal(EXACT, s, &ties);
                prop_assert!(difference.abs() < 0.004, "{difference}");
            }
        }
    }
}
