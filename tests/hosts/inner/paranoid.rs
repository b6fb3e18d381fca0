//! Checks each call against what it has handed out, and ends the program at the first that is wrong.
//!
//! A record stands in front of each block, and a fence behind it. New blocks are poisoned, freed ones
//! too, and these are kept for a while: who writes to them or frees them again is found out.

use super::Base;
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::AcqRel, Ordering::Relaxed};

/// Above [`Base`].
pub(super) struct Paranoid;

/// In front of each block, which begins right behind it.
#[repr(C)]
struct Record {
    /// [`LIVE`] or [`DEAD`], mixed with the block's address.
    mark: u64,
    size: usize,
    align: usize,
    _unused: u64,
}

const RECORD: usize = size_of::<Record>();
const LIVE: u64 = 0x6c69_7665_6c69_7665;
const DEAD: u64 = 0x6465_6164_6465_6164;

/// Bytes behind each block, and what they hold.
const FENCE: usize = 16;
const FENCE_BYTE: u8 = 0xf3;
const NEW_BYTE: u8 = 0xa5;
const FREED_BYTE: u8 = 0x5a;

/// Larger blocks are poisoned at both ends only, so many bytes.
const POISONED: usize = 64 << 10;

/// Freed blocks of up to [`POISONED`] bytes that are kept for so many frees.
static KEPT: [AtomicPtr<u8>; 256] = [const { AtomicPtr::new(null_mut()) }; 256];
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Bytes from the start of the outer block to the block.
fn offset(align: usize) -> usize {
    RECORD.next_multiple_of(align.max(16))
}

fn outer(size: usize, align: usize) -> Option<Layout> {
    let size = offset(align).checked_add(size)?.checked_add(FENCE)?;
    Layout::from_size_align(size, align.max(16)).ok()
}

fn fail(what: &str) -> ! {
    let say = |text: &str| {
        // SAFETY: the text is valid for its length. There is nobody to tell of a failure.
        unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    };
    say("paranoid: ");
    say(what);
    say("\n");
    std::process::abort();
}

/// Fills a block, or its ends.
///
/// # Safety
/// The block has `size` bytes, which nobody else uses.
unsafe fn poison(block: *mut u8, size: usize, byte: u8) {
    let end = size.min(POISONED);
    // SAFETY: both lie within the block.
    unsafe {
        block.write_bytes(byte, end);
        block.add(size - end).write_bytes(byte, end);
    }
}

/// # Safety
/// `block` has a record in front of it, and a fence behind.
unsafe fn admit(block: *mut u8, size: usize, align: usize) {
    if !(block as usize).is_multiple_of(align) {
        fail("the inner allocator's alignment is wrong");
    }
    // SAFETY: the caller vouches for both.
    unsafe {
        block.cast::<Record>().sub(1).write(Record {
            mark: LIVE ^ block as u64,
            size,
            align,
            _unused: 0,
        });
        block.add(size).write_bytes(FENCE_BYTE, FENCE);
    }
}

/// Ends the program unless `block` is alive and was made with this layout.
///
/// # Safety
/// The record's bytes before the block can be read.
unsafe fn check(block: *mut u8, layout: Layout) {
    if !(block as usize).is_multiple_of(16) && layout.align() <= 16 {
        fail("a block that was never handed out");
    }
    // SAFETY: aligned, and the caller vouches for the bytes.
    let record = unsafe { &*block.cast::<Record>().sub(1) };
    if record.mark == DEAD ^ block as u64 {
        fail("a block that was freed before");
    }
    if record.mark != LIVE ^ block as u64 {
        fail("a block that was never handed out");
    }
    if record.size != layout.size() {
        fail("another size than the block's");
    }
    if record.align != layout.align() {
        fail("another alignment than the block's");
    }
    // SAFETY: the fence behind a block of this size.
    let fence = unsafe { std::slice::from_raw_parts(block.add(layout.size()), FENCE) };
    if fence.iter().any(|&byte| byte != FENCE_BYTE) {
        fail("something was written behind the block");
    }
}

