//! How much stack a call of the allocator takes.

use crate::host::on_bare_thread;
use crate::inner::Inner;
use std::alloc::{GlobalAlloc, Layout, alloc, dealloc};
use std::arch::asm;
use std::hint::black_box;

const STACK: usize = 512 << 10;
/// What is painted, from a little below the measuring frame.
const PAINTED: usize = 256 << 10;
const MARGIN: usize = 512;
const PAINT: u8 = 0xc7;

/// Bytes that the largest of a few calls takes, heaplens and the inner allocator together.
pub(crate) fn stack_of_a_call() -> usize {
    // SAFETY: the size is not zero, and the block is freed as it was made.
    measured(|layout| unsafe { dealloc(black_box(alloc(layout)), layout) })
}

/// The same for the inner allocator alone.
pub(crate) fn stack_of_inner_call() -> usize {
    // SAFETY: as above.
    measured(|layout| unsafe { Inner.dealloc(black_box(Inner.alloc(layout)), layout) })
}

fn measured(call: fn(Layout)) -> usize {
    let mut most = 0;
    on_bare_thread(STACK, || {
        // The first round is that of a thread that nobody knows yet.
        for size in [1, 1, 100, 4_000, 20_000, 100_000, 1_000_000, 4_000] {
            let layout = Layout::from_size_align(size, 8).expect("a layout");
            most = most.max(stack_below(&mut || call(layout)));
        }
    });
    most
}

/// Bytes below this function's frame that `work` writes to, up to [`MARGIN`] too many.
#[inline(never)]
fn stack_below(work: &mut dyn FnMut()) -> usize {
    let sp: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, rsp", out(reg) sp, options(nomem, nostack, preserves_flags)) };
    let painted = (sp - MARGIN - PAINTED)..(sp - MARGIN);
    for address in painted.clone().step_by(8) {
        // SAFETY: the thread's stack is larger, and nothing is in use so far below its stack pointer.
        unsafe { (address as *mut [u8; 8]).write_volatile([PAINT; 8]) };
    }
    black_box(work)();
    // SAFETY: as above.
    let is_touched =
        |&address: &usize| unsafe { (address as *const [u8; 8]).read_volatile() } != [PAINT; 8];
    let lowest = painted.step_by(8).find(is_touched);
    lowest.map_or(0, |address| sp - address)
}
