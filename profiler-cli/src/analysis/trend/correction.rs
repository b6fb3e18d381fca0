//! Many tests: of a hundred sites without a trend, one has p = 1 % by chance alone.

/// p-values corrected for their number by Benjamini and Hochberg (1995), in their order. Taking
/// those up to q as findings, the expected share of false ones among them is at most q; where
/// there is nothing to find, the chance of any finding is at most q too.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_unstable_by(|&a, &b| p[b].total_cmp(&p[a]));
    let mut corrected = vec![1.0; p.len()];
    let mut least = 1.0_f64;
    for (from_last, at) in order.into_iter().enumerate() {
        let rank = (p.len() - from_last) as f64;
        least = least.min(p[at] * p.len() as f64 / rank);
        corrected[at] = least;
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_definition() {
        let corrected = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.5]);
        for (found, expected) in corrected.iter().zip([0.04, 0.16 / 3.0, 0.16 / 3.0, 0.5]) {
            assert!((found - expected).abs() < 1e-12, "{corrected:?}");
        }
        assert!(benjamini_hochberg(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn it_keeps_the_order_and_never_lowers(p in prop::collection::vec(0.0..1.0_f64, 1..50)) {
            let corrected = benjamini_hochberg(&p);
            for i in 0..p.len() {
                prop_assert!(corrected[i] >= p[i] * (1.0 - 1e-12) && corrected[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || corrected[i] <= corrected[j]);
                }
            }
        }
    }
}
