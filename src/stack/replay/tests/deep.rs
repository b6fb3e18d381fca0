//! Stacks of more frames than are kept, or walked.

use super::call_shapes::{Call, Shape, Shapes};
use super::probe::{Fixture, Probe, on_large_stack};

/// Most frames of a stack that is walked to its end, and more.
const DEPTHS: [u16; 17] = [
    10, 127, 128, 200, 500, 512, 513, 900, 1_023, 1_024, 1_025, 1_100, 3_000, 50, 20_000, 1_100, 10,
];

#[test]
fn a_deep_stack_keeps_both_ends_and_says_how_much_is_cut() {
    let shapes = Shapes::new();
    for limit in [8, 9, 10, 11, 128, 256] {
        let fixture = Fixture::new(limit);
        on_large_stack(|| {
            let mut probe = Probe::new(&fixture);
            for depth in DEPTHS {
                // Two looks from the same frame, and one from further out.
                let deep = Shape::Winding(depth, u16::MAX);
                let deep = Call::Frame(deep, vec![Call::Look, Call::Look]);
                let calls = [Call::Frame(Shape::Plain, vec![deep, Call::Look])];
                shapes.run(&calls, &mut || probe.check());
                let outcome = probe.outcome();
                outcome.unwrap_or_else(|error| panic!("{depth} at {limit}: {error}"));
            }
            assert_eq!((probe.deepest, probe.too_deep), (limit, 2));
        });
    }
}

/// One frame more or less, from a stack that is kept whole to one that is cut, and from one that is
/// cut to one that is too deep.
#[test]
fn each_depth_around_the_limits_is_as_defined() {
    let (fixture, shapes) = (Fixture::new(128), Shapes::new());
    on_large_stack(|| {
        let mut probe = Probe::new(&fixture);
        for depth in (60..140).chain(4_000..4_110) {
            let deep = Shape::Winding(depth, u16::MAX);
            let inside = Call::Frame(Shape::Winding(2, 3), vec![Call::Look]);
            let calls = [Call::Frame(deep, vec![Call::Look, inside])];
            shapes.run(&calls, &mut || probe.check());
            let outcome = probe.outcome();
            outcome.unwrap_or_else(|error| panic!("{depth}: {error}"));
        }
        assert!((1..200).contains(&probe.too_deep), "{}", probe.too_deep);
    });
}

/// A recursion is one round on its path, however deep.
#[test]
fn a_recursion_is_not_deep() {
    let (fixture, shapes) = (Fixture::new(128), Shapes::new());
    on_large_stack(|| {
        let mut probe = Probe::new(&fixture);
        for depth in DEPTHS.into_iter().filter(|&depth| depth < 4_000) {
            for shape in [
                Shape::Recursive(depth),
                Shape::Mutual(depth),
                Shape::Winding(depth, 7),
                Shape::Winding(depth, 30),
            ] {
                let calls = [Call::Frame(shape, vec![Call::Look, Call::Look])];
                shapes.run(&calls, &mut || probe.check());
                let outcome = probe.outcome();
                outcome.unwrap_or_else(|error| panic!("{shape:?}: {error}"));
            }
        }
        assert!(probe.deepest < 127, "{} frames", probe.deepest);
        assert_eq!(probe.too_deep, 0);
        // A longer one is no recursion to the tree.
        let calls = [Call::Frame(Shape::Winding(500, 48), vec![Call::Look])];
        shapes.run(&calls, &mut || probe.check());
        probe.outcome().unwrap();
        assert_eq!(probe.deepest, 127);
    });
}

/// Thousands of frames that stay, and a few that come and go, at any distance.
#[test]
fn a_deep_stack_is_followed_while_its_end_changes() {
    let (fixture, shapes) = (Fixture::new(256), Shapes::new());
    for outer in [1_000, 3_000, 5_000] {
        on_large_stack(|| {
            let mut probe = Probe::new(&fixture);
            let ends = (0..40u16).map(|n| {
                let depth = n * 397 % 1_300;
                let shapes = [
                    Shape::Recursive(depth),
                    Shape::Mutual(depth),
                    Shape::Winding(depth, u16::MAX),
                ];
                Call::Frame(shapes[usize::from(n % 3)], vec![Call::Look])
            });
            let ends: Vec<Call> = ends.collect();
            for shape in [Shape::Recursive(outer), Shape::Winding(outer, u16::MAX)] {
                let calls = [Call::Frame(shape, ends.clone())];
                shapes.run(&calls, &mut || probe.check());
                probe.outcome().unwrap();
            }
            assert_eq!(probe.captures, 81);
        });
    }
}
