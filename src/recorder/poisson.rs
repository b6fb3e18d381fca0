//! The sampling model.
//!
//! Every allocated byte is an event; a Poisson process with one sample in `mean` bytes on average
//! picks some. A block is recorded when at least one of its bytes is picked, which happens with
//! probability p = 1 − e^(−size/mean), independently of all others. Counting each recorded block
//! 1/p times gives unbiased estimates of counts and bytes; the variance of one block's share is
//! size²·(1−p)/p², and variances of independent blocks add.
//!
//! Distances between picks are exponential, and have no memory: after a sample, and at the start
//! of a thread, a fresh one is drawn. It is rounded up to whole bytes, which is exact, since a
//! block of n bytes holds the pick when the real distance is at most n.

/// A generator of random words for one thread: splitmix64.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn state(self) -> u64 {
        self.0
    }

    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// Bytes up to and including the next pick.
    pub(crate) fn distance(&mut self, mean: u64) -> i64 {
        // Uniform in (0, 1]: 53 random bits, never zero.
        let uniform = ((self.word() >> 11) + 1) as f64 / (1u64 << 53) as f64;
        let distance = (-uniform.ln() * mean as f64).ceil();
        (distance as i64).max(1)
    }
}

/// What one sample stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Weight {
    /// Blocks: 1/p.
    pub(crate) count: f64,
    /// Bytes: size/p.
    pub(crate) bytes: f64,
    /// Variance of `bytes`: size²·(1−p)/p², in bytes squared.
    pub(crate) variance: f64,
}

impl Weight {
    /// The weight of a block of `size` bytes sampled at a mean distance of `mean` bytes.
    pub(crate) fn of(size: u64, mean: u64) -> Self {
        let size = size.max(1) as f64;
        // exp_m1 keeps precision where size is small against the mean.
        let p = -(-size / mean as f64).exp_m1();
        Self {
            count: 1.0 / p,
            bytes: size / p,
            variance: size * size * (1.0 - p) / (p * p),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_have_the_mean_and_no_memory() {
        let mut random = Random::new(1);
        let mean = 4096;
        let draws: Vec<i64> = (0..200_000).map(|_| random.distance(mean)).collect();
        let average = draws.iter().sum::<i64>() as f64 / draws.len() as f64;
        // The standard error is mean/sqrt(n) = 9.2; four of them, and half a byte of rounding.
        assert!((average - 4096.5).abs() < 37.0, "{average}");
        let beyond = |bytes: i64| draws.iter().filter(|&&draw| draw > bytes).count() as f64;
        let share = beyond(8192) / beyond(4096);
        assert!((share - (-1f64).exp()).abs() < 0.01, "{share}");
    }

    #[test]
    fn estimates_are_unbiased_for_mixed_sizes() {
        let mut random = Random::new(7);
        let mean = 1000;
        let sizes = [1u64, 16, 100, 1000, 10_000];
        let (mut truth, mut estimate, mut variance, mut count) = (0.0, 0.0, 0.0, 0.0);
        let mut left = random.distance(mean);
        for round in 0..500_000 {
            let size = sizes[round % sizes.len()];
            truth += size as f64;
            left -= size as i64;
            if left <= 0 {
                let weight = Weight::of(size, mean);
                estimate += weight.bytes;
                variance += weight.variance;
                count += weight.count;
                left = random.distance(mean);
            }
        }
        let z = (estimate - truth) / variance.sqrt();
        assert!(z.abs() < 4.0, "{z}");
        assert!((count / 500_000.0 - 1.0).abs() < 0.05, "{count}");
    }

    #[test]
    fn a_large_block_stands_for_itself() {
        let weight = Weight::of(1 << 30, 512 << 10);
        assert_eq!((weight.count, weight.bytes), (1.0, (1u64 << 30) as f64));
        assert!(weight.variance < 1.0);
        let tiny = Weight::of(0, 1 << 19);
        assert!((tiny.count - (1 << 19) as f64).abs() < 1.0);
    }

    /// Samples of `blocks` blocks of a run, as a thread takes them that starts with this seed.
    fn sampled(seed: u64, mean: u64, blocks: impl Iterator<Item = u64>) -> (f64, f64) {
        let mut random = Random::new(seed);
        let mut left = random.distance(mean);
        let (mut bytes, mut variance) = (0.0, 0.0);
        for size in blocks {
            left -= size as i64;
            if left <= 0 {
                let weight = Weight::of(size, mean);
                bytes += weight.bytes;
                variance += weight.variance;
                left = random.distance(mean);
            }
        }
        (bytes, variance)
    }

    /// Sizes at one site, from a quarter of the mean down.
    fn mixed(seed: u64) -> impl Iterator<Item = u64> {
        let mut sizes = Random::new(!seed);
        (0..4_000).map(move |_| [24, 200, 1_000, 4_096][sizes.word() as usize % 4])
    }

    #[test]
    fn over_many_seeds_there_is_no_bias_and_intervals_hold_what_they_say() {
        let (runs, mean) = (2_000, 16 << 10);
        let (mut error, mut variance, mut covered) = (0.0, 0.0, 0);
        for seed in 0..runs {
            let truth: u64 = mixed(seed).sum();
            let (bytes, of_run) = sampled(seed, mean, mixed(seed));
            let off = bytes - truth as f64;
            error += off;
            variance += of_run;
            covered += u64::from(off.abs() < 1.96 * of_run.sqrt());
        }
        let z: f64 = error / variance.sqrt();
        assert!(z.abs() < 4.0, "{z}");
        let share = covered as f64 / runs as f64;
        assert!((0.93..=0.97).contains(&share), "{share}");
    }

    /// A fresh distance for each thread neither favours nor misses its first blocks.
    #[test]
    fn threads_of_few_blocks_count_as_others_do() {
        let (threads, mean) = (200_000, 16 << 10);
        let (mut truth, mut error, mut variance) = (0.0, 0.0, 0.0);
        for seed in 0..threads {
            // Neighbouring seeds are as good as others: the generator mixes them.
            let blocks = || mixed(seed).take(3);
            let (bytes, of_thread) = sampled(seed, mean, blocks());
            truth += blocks().sum::<u64>() as f64;
            error += bytes;
            variance += of_thread;
        }
        error -= truth;
        let z: f64 = error / f64::sqrt(variance);
        assert!(z.abs() < 4.0, "{z}");
    }

    /// The table in `docs/reliability.md`: the chance to see a leak of small blocks.
    #[test]
    fn a_leak_is_seen_with_the_chance_that_is_published() {
        const DOCS: &str = include_str!("../../docs/reliability.md");
        let (mean, runs) = (512 << 10, 4_000);
        for leak in [
            64 << 10,
            256 << 10,
            512 << 10,
            1 << 20,
            2 << 20,
            3_584 << 10,
        ] {
            let chance = -(-(leak as f64) / mean as f64).exp_m1();
            let row = format!("| {} KiB | {:.1} % |", leak >> 10, 100.0 * chance);
            assert!(DOCS.contains(&row), "{row}");
            let is_seen = |seed| sampled(seed, mean, (0..leak >> 10).map(|_| 1 << 10)).0 > 0.0;
            let seen = (0..runs).filter(|&seed| is_seen(seed)).count() as f64;
            let error = (runs as f64 * chance * (1.0 - chance)).sqrt();
            let off = seen - runs as f64 * chance;
            assert!(off.abs() < 4.0 * error + 1.0, "{leak}: {seen}");
        }
    }
}
