//! A thread's way to its next pick, while the mean may change or sampling be switched off.
//!
//! A pick belongs to the mean that it was drawn at, and so does the weight of the block that holds it:
//! whether a block is recorded depends on what was drawn before it, so 1/p with the p of that draw is
//! unbiased however the mean is changed. A thread takes no note of a change at once: nobody but the
//! thread itself may touch its countdown, and its plain allocations look at nothing else. So no
//! countdown is longer than [`LOOK`]; at its end the thread looks at the mean in force. Distances have
//! no memory, so what is left of an old one is thrown away and a new one drawn.
//!
//! Does not know what is sampled, nor who sets the mean.

use super::poisson::Random;

/// Most bytes that a thread allocates before it takes note of a change. One look in 8 MiB costs
/// nothing that can be measured, and at the default mean one distance in nine million is longer.
pub(crate) const LOOK: i64 = 8 << 20;

/// Where a thread stands between two picks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Countdown {
    /// Bytes up to and including the next look, at least 1.
    pub(crate) until_look: i64,
    /// Bytes from that look to the pick; 0 if the look is at the pick.
    pub(crate) beyond: i64,
    /// The mean that the pick was drawn at; 0 if there is none, since sampling was off.
    pub(crate) mean: u64,
}

impl Countdown {
    /// A fresh distance at this mean; for a mean of 0 nothing but the next look.
    pub(crate) fn draw(mean: u64, random: &mut Random) -> Self {
        match mean {
            0 => Self::to_pick(LOOK, 0),
            mean => Self::to_pick(random.distance(mean), mean),
        }
    }

    fn to_pick(distance: i64, mean: u64) -> Self {
        let until_look = distance.min(LOOK);
        Self {
            until_look,
            beyond: distance - until_look,
            mean,
        }
    }

