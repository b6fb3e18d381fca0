//! Programs that do to the allocator what they should not, or hold what it might want.

use crate::driver::Ended;
use crate::host::{Books, block, churn, is_exact, start, storm, take};
use crate::inner::Inner;
use fastrand::Rng;
use heaplens::SnapshotError;
use std::alloc::{GlobalAlloc, Layout, dealloc, realloc};
use std::io::{stderr, stdout};
use std::sync::mpsc::channel;
use std::thread;

/// Blocks that heaplens has never seen go where they came from, and are counted where that can be told.
pub(crate) fn of_foreign_blocks() {
    let _profiler = start();
    let books = Books::open();
    let count = storm(1_000);
    let layout = Layout::new::<[u64; 6]>();
    for _ in 0..count {
        // SAFETY: blocks of the inner allocator, each given back once with its own layout. The first
        // keeps what lies before the others readable.
        unsafe {
            let [first, freed, moved] = [(); 3].map(|()| Inner.alloc(layout));
            assert!(![first, freed, moved].iter().any(|block| block.is_null()));
            moved.write(42);
            dealloc(freed, layout);
            let moved = realloc(moved, layout, 20);
            assert_eq!(moved.read(), 42);
            dealloc(moved, Layout::from_size_align_unchecked(20, layout.align()));
            Inner.dealloc(first, layout);
        }
    }
    let foreign = books.balance().header.losses.foreign_frees;
    // In sampled mode a block that moves may become a sampled one.
    match is_exact() {
        true => assert_eq!(foreign, 3 * count as u64),
        false => assert_eq!(foreign, 0),
    }
}

/// A thread holds the locks of the standard streams, and allocates, while snapshots are taken: one of
/// them has something to say.
pub(crate) fn of_the_standard_streams() {
    let _profiler = start();
    let (held, is_held) = channel();
    let (give_back, until) = channel();
    let holder = thread::spawn(move || {
        let _locks = (stdout().lock(), stderr().lock());
        held.send(()).expect("the main thread waits");
        let mut random = Rng::with_seed(0);
        while until.try_recv().is_err() {
            churn(&mut random, 10);
        }
    });
    is_held.recv().expect("the holder has the locks");
    for _ in 0..storm(30) {
        drop(block(10));
        take("locked");
    }
    let folder = std::env::var_os("HEAPLENS_DIR").expect("set by the driver");
    let aside = std::path::Path::new(&folder).with_extension("aside");
    std::fs::rename(&folder, &aside).expect("the folder is ours");
    std::fs::write(&folder, "in the way").expect("a file");
    // Not for want of time: nobody waits for the locks.
    let refused = heaplens::snapshot("refused");
    assert!(
        matches!(refused, Err(SnapshotError::Write { .. })),
        "{refused:?}"
    );
    give_back.send(()).expect("the holder waits");
    holder.join().expect("the holder ends");
}

pub(crate) fn is_told_of_the_folder(ended: &Ended) -> Result<(), String> {
    let is_told = ended
        .stderr
        .starts_with("heaplens: cannot write a snapshot to ");
    match ended.status.success() && is_told {
        true => Ok(()),
        false => Err("not one line about the folder".to_owned()),
    }
}
