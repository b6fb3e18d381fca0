//! Allocates and frees in a loop: the arguments are how often, and at what depth of calls.

use std::hint::black_box;

pub fn run() {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse().unwrap());
    let (Some(pairs), Some(depth)) = (arguments.next(), arguments.next()) else {
        panic!("needs a number of pairs and a depth");
    };
    // At many addresses: at one in 256 a free is looked at twice, and one alone may be such a one.
    let mut blocks: [Option<Box<usize>>; PLACES] = [const { None }; PLACES];
    at_depth(depth, &mut || {
        for number in 0..pairs {
            blocks[number % PLACES] = Some(Box::new(black_box(number)));
        }
    });
    black_box(blocks);
}

/// Blocks that are alive at a time.
const PLACES: usize = 1_024;

#[inline(never)]
fn at_depth(depth: usize, work: &mut dyn FnMut()) -> usize {
    if depth == 0 {
        work();
        return 0;
    }
    black_box(at_depth(black_box(depth - 1), work)) + 1
}
