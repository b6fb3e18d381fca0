//! Walks of the caller's stack, to its end.

use std::hint::black_box;

/// Most frames that are kept; no stack here is deeper.
const MOST: usize = 256;

/// Does nothing: what calls alone cost.
#[inline(never)]
pub(crate) fn nothing() {
    black_box(());
}

/// A walk along frame pointers, at its best: it trusts a chain of addresses within the stack.
///
/// What it finds is right only in a program that is built with `-C force-frame-pointers=yes`.
#[derive(Debug)]
pub(crate) struct FramePointers {
    low: usize,
    high: usize,
    addresses: [usize; MOST],
}

impl FramePointers {
    /// For the calling thread.
    pub(crate) fn new() -> Self {
        let (low, high) = own_stack();
        Self {
            low,
            high,
            addresses: [0; MOST],
        }
    }

    /// Stores the return addresses, and returns how many there are.
    #[inline(never)]
    pub(crate) fn walk(&mut self) -> usize {
        let mut base: usize;
        // SAFETY: reads a register.
        unsafe {
            std::arch::asm!("mov {}, rbp", out(reg) base, options(nomem, nostack, preserves_flags));
        }
        let mut count = 0;
        while count < MOST && base >= self.low && base < self.high && base & 7 == 0 {
            // SAFETY: two words within this thread's stack, whose end is that of a page.
            let (outer, address) = unsafe {
                let frame = base as *const usize;
                (frame.read(), frame.add(1).read())
            };
            if address == 0 {
                break;
            }
            self.addresses[count] = address;
            count += 1;
            // A caller's frame is further out.
            if outer <= base {
                break;
            }
            base = outer;
        }
        black_box(&self.addresses);
        count
    }
}

/// Bounds of the calling thread's stack; 16 bytes are left out at its end.
fn own_stack() -> (usize, usize) {
    let (mut start, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: fills the locals, and frees what it has made.
    unsafe {
        let mut attributes = std::mem::zeroed();
        assert_eq!(
            libc::pthread_getattr_np(libc::pthread_self(), &mut attributes),
            0
        );
        assert_eq!(
            libc::pthread_attr_getstack(&attributes, &mut start, &mut size),
            0
        );
        libc::pthread_attr_destroy(&mut attributes);
    }
    (start as usize, start as usize + size - 16)
}

/// The `backtrace` crate's walk; returns how many frames there are.
#[inline(never)]
pub(crate) fn backtrace() -> usize {
    let mut addresses = [0; MOST];
    let mut count = 0;
    // SAFETY: this program has one thread that traces.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            addresses[count] = frame.ip() as usize;
            count += 1;
            count < MOST
        });
    }
    black_box(&addresses);
    count
}
