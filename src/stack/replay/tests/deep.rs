//! Stacks of more frames than are kept, or remembered.

use super::call_shapes::{Call, Shape, Shapes};
use super::probe::{Fixture, Probe, on_large_stack};

#[test]
fn a_deep_stack_keeps_both_ends_and_says_how_much_is_cut() {
    let (fixture, shapes) = (Fixture::new(), Shapes::new());
    let depths = [
        10, 127, 128, 200, 500, 512, 513, 900, 1_023, 1_024, 1_025, 1_100, 3_000, 50, 20_000,
        1_100, 10,
    ];
    for limit in [8, 128, 256] {
        on_large_stack(|| {
            let mut probe = Probe::new(&fixture, limit);
            for depth in depths {
                // Two looks from the same frame, and one from further out.
                let recursive = Call::Frame(Shape::Recursive(depth), vec![Call::Look, Call::Look]);
                let calls = [Call::Frame(Shape::Plain, vec![recursive, Call::Look])];
                shapes.run(&calls, &mut || probe.check());
                let outcome = probe.outcome();
                outcome.unwrap_or_else(|error| panic!("{depth} at {limit}: {error}"));
            }
            assert!(probe.deepest >= limit);
        });
    }
}

/// Thousands of frames that stay, and a few that come and go, at any distance.
#[test]
fn a_deep_stack_is_followed_while_its_end_changes() {
    let (fixture, shapes) = (Fixture::new(), Shapes::new());
    on_large_stack(|| {
        let mut probe = Probe::new(&fixture, 256);
        let ends = (0..40u16).map(|n| {
            let depth = n * 397 % 1_300;
            let shape = [Shape::Recursive(depth), Shape::Mutual(depth)][usize::from(n % 2)];
            Call::Frame(shape, vec![Call::Look])
        });
        let calls = [Call::Frame(Shape::Recursive(5_000), ends.collect())];
        shapes.run(&calls, &mut || probe.check());
        probe.outcome().unwrap();
        assert_eq!(probe.captures, 41);
    });
}
