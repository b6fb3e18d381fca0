//! The programs.

use crate::atomic::AtomicU64;
use crate::atomic::Ordering::{Acquire, Release};
use crate::tables::counters::{Counters, Delta, Sums};
use crate::tables::flush;
use crate::tables::large_samples::{LargeSamples, Sample};
use crate::tables::site_tree::{ROOT, SiteTree};
use crate::tables::slot_bitmap::SlotBitmap;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

/// Each with its name.
pub(crate) const ALL: [(&str, fn()); 5] = [
    ("two threads add the same child of the tree", same_child),
    ("a path made while it is looked up is whole", path_is_whole),
    (
        "a sample is removed whole by another thread",
        sample_is_whole,
    ),
    ("a slot has one owner at a time", one_owner),
    ("rows and a cache add up while it is flushed", sums_add_up),
];

fn same_child() {
    let tree = Arc::new(SiteTree::new(4, 8));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let tree = Arc::clone(&tree);
            thread::spawn(move || tree.child(ROOT, 0x5500))
        })
        .collect();
    let nodes: Vec<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
    assert_eq!(nodes[0], nodes[1]);
    assert_eq!(tree.get(nodes[0]), Some((ROOT, 0x5500)));
    // The id of the thread that was slower names nothing.
    let named = (0..tree.len() as u32).filter(|&id| tree.get(id).is_some());
    assert_eq!(named.count(), 1);
}

/// Whoever gets a node by a link sees all that belongs to it.
fn path_is_whole() {
    let tree = Arc::new(SiteTree::new(6, 8));
    let maker = {
        let tree = Arc::clone(&tree);
        thread::spawn(move || tree.child(ROOT, 1))
    };
    let node = tree.child(ROOT, 1);
    assert_eq!(tree.get(node), Some((ROOT, 1)));
    assert_eq!(maker.join().unwrap(), node);
}

const SAMPLE: Sample = Sample {
    site: 3,
    birth: 5,
    size: 70_000,
    mean: 512,
};

/// One thread makes a block and hands it over by nothing but its address in the table; the other
/// one lists samples, then frees the block.
fn sample_is_whole() {
    let table = Arc::new(LargeSamples::new(8));
    let maker = {
        let table = Arc::clone(&table);
        thread::spawn(move || assert!(table.insert(0x1000, SAMPLE)))
    };
    let reader = {
        let table = Arc::clone(&table);
        thread::spawn(move || {
            for sample in table.iter() {
                assert_eq!(sample, SAMPLE);
            }
            if let Some(sample) = table.remove(0x1000) {
                assert_eq!(sample, SAMPLE);
            }
        })
    };
    maker.join().unwrap();
    reader.join().unwrap();
}

fn one_owner() {
    // Room for 64, of which all but one are taken.
    let slots = Arc::new(SlotBitmap::new(64));
    for _ in 0..63 {
        slots.take().unwrap();
    }
    let block = Arc::new(UnsafeCell::new(0));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (slots, block) = (Arc::clone(&slots), Arc::clone(&block));
            thread::spawn(move || {
                if let Some(slot) = slots.take() {
                    // The checker fails where two threads may be here at a time, or one may not
                    // see what the other one has left.
                    // SAFETY: the slot's memory belongs to whoever has taken it.
                    block.with_mut(|block| unsafe { *block += 1 });
                    assert!(slots.release(slot));
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(slots.taken().count(), 63);
}

/// A cache of one line, of one site. What a reader adds up counts the block once.
fn sums_add_up() {
    const SITE: usize = 1;
    let counters = Arc::new(Counters::new(2));
    let cached = Arc::new(AtomicU64::new(1));
    let owner = {
        let (counters, cached) = (Arc::clone(&counters), Arc::clone(&cached));
        thread::spawn(move || {
            let clear = || cached.store(0, Release);
            flush(&counters, SITE as u32, &Delta::allocation(100), clear);
        })
    };
    let before = counters.settled(SITE);
    let mut sums = Sums::default();
    if cached.load(Acquire) == 1 {
        sums.add(&Delta::allocation(100));
    }
    let (row, _) = counters.read(SITE);
    sums.live_bytes += row.live_bytes;
    sums.total_count += row.total_count;
    if before.is_some() && counters.settled(SITE) == before {
        assert_eq!((sums.live_bytes, sums.total_count), (100, 1));
    }
    owner.join().unwrap();
}
