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
    let (sender, receiver) = std::sync::mpsc::sync_channel::<Block>(16);
    let frees = std::thread::spawn(move || receiver.into_iter().for_each(drop));
    for number in 0..count {
        KEPT.lock().expect("one thread keeps").push(compose(number));
        sender.send(compose(number)).expect("the other thread runs");
    }
    drop(sender);
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
