//! The address of a block is another thread's before `dealloc` or `realloc` has returned.

use crate::host::{Books, start, storm};
use crate::inner::{SWAPPED_SIZE, be_taker, hand_over, let_taker_go, retire};
use std::alloc::{Layout, alloc, dealloc, realloc};
use std::hint::black_box;
use std::thread;

const LAYOUT: Layout = match Layout::from_size_align(SWAPPED_SIZE, 8) {
    Ok(layout) => layout,
    Err(_) => panic!("a layout"),
};
const GROWN: usize = 3 * SWAPPED_SIZE;

pub(crate) fn keeps_the_books() {
    let _profiler = start();
    let rounds = storm(1_000);
    let books = Books::open();
    let taker = thread::spawn(take_over);
    for round in 0..rounds {
        give_up(round % 2 == 0);
    }
    retire();
    let taken = taker.join().expect("the taker does not panic");
    assert_eq!(taken.len(), rounds);
    books.balance_with((taken.len() * (SWAPPED_SIZE + size_of::<usize>())) as i64);
    for address in taken {
        // SAFETY: made by the taker with this layout, and freed once.
        unsafe { dealloc(address as *mut u8, LAYOUT) };
    }
    books.balance();
}

/// Makes a block, and gives its address up by `dealloc` or by `realloc`.
fn give_up(by_dealloc: bool) {
    // SAFETY: each block is used with its own layout, and freed once.
    unsafe {
        let block = black_box(alloc(LAYOUT));
        assert!(!block.is_null(), "memory for a test");
        hand_over(true);
        if by_dealloc {
            dealloc(block, LAYOUT);
            return hand_over(false);
        }
        let grown = black_box(realloc(block, LAYOUT, GROWN));
        hand_over(false);
        dealloc(
            grown,
            Layout::from_size_align_unchecked(GROWN, LAYOUT.align()),
        );
    }
}

/// Takes each address that is given up.
fn take_over() -> Vec<usize> {
    let mut taken = Vec::new();
    while be_taker() {
        // SAFETY: the size is not zero.
        let block = unsafe { alloc(LAYOUT) };
        let_taker_go();
        taken.push(block as usize);
    }
    taken
}
