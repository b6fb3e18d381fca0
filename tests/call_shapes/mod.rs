//! Call trees of all kinds of frames that a stack can have, for tests that look at stacks.
//!
//! A tree is a value that proptest makes and shrinks; [`Shapes::run`] calls what it says, and runs
//! a look wherever it says so. Knows nothing of what a look does.

mod c_code;
mod other_stacks;
mod rust_code;

pub(crate) use c_code::{Builder, Library};
pub(crate) use other_stacks::is_on_own_stack;

use proptest::prelude::*;

/// C libraries that there are.
pub(crate) const LIBRARIES: usize = c_code::FLAGS.len();
/// Functions of each.
pub(crate) const FUNCTIONS: usize = c_code::FUNCTIONS.len();

/// Part of a call tree.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    /// A look at the stack.
    Look,
    /// Frames of one shape, and what is called from them in turn.
    Frame(Shape, Vec<Call>),
}

/// What frames lie between a call and what it calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// A function.
    Plain,
    /// A closure, by its own type.
    Closure,
    /// A closure, as a trait object.
    Dynamic,
    /// A frame of some kilobytes.
    Wide,
    /// A local of an alignment above the stack's.
    Realigned,
    /// A function that calls itself so many times.
    Recursive(u16),
    /// Two functions that call each other so many times.
    Mutual(u16),
    /// Three functions that call each other so many times, in an order without repetitions, which
    /// begins anew after the second number of calls.
    Winding(u16, u16),
    /// The callback of a sort of the standard library.
    Sorted,
    /// A function that panics after its calls, so many frames inside the one that catches it.
    Caught(u8),
    /// Calls made while a panic drops a local, so many frames inside the one that catches it.
    Dropped(u8),
    /// A signal handler, on the stack of what it interrupts.
    Interrupted,
    /// rbp is kept in the middle of the frame, and has this value meanwhile.
    OtherBase(u64),
    /// A C function by its number, of a library by its number, with so many bytes of `alloca`.
    C(usize, usize, u16),
    /// A coroutine that is left and entered again between its calls.
    Coroutine,
}

/// What the shapes need: code of other compilers.
pub(crate) struct Shapes {
    libraries: Vec<Library>,
    /// Keeps their files.
    _builder: Builder,
}

impl Shapes {
    /// Builds and opens the C libraries.
    pub(crate) fn new() -> Self {
        let builder = Builder::new();
        let libraries = c_code::FLAGS.iter().map(|flags| {
            let path = builder.build(flags);
            Library::open(&path)
        });
        Self {
            libraries: libraries.collect(),
            _builder: builder,
        }
    }

    /// Makes the calls, and looks where they say.
    pub(crate) fn run(&self, calls: &[Call], look: &mut dyn FnMut()) {
        for call in calls {
            match call {
                Call::Look => look(),
                Call::Frame(Shape::Coroutine, calls) => {
                    other_stacks::in_turns(calls.len(), &mut |turn| match turn {
                        Some(turn) => self.run(&calls[turn..=turn], look),
                        None => look(),
                    });
                }
                Call::Frame(shape, calls) => self.frame(*shape, &mut || self.run(calls, look)),
            }
        }
    }

    fn frame(&self, shape: Shape, then: &mut dyn FnMut()) {
        match shape {
            Shape::Plain => rust_code::plain(then),
            Shape::Closure => {
                let mut calls = 0;
                rust_code::generic(|| {
                    calls += 1;
                    then();
                });
                assert_eq!(calls, 1);
            }
            Shape::Dynamic => rust_code::dynamic(then),
            Shape::Wide => rust_code::wide(then),
            Shape::Realigned => rust_code::realigned(then),
            Shape::Recursive(depth) => rust_code::recursive(depth, then),
            Shape::Mutual(depth) => rust_code::even(depth, then),
            Shape::Winding(depth, round) => rust_code::winding(depth, round, then),
            Shape::Sorted => rust_code::sorted(then),
            Shape::Caught(depth) => rust_code::caught(depth, then),
            Shape::Dropped(depth) => rust_code::dropped(depth, then),
            Shape::Interrupted => rust_code::interrupted(then),
            Shape::OtherBase(value) => rust_code::other_base(value, then),
            Shape::C(library, function, room) => {
                let library = &self.libraries[library % self.libraries.len()];
                library.call(function, room, then);
            }
            Shape::Coroutine => other_stacks::in_turns(1, &mut |turn| {
                if turn.is_some() {
                    then();
                }
            }),
        }
    }
}

/// Call trees with a few dozen looks; frames as deep as a few hundred, seldom thousands.
pub(crate) fn call_trees() -> impl Strategy<Value = Vec<Call>> {
    let tree = Just(Call::Look).prop_recursive(24, 120, 4, |inner| {
        let calls = prop::collection::vec(prop_oneof![Just(Call::Look), inner], 1..4);
        (shapes(), calls).prop_map(|(shape, calls)| Call::Frame(shape, calls))
    });
    prop::collection::vec(tree, 1..6)
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![
        3 => Just(Shape::Plain),
        2 => Just(Shape::Closure),
        2 => Just(Shape::Dynamic),
        1 => Just(Shape::Wide),
        2 => Just(Shape::Realigned),
        2 => (1u16..60).prop_map(Shape::Recursive),
        2 => (1u16..60).prop_map(Shape::Mutual),
        1 => (1u16..60, 1u16..60).prop_map(|(depth, round)| Shape::Winding(depth, round)),
        1 => (60u16..400).prop_map(|depth| Shape::Winding(depth, u16::MAX)),
        1 => (1_000u16..4_000).prop_map(Shape::Recursive),
        1 => Just(Shape::Sorted),
        2 => (0u8..6).prop_map(Shape::Caught),
        2 => (0u8..6).prop_map(Shape::Dropped),
        1 => Just(Shape::Interrupted),
        // Also values that look like a place on the stack, or in the code.
        2 => any::<u64>().prop_map(Shape::OtherBase),
        1 => Just(Shape::OtherBase(0)),
        8 => (0..LIBRARIES, 0..FUNCTIONS, rooms())
            .prop_map(|(library, function, room)| Shape::C(library, function, room)),
        1 => Just(Shape::Coroutine),
    ]
}

/// Often of sizes that add up to the same, so that what is further in is where it was before.
fn rooms() -> impl Strategy<Value = u16> {
    prop_oneof![
        1u16..2_000,
        (1u16..5).prop_map(|n| n * 16),
        (1u16..5).prop_map(|n| n * 512)
    ]
}
