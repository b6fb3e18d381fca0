//! Hands the address of a block to another thread before the call that gave it up has returned.
//!
//! The worst moment for books that are kept by address: whoever forgets the old block only after the
//! inner call forgets the other thread's new one.

use super::Base;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::{Acquire, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, compiler_fence};
use std::thread::yield_now;

/// Above [`Base`].
pub(super) struct Swapping;

/// Bytes of the blocks that change hands, as the program asks for them.
pub(crate) const SWAPPED_SIZE: usize = 100 << 10;

/// A block on its way to the taker.
static ON_OFFER: AtomicPtr<u8> = AtomicPtr::new(null_mut());

thread_local! {
    /// Atomic, since to the compiler an allocator's functions read nothing of the program's.
    static IS_GIVER: AtomicBool = const { AtomicBool::new(false) };
    static IS_TAKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether the blocks that this thread gives up go to the taker.
pub(crate) fn hand_over(blocks: bool) {
    compiler_fence(SeqCst);
    IS_GIVER.with(|giver| giver.store(blocks, SeqCst));
    compiler_fence(SeqCst);
}

/// Waits for a block to be on offer. This thread's next allocation of its size gets it.
pub(crate) fn be_taker() -> bool {
    loop {
        let block = ON_OFFER.load(Acquire);
        if block == RETIRED {
            return false;
        }
        if !block.is_null() {
            IS_TAKER.set(true);
            return true;
        }
        yield_now();
    }
}

/// Says that the allocation has returned: so may the call that gave the block up.
pub(crate) fn let_taker_go() {
    assert!(!IS_TAKER.replace(false), "the block was not taken");
    ON_OFFER.store(null_mut(), Release);
}

/// No more blocks will be on offer.
pub(crate) fn retire() {
    ON_OFFER.store(RETIRED, Release);
}

const RETIRED: *mut u8 = std::ptr::without_provenance_mut(1);

/// Offers a block, and waits until another thread's allocation has returned it.
fn offer(block: *mut u8) {
    ON_OFFER.store(block, Release);
    while ON_OFFER.load(Acquire) == block {
        yield_now();
    }
}

fn is_giver() -> bool {
    IS_GIVER.with(|giver| giver.load(SeqCst))
}

fn is_swapped(layout: Layout) -> bool {
    // A header may have been added.
    (SWAPPED_SIZE..=SWAPPED_SIZE + 64).contains(&layout.size())
}

// SAFETY: forwards, but for blocks that are handed from one owner to the next.
unsafe impl GlobalAlloc for Swapping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_swapped(layout) && IS_TAKER.replace(false) {
            return ON_OFFER.load(Acquire);
        }
        // SAFETY: passed on.
        unsafe { Base.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if is_swapped(layout) && is_giver() {
            return offer(block);
        }
        // SAFETY: passed on.
        unsafe { Base.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if !(is_swapped(layout) && is_giver()) {
            // SAFETY: passed on.
            return unsafe { Base.realloc(block, layout, new_size) };
        }
        // SAFETY: a new block at least as long as what is copied, then the old one changes hands.
        unsafe {
            let new = Base.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            assert!(!new.is_null(), "memory for a test");
            new.copy_from_nonoverlapping(block, layout.size().min(new_size));
            offer(block);
            new
        }
    }
}
