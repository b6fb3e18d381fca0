//! Call stacks without frame pointers: from the registers to a list of addresses.
//!
//! `registers` reads where the caller is, `modules` knows the unwind tables of what is loaded,
//! `cfi` reads one rule out of them (with `cursor` and `row`), `epilogue` reads one out of the code
//! where the tables have none, `rules` remembers rules, `bounds` says which memory is this thread's
//! stack, `step` takes one step, `check` says how a step is checked again, and `replay` walks, reusing
//! what it can prove unchanged since the last walk.
//!
//! Nothing here names functions or knows what a stack is for, and nothing but `modules::refresh`
//! and `bounds::calibrate` allocates, locks or asks the system.

#[cfg(feature = "internals")]
pub(crate) mod any_bytes;
pub(crate) mod bounds;
mod cfi;
mod check;
mod cursor;
mod epilogue;
pub(crate) mod modules;
mod registers;
pub(crate) mod replay;
mod row;
pub(crate) mod rules;
pub(crate) mod step;

pub(crate) use registers::{CallRecord, Registers};
