//! Stacks whose innermost frames come again, below frames that change too.

use super::probe::{Fixture, Probe};
use std::hint::black_box;

const ROUNDS: usize = 500;

#[test]
fn ends_that_come_again_are_known_and_hang_where_they_belong() {
    let fixture = Fixture::new(128);
    let mut probe = Probe::new(&fixture);
    let mut random = fastrand::Rng::with_seed(12);
    for _ in 0..ROUNDS {
        let ends = [random.bool(), random.bool(), random.bool()];
        match random.u8(..3) {
            0 => below(&mut probe, &ends),
            1 => below_too(&mut probe, &ends),
            _ => at_ends(&mut probe, &ends),
        }
        probe.outcome().unwrap();
    }
    let again = [true, false, true, false, true, false];
    at_ends(&mut probe, &again);
    probe.outcome().unwrap();
    assert_eq!(probe.captures, 1 + ROUNDS * 3 + again.len());
    assert!(probe.tails_known() >= 2, "{}", probe.tails_known());
}

#[inline(never)]
fn below(probe: &mut Probe<'_>, ends: &[bool]) {
    at_ends(probe, ends);
    black_box(());
}

/// Of the same size as the other, so that the ends lie where they lay.
#[inline(never)]
fn below_too(probe: &mut Probe<'_>, ends: &[bool]) {
    at_ends(probe, ends);
    black_box(1);
}

#[inline(never)]
fn at_ends(probe: &mut Probe<'_>, ends: &[bool]) {
    for &end in ends {
        match end {
            true => near(probe),
            false => far(probe),
        }
    }
}

#[inline(never)]
fn near(probe: &mut Probe<'_>) {
    probe.check();
    black_box(());
}

/// A larger frame.
#[inline(never)]
fn far(probe: &mut Probe<'_>) {
    let room = black_box([0u64; 32]);
    probe.check();
    black_box(room);
}
