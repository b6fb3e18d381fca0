//! Draws from distributions, from one seed.

use fastrand::Rng;

/// A number between `low` and `high`, evenly.
pub(crate) fn uniform(random: &mut Rng, low: f64, high: f64) -> f64 {
    low + random.f64() * (high - low)
}

/// A number between `low` and `high` whose logarithm is evenly spread.
pub(crate) fn spread(random: &mut Rng, low: f64, high: f64) -> f64 {
    uniform(random, low.ln(), high.ln()).exp()
}

/// How many of many rare independent events happen, if `mean` do on average (Poisson). Counted by
/// the exponential gaps between them.
pub(crate) fn events(random: &mut Rng, mean: f64) -> usize {
    let (mut time, mut count) = (exponential(random, 1.0), 0);
    while time < mean {
        time += exponential(random, 1.0);
        count += 1;
    }
    count
}

/// A time that ends by chance, `mean` on average.
pub(crate) fn exponential(random: &mut Rng, mean: f64) -> f64 {
    -mean * (1.0 - random.f64()).ln()
}
