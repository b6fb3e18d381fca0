//! The walk against two oracles: the `backtrace` crate, and a walk that remembers nothing.

#[path = "../../../tests/call_shapes/mod.rs"]
mod call_shapes;
mod call_trees;
mod deep;
#[path = "../../../tests/inner/full_unwind.rs"]
mod full_unwind;
mod guesses;
mod limits;
mod loading;
mod probe;
mod recursion;

use super::*;