/// Frees a block that was dead for a while.
///
/// # Safety
/// The block is dead, and nobody else has it.
unsafe fn let_go(block: *mut u8) {
    // SAFETY: dead blocks have their record still, and their outer layout follows from it.
    unsafe {
        let record = block.cast::<Record>().sub(1).read();
        let contents = std::slice::from_raw_parts(block, record.size.min(POISONED));
        if contents.iter().any(|&byte| byte != FREED_BYTE) {
            fail("something was written to a block after it was freed");
        }
        if let Some(outer) = outer(record.size, record.align) {
            Base.dealloc(block.sub(offset(record.align)), outer);
        }
    }
}

/// # Safety
/// As for `GlobalAlloc::alloc`.
unsafe fn make(layout: Layout, zeroed: bool) -> *mut u8 {
    let Some(outer) = outer(layout.size(), layout.align()) else {
        return null_mut();
    };
    // SAFETY: the outer block has room for the record, the block and the fence.
    unsafe {
        let start = match zeroed {
            true => Base.alloc_zeroed(outer),
            false => Base.alloc(outer),
        };
        if start.is_null() {
            return start;
        }
        let block = start.add(offset(layout.align()));
        if !zeroed {
            poison(block, layout.size(), NEW_BYTE);
        }
        admit(block, layout.size(), layout.align());
        block
    }
}

// SAFETY: every block is `Base`'s, of the layout that `outer` says; all calls are checked.
unsafe impl GlobalAlloc for Paranoid {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { make(layout, false) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: passed on.
        unsafe { make(layout, true) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller says that the block is ours; checked.
        unsafe {
            check(block, layout);
            block
                .cast::<Record>()
                .sub(1)
                .cast::<u64>()
                .write(DEAD ^ block as u64);
            poison(block, layout.size(), FREED_BYTE);
            let mut last = block;
            if layout.size() <= POISONED {
                let place = NEXT.fetch_add(1, Relaxed) % KEPT.len();
                last = KEPT[place].swap(block, AcqRel);
            }
            if !last.is_null() {
                let_go(last);
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Always to another place, so that nobody relies on the old one.
        // SAFETY: the caller says that the block is ours, which `dealloc` checks; the new one is at
        // least as long as what is copied.
        unsafe {
            check(block, layout);
            let new = make(
                Layout::from_size_align_unchecked(new_size, layout.align()),
                false,
            );
            if !new.is_null() {
                new.copy_from_nonoverlapping(block, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

/// Whether it finds each kind of wrong call, in a forked child of its own each.
pub(crate) fn finds_wrong_calls() -> bool {
    let layout = Layout::new::<[u64; 5]>();
    let size = |size| Layout::from_size_align(size, layout.align()).unwrap_or(layout);
    let align = Layout::from_size_align(layout.size(), 1).unwrap_or(layout);
    // SAFETY: each call is as wrong as it looks, and is refused in a child that ends by it.
    unsafe {
        ends_the_program(|block| Paranoid.dealloc(block, size(41)), layout)
            && ends_the_program(|block| Paranoid.dealloc(block, align), layout)
            && ends_the_program(|block| Paranoid.dealloc(block.add(16), size(24)), layout)
            && ends_the_program(|block| block.add(40).write(0), layout)
            && ends_the_program(|block| Paranoid.dealloc(block, layout), layout)
    }
}

/// Whether a child that does this and then frees the block ends by SIGABRT.
///
/// # Safety
/// What is wrong with `wrong` is found out before it does harm.
unsafe fn ends_the_program(wrong: impl FnOnce(*mut u8), layout: Layout) -> bool {
    // SAFETY: the child calls nothing but the allocator below and ends.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            // What it says is not for the reader of the test.
            libc::close(libc::STDERR_FILENO);
            let block = Paranoid.alloc(layout);
            wrong(block);
            Paranoid.dealloc(block, layout);
            libc::_exit(0);
        }
        let mut status = 0;
        libc::waitpid(child, &raw mut status, 0) == child
            && libc::WIFSIGNALED(status)
            && libc::WTERMSIG(status) == libc::SIGABRT
    }
}
