//! Allocations in the last moments of threads and of the process.

use crate::driver::Ended;
use crate::host::{Books, bare_thread, block, churn, join, start, storm};
use fastrand::Rng;
use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::thread;

/// Keys made before the first allocation, so before heaplens', and after it.
static EARLY_KEY: AtomicU32 = AtomicU32::new(u32::MAX);
static LATE_KEY: AtomicU32 = AtomicU32::new(u32::MAX);
static DESTRUCTIONS: AtomicUsize = AtomicUsize::new(0);
/// A thread has been started in the very last moments of another, one at a time.
static NEXT_LIVES: AtomicBool = AtomicBool::new(false);
const NEXT_ROUNDS: usize = 300;
/// What was allocated before `main`.
static FROM_BEFORE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Runs before `main`, and before anything has been allocated.
extern "C" fn before_main() {
    EARLY_KEY.store(new_key(), Relaxed);
    // SAFETY: a function that stays.
    unsafe { libc::atexit(after_main) };
    if let Ok(mut blocks) = FROM_BEFORE.lock() {
        blocks.extend([block(100), block(5_000), block(100_000)]);
    }
}

#[used]
// SAFETY: the section is a table of functions that are called before `main`.
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

/// Runs after what heaplens does at the end, since it was registered before.
extern "C" fn after_main() {
    if let Ok(mut blocks) = FROM_BEFORE.lock() {
        blocks.clear();
    }
    churn(&mut Rng::with_seed(3), 100);
}

fn new_key() -> u32 {
    let mut key = 0;
    // SAFETY: writes to the local above.
    let result = unsafe { libc::pthread_key_create(&mut key, Some(destroy)) };
    assert_eq!(result, 0);
    key
}

/// What a thread keeps under a key: frees it in each round of destructors, and makes another.
struct Kept {
    rounds: u32,
    key: u32,
    _block: Vec<u8>,
}

unsafe extern "C" fn destroy(kept: *mut c_void) {
    // SAFETY: made by `keep`, and handed over by the threads library.
    let Kept { rounds, key, .. } = *unsafe { Box::from_raw(kept.cast::<Kept>()) };
    DESTRUCTIONS.fetch_add(1, Relaxed);
    churn(&mut Rng::with_seed(u64::from(rounds)), 2);
    // One round more would be one too many.
    if rounds < 4 {
        keep(key, rounds + 1);
    } else if key == LATE_KEY.load(Relaxed) && !NEXT_LIVES.swap(true, Relaxed) {
        // The next thread lives by now, and has what this one has given back.
        let next = bare_thread(256 << 10, || churn(&mut Rng::with_seed(6), NEXT_ROUNDS));
        churn(&mut Rng::with_seed(7), NEXT_ROUNDS);
        join(next);
        NEXT_LIVES.store(false, Relaxed);
    }
}

fn keep(key: u32, rounds: u32) {
    let kept = Kept {
        rounds,
        key,
        _block: block(1_000 * rounds as usize),
    };
    // SAFETY: the key is valid, and its destructor takes the box.
    unsafe { libc::pthread_setspecific(key, Box::into_raw(Box::new(kept)).cast()) };
}

struct AtEnd(Vec<u8>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        churn(&mut Rng::with_seed(self.0.capacity() as u64), 3);
        OTHER.with_borrow_mut(|other| other.0 = block(2_000));
    }
}

thread_local! {
    static LOCAL: RefCell<AtEnd> = const { RefCell::new(AtEnd(Vec::new())) };
    static OTHER: RefCell<AtOtherEnd> = const { RefCell::new(AtOtherEnd(Vec::new())) };
}

/// Made by a destructor, so that it needs one in turn.
struct AtOtherEnd(Vec<u8>);

impl Drop for AtOtherEnd {
    fn drop(&mut self) {
        churn(&mut Rng::with_seed(self.0.capacity() as u64), 3);
    }
}

fn live() {
    LOCAL.with_borrow_mut(|local| local.0 = block(700));
    keep(EARLY_KEY.load(Relaxed), 1);
    keep(LATE_KEY.load(Relaxed), 1);
    churn(&mut Rng::with_seed(1), 5);
}

pub(crate) fn is_survived() {
    let _profiler = start();
    LATE_KEY.store(new_key(), Relaxed);
    let threads = storm(3_000);
    let batch = || {
        for _ in 0..threads / 6 {
            let known = [(); 3].map(|()| thread::spawn(live));
            let bare = [(); 3].map(|()| bare_thread(256 << 10, live));
            for thread in known {
                thread.join().expect("a thread that ends");
            }
            bare.into_iter().for_each(join);
        }
    };
    batch();
    let books = Books::open();
    batch();
    // Two keys of four rounds each, of each thread of two batches.
    assert_eq!(DESTRUCTIONS.load(Relaxed), 2 * 2 * 4 * 6 * (threads / 6));
    let losses = books.balance().header.losses;
    assert_eq!(losses.threads_unregistered, 0);
    live();
}

/// Nothing else than in the other scenarios; that the process gets this far says that what runs after
/// `main` has done no harm.
pub(crate) fn leaves_a_last_snapshot(ended: &Ended) -> Result<(), String> {
    super::ends_well(ended)?;
    match ended.snapshots.len() {
        3 => Ok(()),
        count => Err(format!("{count} snapshots")),
    }
}
