//! Stacks that come again, in an order that lets them be guessed, rightly and wrongly.

use super::call_shapes::{Call, Shape, Shapes};
use super::probe::{Fixture, Probe, on_large_stack};
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
    // Both matter: the wrong ones would be taken for stacks if nothing proved them.
    assert!(probe.right > 100, "{} right guesses", probe.right);
    assert!(probe.wrong > 20, "{} wrong guesses", probe.wrong);
}

/// All ways through a recursion, in an order that comes again, and then in none.
#[test]
fn ways_are_guessed_in_their_order_and_found_out_of_it() {
    const LEVELS: u32 = 6;
    let fixture = Fixture::new(128);
    let mut probe = Probe::new(&fixture);
    for way in (0..6 << LEVELS).map(u32::reverse_bits) {
        descend(&mut probe, LEVELS, way >> (u32::BITS - LEVELS));
        probe.outcome().unwrap();
    }
    let (captures, in_order) = (probe.captures / 2, probe.right);
    assert!(in_order > captures / 3, "{in_order} of {captures}");
    let mut random = fastrand::Rng::with_seed(13);
    for _ in 0..6 << LEVELS {
        descend(&mut probe, LEVELS, random.u32(..));
        probe.outcome().unwrap();
    }
    assert!(probe.wrong > captures / 20, "{} wrong guesses", probe.wrong);
}

/// More steps than can be known.
#[test]
fn what_is_too_much_to_know_is_forgotten_and_found_anew() {
    const LEVELS: u32 = 10;
    let fixture = Fixture::new(128);
    on_large_stack(|| {
        let mut probe = Probe::new(&fixture);
        let (mut known, mut forgotten) = (0, 0);
        for way in 0..4 << LEVELS {
            descend(&mut probe, LEVELS, way);
            probe.outcome().unwrap();
            let before = std::mem::replace(&mut known, probe.guesses_known());
            forgotten += usize::from(before > known + 100);
        }
        assert!(forgotten > 0, "{known} guesses");
    });
}

/// The same stacks again and again, with values in rbp that matter, and with some that do not.
#[test]
fn the_base_pointer_of_a_guess_is_proved_where_it_is_live() {
    let shapes = Shapes::new();
    let fixture = Fixture::new(256);
    let mut probe = Probe::new(&fixture);
    let by_base = |library, calls| vec![Call::Frame(Shape::C(library, 1, 64), calls)];
    for round in 0..40 {
        for value in [0, 1, round, u64::MAX, 0x7fff_ffff_f000] {
            for shape in [Shape::OtherBase(value), Shape::Realigned, Shape::Plain] {
                let inside = by_base(0, vec![Call::Look, Call::Frame(shape, vec![Call::Look])]);
                let calls = by_base(1, vec![Call::Frame(shape, inside)]);
                shapes.run(&calls, &mut || probe.check());
            }
            probe.outcome().unwrap();
        }
    }
    assert!(probe.right > 100, "{} right guesses", probe.right);
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

/// Looks below so many calls, each of which the next bit of the way chooses.
#[inline(never)]
fn descend(probe: &mut Probe<'_>, levels: u32, way: u32) {
    match (levels, way & 1) {
        (0, _) => probe.check(),
        (_, 0) => descend(probe, levels - 1, way >> 1),
        _ => descend_too(probe, levels - 1, way >> 1),
    }
    black_box(());
}

#[inline(never)]
fn descend_too(probe: &mut Probe<'_>, levels: u32, way: u32) {
    descend(probe, levels, way);
    black_box(());
}
