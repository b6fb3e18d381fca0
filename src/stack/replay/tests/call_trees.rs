//! Random call trees.

use super::call_shapes::{Call, FUNCTIONS, LIBRARIES, Shape, Shapes, call_trees};
use super::probe::{Fixture, Probe, on_large_stack};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;

/// Each thread with trees of its own, and with one memory for all of them: what a walk does
/// depends on what came before it.
#[test]
fn equals_backtrace_and_a_fresh_walk() {
    let shapes = Shapes::new();
    let fixtures = [256, 128, 8].map(Fixture::new);
    let threads: Vec<_> = std::thread::scope(|scope| {
        let run = |seed, fixture| {
            let shapes = &shapes;
            scope.spawn(move || on_large_stack(|| random_trees(fixture, shapes, seed)))
        };
        let [wide, usual, narrow] = &fixtures;
        let threads = [run(1, wide), run(2, usual), run(3, narrow), run(4, wide)];
        threads.map(|thread| thread.join()).into()
    });
    for (thread, depth) in threads.into_iter().zip([256, 128, 8, 256]) {
        let [captures, deepest, truncated, too_deep] = thread.expect("no difference");
        assert!(captures > 1_000, "{captures} captures");
        // A stack that is cut and not truncated has one frame less.
        assert!(deepest == depth || deepest == depth - 1, "{deepest}");
        assert!((1..captures / 4).contains(&truncated), "{truncated} ended");
        assert!(too_deep < captures / 4, "{too_deep} too deep");
    }
}

/// Numbers of captures, of frames of the deepest path, and of stacks that ended early and that were
/// too deep.
fn random_trees(fixture: &Fixture, shapes: &Shapes, seed: u8) -> [usize; 4] {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(100)
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let probe = RefCell::new(Probe::new(fixture));
    let outcome = TestRunner::new_with_rng(config, rng).run(&call_trees(), |calls| {
        let mut probe = probe.borrow_mut();
        // The second time over, much is as remembered, and the fourth time much is guessed.
        for _ in 0..4 {
            shapes.run(&calls, &mut || probe.check());
        }
        probe.outcome().map_err(TestCaseError::fail)
    });
    outcome.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let probe = probe.into_inner();
    [
        probe.captures,
        probe.deepest,
        probe.truncated,
        probe.too_deep,
    ]
}

/// One shape after the other, around looks and around each other shape.
#[test]
fn each_shape_around_each_other() {
    let shapes = Shapes::new();
    let fixture = Fixture::new(256);
    let all = [
        Shape::Plain,
        Shape::Closure,
        Shape::Dynamic,
        Shape::Wide,
        Shape::Realigned,
        Shape::Recursive(40),
        Shape::Mutual(41),
        Shape::Winding(40, 33),
        Shape::Winding(300, u16::MAX),
        Shape::Sorted,
        Shape::Caught(3),
        Shape::Dropped(3),
        Shape::Interrupted,
        Shape::OtherBase(1),
        Shape::Coroutine,
    ];
    let of_c = (0..LIBRARIES * FUNCTIONS)
        .map(|number| Shape::C(number / FUNCTIONS, number % FUNCTIONS, 99));
    let all: Vec<Shape> = all.into_iter().chain(of_c).collect();
    on_large_stack(|| {
        let mut probe = Probe::new(&fixture);
        for &outer in &all {
            for &inner in &all {
                let inside = Call::Frame(inner, vec![Call::Look]);
                let calls = [Call::Frame(outer, vec![inside, Call::Look])];
                shapes.run(&calls, &mut || probe.check());
                if let Err(difference) = probe.outcome() {
                    panic!("{outer:?} around {inner:?}: {difference}");
                }
            }
        }
        assert!(probe.captures > 2 * all.len() * all.len());
    });
}

/// The same addresses and stack pointers each time, and another rbp in the middle.
#[test]
fn a_base_pointer_of_any_value_is_followed() {
    let shapes = Shapes::new();
    let fixture = Fixture::new(256);
    let mut probe = Probe::new(&fixture);
    // By rbp, so that it is pushed and restored.
    let by_base = |calls| vec![Call::Frame(Shape::C(1, 1, 64), calls)];
    for value in [0, 1, u64::MAX, 0, 0x7fff_ffff_f000, 1, 1] {
        let inside = by_base(by_base(vec![Call::Look, Call::Look]));
        let calls = by_base(vec![Call::Frame(Shape::OtherBase(value), inside)]);
        shapes.run(&calls, &mut || probe.check());
        shapes.run(&calls, &mut || probe.check());
        probe.outcome().unwrap();
    }
}

/// Only the room that C asks for differs: the same code on the same stack, elsewhere.
#[test]
fn frames_of_changing_size_are_followed() {
    let shapes = Shapes::new();
    let fixture = Fixture::new(256);
    let mut probe = Probe::new(&fixture);
    for function in 0..FUNCTIONS {
        for room in [1, 1, 4_000, 16, 32, 16, 4_000, 500, 1] {
            for library in 0..LIBRARIES {
                let inside = vec![Call::Look, Call::Frame(Shape::Plain, vec![Call::Look])];
                let calls = [Call::Frame(Shape::C(library, function, room), inside)];
                shapes.run(&calls, &mut || probe.check());
            }
            probe.outcome().unwrap();
        }
    }
}

/// One frame grows as much as the next one shrinks, so that all further in stays in its place,
/// and the words of the last stack are still there, where they mean nothing any more.
#[test]
fn words_left_over_from_the_last_stack_are_not_taken_for_new_ones() {
    const ALL: usize = LIBRARIES * FUNCTIONS;
    let shapes = Shapes::new();
    let fixture = Fixture::new(256);
    let mut probe = Probe::new(&fixture);
    let frame = |number: usize, room| Shape::C(number / FUNCTIONS, number % FUNCTIONS, room);
    // Only the rbp that a frame keeps, or not even that, tells one stack from the other.
    for innermost in [Shape::OtherBase(0), Shape::Plain] {
        let look = || vec![Call::Frame(innermost, vec![Call::Look])];
        for (outer, inner) in (0..ALL).flat_map(|outer| (0..ALL).map(move |inner| (outer, inner))) {
            let calls = [16, 4_096, 16, 32, 48, 64, 128, 2_048, 2_064, 4_096].map(|room| {
                let call = Call::Frame(frame(inner, 4_112 - room), look());
                Call::Frame(frame(outer, room), vec![call])
            });
            shapes.run(&calls, &mut || probe.check());
            let outcome = probe.outcome();
            outcome.unwrap_or_else(|error| panic!("{outer} around {inner}: {error}"));
        }
        // Here what the realignment leaves free is as much as the frame before it grows.
        for outer in 0..ALL {
            let calls = [16, 32, 48, 64, 80, 96, 112, 128, 16, 64, 32]
                .map(|room| Call::Frame(frame(outer, room), look()));
            shapes.run(&calls, &mut || probe.check());
            let outcome = probe.outcome();
            outcome.unwrap_or_else(|error| panic!("{outer}: {error}"));
        }
    }
}
