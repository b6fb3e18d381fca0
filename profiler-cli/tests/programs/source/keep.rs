//! Makes twice as many boxes as its argument says, keeps every other one, and frees the rest in
//! another thread.

#![forbid(unsafe_code)]

use std::sync::Mutex;

type Block = Box<[u8; 1000]>;

static KEPT: Mutex<Vec<Block>> = Mutex::new(Vec::new());

fn main() {
    heaplens::profile!();
    let count: usize = std::env::args().nth(1).expect("a count").parse().expect("a number");
    make_room(count);
    let mut rest: Vec<Block> = Vec::with_capacity(count);
    for number in 0..count {
        KEPT.lock().expect("one thread keeps").push(compose(number));
        rest.push(compose(number));
    }
    // No thread waits for the other one on the way: what that allocates differs by run.
    let frees = std::thread::spawn(move || drop(rest));
    frees.join().expect("the other thread ends");
}

#[inline(never)]
fn make_room(count: usize) {
    KEPT.lock().expect("one thread keeps").reserve_exact(count);
}

#[inline(never)]
fn compose(number: usize) -> Block {
    Box::new(std::hint::black_box([number as u8; 1000])) // [compose]
}
