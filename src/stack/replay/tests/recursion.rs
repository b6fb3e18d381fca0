//! Recursion with several call sites: the ways through it are many, the paths are not.

use super::probe::{Fixture, Probe};
use std::hint::black_box;

/// Levels of the composition. With three call sites there are 3^12 ways, half a million, to the
/// innermost one.
const LEVELS: usize = 12;
const COMPOSITIONS: usize = 2_000;

#[test]
fn each_way_through_a_recursion_is_folded_and_the_tree_stays_small() {
    let fixture = Fixture::new(128);
    let mut probe = Probe::new(&fixture);
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..COMPOSITIONS {
        let sites: [u8; LEVELS] = std::array::from_fn(|_| random.u8(..3));
        compose(&sites, &mut || probe.check());
        probe.outcome().unwrap();
    }
    assert_eq!(probe.captures, 1 + COMPOSITIONS * (LEVELS + 1));
    let nodes = fixture.walker.tree.len();
    assert!(nodes < 3_000, "{nodes} nodes");
}

/// Looks, and composes what is left at one of three call sites.
#[inline(never)]
fn compose(sites: &[u8], look: &mut dyn FnMut()) {
    look();
    match sites {
        [] => {}
        [0, rest @ ..] => compose(rest, look),
        [1, rest @ ..] => laid_out(rest, look),
        [_, rest @ ..] => compose(black_box(rest), look),
    }
    black_box(());
}

/// A call site further away.
#[inline(never)]
fn laid_out(sites: &[u8], look: &mut dyn FnMut()) {
    compose(sites, look);
    black_box(());
}
