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
    // The first round warms up what the allocators and heaplens keep.
    for _ in 0..2 {
        compare(bare);
    }
}

/// Blocks go through `black_box`: the compiler would do without them.
fn compare(bare: &impl GlobalAlloc) {
    let zeroed = Layout::from_size_align(256 * MIB, 8).unwrap();
    let grown = Layout::from_size_align(64 * MIB, 8).unwrap();
    // SAFETY: blocks are used with their own layouts, and freed by who made them.
    unsafe {
        let bare_faults = faults(|| {
            let block = bare.alloc_zeroed(zeroed);
            assert!(!black_box(block).is_null());
            bare.dealloc(block, zeroed);
        });
        let our_faults = faults(|| {
            let block = alloc_zeroed(zeroed);
            assert!(!black_box(block).is_null());
            dealloc(block, zeroed);
        });
        assert!(
            our_faults <= bare_faults + BESIDE,
            "alloc_zeroed: {our_faults} > {bare_faults}"
        );

        let bare_faults = faults(|| {
            let block = bare.alloc_zeroed(grown);
            let block = bare.realloc(block, grown, 65 * MIB);
            assert!(!black_box(block).is_null());
            bare.dealloc(block, Layout::from_size_align_unchecked(65 * MIB, 8));
        });
        let our_faults = faults(|| {
            let block = alloc_zeroed(grown);
            let block = realloc(block, grown, 65 * MIB);
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
