//! The code that is judged: a function for each owner, so that each has a name and paths of its own.

use std::hint::black_box;

/// A block of memory.
pub(crate) type Block = Box<[u8]>;

/// Where a block is from.
pub(crate) type Owner = fn(usize) -> Block;

macro_rules! owners {
    ($($name:ident)*) => {$(
        #[inline(never)]
        pub(crate) fn $name(size: usize) -> Block {
            // A word of its own, lest the compiler make one function of all.
            black_box(stringify!($name));
            black_box(vec![1_u8; black_box(size)].into_boxed_slice())
        }
    )*};
}

owners!(leaking noisy first second third fourth fifth sixth);

/// One for each habit of a scenario.
pub(crate) const OWNERS: [Owner; 6] = [first, second, third, fourth, fifth, sixth];

/// One owner on two paths.
#[inline(never)]
pub(crate) fn noisy_answer(size: usize) -> Block {
    black_box("noisy_answer");
    black_box(noisy(black_box(size)))
}

/// The other one.
#[inline(never)]
pub(crate) fn noisy_index(size: usize) -> Block {
    black_box("noisy_index");
    black_box(noisy(black_box(size)))
}