    /// Passes a block of `size` bytes, with sampling at `mean_now`, or off if that is 0. The mean that
    /// the block's pick was drawn at, if it holds one and is to be recorded.
    pub(crate) fn pass(&mut self, size: usize, mean_now: u64, random: &mut Random) -> Option<u64> {
        // Cannot overflow: the countdown is positive, and a size at most isize::MAX.
        let left = self.until_look - size as i64;
        if left > 0 {
            self.until_look = left;
            return None;
        }
        let Self { beyond, mean, .. } = *self;
        let to_pick = left.saturating_add(beyond);
        let is_picked = mean != 0 && to_pick <= 0;
        *self = match is_picked || mean != mean_now || mean == 0 {
            true => Self::draw(mean_now, random),
            false => Self::to_pick(to_pick, mean),
        };
        (is_picked && mean_now != 0).then_some(mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::poisson::Weight;
    use proptest::prelude::*;

    const SIZES: [usize; 6] = [16, 100, 1_000, 10_000, 100_000, 3 << 20];

    /// What the blocks of a thread are estimated to add up to, with a mean in force for each block;
    /// and the bytes of those that were allocated while sampling was on.
    struct Run {
        estimate: f64,
        variance: f64,
        truth: f64,
    }

    fn run(seed: u64, blocks: impl Iterator<Item = (usize, u64)>) -> Run {
        let mut random = Random::new(seed | 1);
        let mut countdown = None;
        let mut run = Run {
            estimate: 0.0,
            variance: 0.0,
            truth: 0.0,
        };
        let mut is_covered = false;
        for (size, mean_now) in blocks {
            let countdown = countdown.get_or_insert_with(|| {
                is_covered = mean_now != 0;
                Countdown::draw(mean_now, &mut random)
            });
            // What a thread allocates before it has noticed that sampling is on again is not covered.
            run.truth += f64::from(is_covered && mean_now != 0) * size as f64;
            if let Some(mean) = countdown.pass(size, mean_now, &mut random) {
                let weight = Weight::of(size as u64, mean);
                run.estimate += weight.bytes;
                run.variance += weight.variance;
            }
            is_covered = countdown.mean != 0;
        }
        run
    }

    /// The sum of the errors of many runs, in standard deviations.
    fn z<I: Iterator<Item = (usize, u64)>>(runs: u64, blocks: impl Fn(u64) -> I) -> f64 {
        let (mut error, mut variance) = (0.0, 0.0);
        for seed in 0..runs {
            let run = run(seed * 2, blocks(seed));
            error += run.estimate - run.truth;
            variance += run.variance;
        }
        error / f64::sqrt(variance)
    }

    fn size(at: usize) -> usize {
        SIZES[at * 7 % 5]
    }

    #[test]
    fn a_mean_that_changes_leaves_estimates_without_bias() {
        for means in [[4 << 10, 1 << 20], [1 << 20, 4 << 10], [64 << 20, 64 << 10]] {
            let blocks = |_| (0..3_000).map(move |at| (size(at), means[usize::from(at >= 1_000)]));
            let z = z(1_000, blocks);
            assert!(z.abs() < 4.0, "{means:?}: {z}");
        }
    }

    #[test]
    fn a_mean_that_changes_with_what_was_sampled_does_not_either() {
        // Whoever changes the mean may do so because of what he sees.
        let (mut error, mut variance) = (0.0, 0.0);
        for seed in 0..2_000 {
            let mut random = Random::new(seed * 2 + 1);
            let mut mean = 256 << 10;
            let mut countdown = Countdown::draw(mean, &mut random);
            for at in 0..2_000 {
                error -= size(at) as f64;
                if let Some(drawn) = countdown.pass(size(at), mean, &mut random) {
                    let weight = Weight::of(size(at) as u64, drawn);
                    error += weight.bytes;
                    variance += weight.variance;
                    mean = if mean == 256 << 10 {
                        16 << 10
                    } else {
                        256 << 10
                    };
                }
            }
        }
        let z: f64 = error / f64::sqrt(variance);
        assert!(z.abs() < 4.0, "{z}");
    }

    #[test]
    fn what_is_allocated_while_sampling_is_on_counts_as_ever() {
        let mean = |at| {
            if (500..1_500).contains(&at) {
                0
            } else {
                32 << 10
            }
        };
        let z = z(1_000, |_| (0..3_000).map(move |at| (size(at), mean(at))));
        assert!(z.abs() < 4.0, "{z}");
    }

    #[test]
    fn nothing_is_sampled_while_sampling_is_off() {
        let mut random = Random::new(1);
        let mut countdown = Countdown::draw(1 << 10, &mut random);
        for at in 0..100_000 {
            assert_eq!(countdown.pass(size(at), 0, &mut random), None);
        }
        assert_eq!(countdown.mean, 0);
    }

    #[test]
    fn long_distances_are_what_they_would_be_in_one_piece() {
        let (mean, draws) = (64 << 20, 20_000);
        let mut random = Random::new(3);
        let mut countdown = Countdown::draw(mean, &mut random);
        let (mut picks, mut blocks) = (0, 0_u64);
        while picks < draws {
            blocks += 1;
            picks += u64::from(countdown.pass(1 << 20, mean, &mut random).is_some());
        }
        // A block of a 64th of the mean is picked with p = 1 − e^(−1/64).
        let p = -(-1.0_f64 / 64.0).exp_m1();
        let error = (blocks as f64 * p * (1.0 - p)).sqrt();
        assert!(
            (picks as f64 - blocks as f64 * p).abs() < 4.0 * error,
            "{blocks}"
        );
    }

    proptest! {
        #[test]
        fn a_thread_takes_note_of_a_change_within_a_look(
            old in 0_u64..1 << 40,
            new in 0_u64..1 << 40,
            sizes in prop::collection::vec(1_usize..1 << 20, 1..200),
            seed: u64,
        ) {
            let mut random = Random::new(seed | 1);
            let mut countdown = Countdown::draw(old, &mut random);
            let mut passed = 0;
            for size in sizes {
                prop_assert!((1..=LOOK).contains(&countdown.until_look));
                if countdown.mean != new {
                    prop_assert_eq!(countdown.mean, old);
                    prop_assert!(passed < LOOK);
                }
                if let Some(mean) = countdown.pass(size, new, &mut random) {
                    prop_assert!(mean == old || mean == new);
                    prop_assert!(mean != 0 && new != 0);
                }
                passed += size as i64;
            }
        }

        #[test]
        fn no_size_overflows(size in 0..=isize::MAX as usize, mean in 1_u64.., seed: u64) {
            let mut random = Random::new(seed | 1);
            let mut countdown = Countdown::draw(mean, &mut random);
            for _ in 0..4 {
                let _ = countdown.pass(size, mean, &mut random);
                prop_assert!(countdown.until_look >= 1 && countdown.beyond >= 0);
            }
        }
    }
}
