//! Large blocks cost what they cost the inner allocator: zeroed ones stay untouched, growing ones
//! are not copied.

use std::alloc::{GlobalAlloc, Layout, alloc_zeroed, dealloc, realloc};
use std::hint::black_box;

const MIB: usize = 1 << 20;

/// Pages that tables, headers and the allocators' own bookkeeping may touch: 1 MiB. Zeroing or
/// copying a block would touch 16,384 and more.
const BESIDE: i64 = 256;

/// `bare` is what the program's allocator wraps.
pub(crate) fn as_the_bare_allocator(bare: &impl GlobalAlloc) {
    // With huge pages, touching all of a block would take a few hundred.
    // SAFETY: changes nothing but how this process' memory is mapped.
    let refused = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
    assert_eq!(refused, 0);
    zeroed_blocks_stay_untouched();
    // The first round warms up what the allocators and heaplens keep.
    for _ in 0..2 {
        growing_blocks_are_not_copied(bare);
    }
}

/// Blocks go through `black_box`: the compiler would do without them.
fn zeroed_blocks_stay_untouched() {
    let layout = Layout::from_size_align(256 * MIB, 8).unwrap();
    let rounds = (0..3).map(|_| {
        faults(|| {
            // SAFETY: freed with its own layout.
            unsafe {
                let block = alloc_zeroed(layout);
                assert!(!black_box(block).is_null());
                dealloc(block, layout);
            }
        })
    });
    // Memory that it has had before, an allocator may have to zero: mimalloc does. That of the first
    // round is the system's own.
    let faults = rounds.min().unwrap();
    assert!(faults <= BESIDE, "alloc_zeroed: {faults}");
}

fn growing_blocks_are_not_copied(bare: &impl GlobalAlloc) {
    let layout = Layout::from_size_align(64 * MIB, 8).unwrap();
    // SAFETY: blocks are used with their own layouts, and freed by who made them.
    unsafe {
        let bare_faults = faults(|| {
            let block = bare.alloc_zeroed(layout);
            let block = bare.realloc(block, layout, 65 * MIB);
            assert!(!black_box(block).is_null());
            bare.dealloc(block, Layout::from_size_align_unchecked(65 * MIB, 8));
        });
        let our_faults = faults(|| {
            let block = alloc_zeroed(layout);
            let block = realloc(block, layout, 65 * MIB);
            assert!(!black_box(block).is_null());
            dealloc(block, Layout::from_size_align_unchecked(65 * MIB, 8));
        });
        assert!(
            our_faults <= bare_faults + BESIDE,
            "realloc: {our_faults} > {bare_faults}"
        );
    }
}

/// Pages that `work` makes the system give this thread.
fn faults(work: impl FnOnce()) -> i64 {
    let count = || {
        // SAFETY: getrusage fills the local.
        unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            assert_eq!(libc::getrusage(libc::RUSAGE_THREAD, &mut usage), 0);
            usage.ru_minflt
        }
    };
    let before = count();
    work();
    count() - before
}
