//! Call stacks without frame pointers: from the registers to a list of addresses.
//!
//! `registers` reads where the caller is, `modules` knows the unwind tables of what is loaded,
//! `cfi` reads one rule out of them, `rules` remembers rules, `bounds` says which memory is this
//! thread's stack, and `replay` walks, reusing what it can prove unchanged since the last walk.
//!
//! Nothing here names functions or knows what a stack is for, and nothing but `modules::refresh`
//! and `bounds::calibrate` allocates, locks or asks the system.

pub(crate) mod bounds;
mod cfi;
pub(crate) mod modules;
mod registers;
pub(crate) mod replay;
pub(crate) mod rules;

pub(crate) use registers::Registers;
