//! What a test of trend assumes: that what is left around the trend is noise without memory.
//!
//! Levels of memory often have one. A population of long-lived blocks wanders, and wandering looks
//! like a trend to any test of ranks. The ratio of von Neumann (1941) tells the two apart; for what
//! wanders, [`drift`] asks whether its steps go up more than steps without a direction would.

/// Mean squared difference of neighbours over the variance. Near 2 for noise without memory, near
/// 0 for what wanders. 2 for fewer than three values and for those without any variance.
pub fn von_neumann_ratio(residuals: &[f64]) -> f64 {
    let n = residuals.len() as f64;
    let mean = residuals.iter().sum::<f64>() / n;
    let spread: f64 = residuals.iter().map(|r| (r - mean).powi(2)).sum();
    let steps: f64 = residuals.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum();
    if residuals.len() < 3 || spread <= 0.0 {
        return 2.0;
    }
    (steps / (n - 1.0)) / (spread / n)
}

/// The whole change over what it would be by chance if steps had no direction: about standard normal
/// then. Whether the variance of a step is in proportion to its time or always the same is not known,
/// so the one that makes more of the change counts; at equal times they are one. 0 where nothing moves.
pub fn drift(times: &[f64], values: &[f64]) -> f64 {
    let (mut change, mut span, mut variances, mut squares, mut steps) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (value, time) in values.windows(2).zip(times.windows(2)) {
        let (step, length) = (value[1] - value[0], time[1] - time[0]);
        if length > 0.0 {
            change += step;
            span += length;
            variances += step * step / length;
            squares += step * step;
            steps += 1.0;
        }
    }
    if variances > 0.0 {
        change / f64::min(variances / steps * span, squares).sqrt()
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_and_wandering_differ() {
        let noise = [1.0, -1.0, 2.0, -2.0, 1.0, -1.0, 2.0, -2.0];
        let walk = [0.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0];
        assert!(von_neumann_ratio(&noise) > 2.0);
        assert!(von_neumann_ratio(&walk) < 1.0);
        assert_eq!(von_neumann_ratio(&[1.0, 1.0, 1.0]), 2.0);
        assert_eq!(von_neumann_ratio(&[]), 2.0);
    }

    #[test]
    fn steady_steps_drift() {
        let steady: Vec<f64> = (0..17).map(f64::from).collect();
        assert!((drift(&steady, &steady) - 4.0).abs() < 1e-12);
        assert_eq!(drift(&[0.0, 1.0, 2.0], &[1.0, 2.0, 1.0]), 0.0);
        assert_eq!(drift(&[0.0, 1.0], &[1.0, 1.0]), 0.0);
    }

    #[test]
    fn a_long_interval_may_make_a_large_step() {
        // The same growth a second all along, seen at uneven times.
        let times = [0.0, 1.0, 2.0, 3.0, 4.0, 16.0];
        assert!((drift(&times, &times) - 5.0_f64.sqrt()).abs() < 1e-12);
    }
}
