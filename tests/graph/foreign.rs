//! Programs that hold blocks from memory which is not heaplens'.

use crate::inner::Inner;
use crate::{Build, Program};
use std::alloc::{GlobalAlloc, Layout};
use std::collections::HashSet;
use std::hint::black_box;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

/// What no scan can see over jemalloc, whose free memory keeps its seals.
pub(crate) const UNSEEN: Build = ("behind-a-seal", behind_a_seal);

type Block = [u64; 6];
type Piece = [*mut Block; 8];

pub(crate) fn c_memory() -> Program {
    static SMALL: AtomicPtr<*mut u64> = AtomicPtr::new(null_mut());
    // SAFETY: the memory is fresh, and as large.
    unsafe { fill_c_memory(libc::malloc(8_000).cast(), 8_000, &SMALL) }
}

/// So large that glibc maps it, as a mapping of its own: a page that nobody may access follows.
pub(crate) fn mapped_c_memory() -> Program {
    const BYTES: usize = 1 << 20;
    const HEADER: usize = 16;
    static LARGE: AtomicPtr<*mut u64> = AtomicPtr::new(null_mut());
    // SAFETY: a new mapping takes the place of one that was given back, and none of another. The table is
    // fresh, and as large.
    unsafe {
        let behind = libc::malloc(BYTES);
        let table = libc::malloc(BYTES);
        libc::free(behind);
        let end = (table as usize + BYTES).next_multiple_of(4096);
        if end == behind as usize - HEADER {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
            let guard = libc::mmap(end as *mut _, 4096, libc::PROT_NONE, flags, -1, 0);
            assert_ne!(guard, libc::MAP_FAILED);
        }
        fill_c_memory(table.cast(), BYTES, &LARGE)
    }
}

/// Pieces of C memory, each with the address of the next behind it and a pointer: as free memory that an allocator
/// has cut up and not given out.
pub(crate) fn pool_of_c() -> Program {
    const LEN: usize = 1_000;
    static POOL: AtomicPtr<Piece> = AtomicPtr::new(null_mut());
    #[repr(C)]
    struct Piece {
        next: *mut Piece,
        block: *mut u64,
    }
    // SAFETY: the memory is fresh, and as large.
    unsafe {
        let pool: *mut Piece = libc::malloc(LEN * size_of::<Piece>()).cast();
        for at in 0..LEN {
            pool.add(at).write(Piece {
                next: pool.add(at + 1),
                block: Box::into_raw(Box::new(at as u64)),
            });
        }
        POOL.store(pool, SeqCst);
    }
    Program {
        foreign: (LEN - LEN / 50) as u64,
        ..Program::default()
    }
}

fn piece_of_inner() -> *mut Piece {
    // SAFETY: the layout is not empty.
    let piece = unsafe { Inner.alloc(Layout::new::<Piece>()) };
    assert!(!piece.is_null());
    piece.cast()
}

/// Memory that the program has of the inner allocator itself, between blocks of the same size and where there have been
/// some.
pub(crate) fn memory_of_inner() -> Program {
    const LEN: usize = 1_000;
    static FIRST: AtomicPtr<Piece> = AtomicPtr::new(null_mut());
    let block = |at| Box::new([at as u64; 6]);
    drop((0..4 * LEN).map(block).collect::<Vec<_>>());
    let mut first: *mut Piece = null_mut();
    for at in 0..LEN {
        let piece = piece_of_inner();
        let mut words = [Box::into_raw(block(at)); 8];
        words[0] = first.cast();
        // SAFETY: fresh, and as large.
        unsafe { piece.write(words) };
        first = piece;
    }
    FIRST.store(first, SeqCst);
    Program {
        // Others are held by what the vector has left.
        foreign: (LEN / 2) as u64,
        ..Program::default()
    }
}

/// Spreads pointers over C memory, which is held by a number in a static.
///
/// # Safety
/// The memory is fresh and has so many bytes.
unsafe fn fill_c_memory(
    table: *mut *mut u64,
    bytes: usize,
    holder: &'static AtomicPtr<*mut u64>,
) -> Program {
    const LEN: usize = 1_000;
    let step = bytes / size_of::<usize>() / LEN;
    for at in 0..LEN {
        // SAFETY: within the memory.
        unsafe {
            let block = Box::into_raw(Box::new(at as u64));
            table.add(at * step).write(block);
        }
    }
    holder.store(table, SeqCst);
    black_box(holder.load(SeqCst));
    Program {
        foreign: LEN as u64 - 10,
        ..Program::default()
    }
}

/// Memory that the program has of the inner allocator itself, where there was a block, and that it has not written to at
/// its start.
fn behind_a_seal() -> Program {
    const LEN: u64 = 2_000;
    static FIRST: AtomicPtr<Piece> = AtomicPtr::new(null_mut());
    let block = |at| Some(Box::new([at; 6]));
    let mut blocks: Vec<Option<Box<Block>>> = (0..8 * LEN).map(block).collect();
    // As numbers that are no addresses. Each second one stays, so that the memory of all stays what it is.
    let had = |block: Box<Block>| !(&raw const *block as usize);
    let freed = blocks.iter_mut().step_by(2).filter_map(Option::take);
    let had: HashSet<usize> = freed.map(had).collect();
    let mut first: *mut Piece = null_mut();
    let mut unreached = 0;
    for _ in 0..100 * LEN {
        if unreached == LEN {
            break;
        }
        let piece = piece_of_inner();
        if !had.contains(&!(piece as usize + 16)) {
            continue;
        }
        let words = piece.cast::<*mut Block>();
        // SAFETY: within the piece, which is fresh.
        unsafe {
            words.add(6).write(Box::into_raw(Box::new([7; 6])));
            words.add(7).write(first.cast());
        }
        first = piece;
        unreached += 1;
    }
    FIRST.store(first, SeqCst);
    assert_eq!(unreached, LEN, "the allocator gives out what it had");
    Program {
        kept: Box::new(blocks),
        unreached,
        ..Program::default()
    }
}
