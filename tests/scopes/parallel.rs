//! A hundred tests in one process that free each other's blocks: each sees exactly its own.

use fastrand::Rng;
use heaplens::testing::{Amount, Scope};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};

const TESTS: usize = 100;
const ROUNDS: usize = 2_000;

/// Set where all tests run at the same time.
const AT_ONCE: &str = "SCOPES_AT_ONCE";

/// A block that any test may free.
struct Block {
    owner: usize,
    bytes: Vec<u8>,
}

/// Through which tests hand blocks to each other. Nothing is allocated for that.
static PLACES: [Mutex<Option<Block>>; 64] = [const { Mutex::new(None) }; 64];

/// What was freed of each test's blocks, counted by hand.
static FREED: [(AtomicU64, AtomicU64); TESTS] =
    [const { (AtomicU64::new(0), AtomicU64::new(0)) }; TESTS];

/// Everybody has begun, everybody is done.
static ALL: Barrier = Barrier::new(TESTS);

fn free(block: Option<Block>) {
    if let Some(Block { owner, bytes }) = block {
        let size = bytes.capacity() as u64;
        drop(bytes);
        FREED[owner].0.fetch_add(size, Ordering::Relaxed);
        FREED[owner].1.fetch_add(1, Ordering::Release);
    }
}

fn hammer(owner: usize) {
    let is_at_once = std::env::var_os(AT_ONCE).is_some();
    let mut random = Rng::with_seed(owner as u64);
    let mut allocated = Amount::default();
    let scope = Scope::begin();
    if is_at_once {
        ALL.wait();
    }
    for _ in 0..ROUNDS {
        let bytes: Vec<u8> = Vec::with_capacity(random.usize(1..2_000));
        allocated.bytes += bytes.capacity() as u64;
        allocated.blocks += 1;
        let mut place = PLACES[random.usize(..PLACES.len())].lock().unwrap();
        let before = place.replace(Block { owner, bytes });
        drop(place);
        free(before);
    }
    // Looked at only behind the last barrier, so that a test that fails keeps nobody waiting.
    let mut at_rest = None;
    if is_at_once {
        ALL.wait();
        // Nobody moves: what is not freed lies in a place.
        let mut expected = Amount::default();
        for place in &PLACES {
            let place = place.lock().unwrap();
            if let Some(block) = place.as_ref().filter(|block| block.owner == owner) {
                expected.bytes += block.bytes.capacity() as u64;
                expected.blocks += 1;
            }
        }
        at_rest = Some((scope.report().retained(), expected));
        ALL.wait();
    }
    for place in &PLACES {
        let mut place = place.lock().unwrap();
        let mine = place.take_if(|block| block.owner == owner);
        drop(place);
        free(mine);
    }
    // Another test may hold one that it is about to free.
    while FREED[owner].1.load(Ordering::Acquire) < allocated.blocks {
        std::thread::yield_now();
    }
    let report = scope.end();
    if let Some((retained, expected)) = at_rest {
        assert_eq!(retained, expected);
    }
    assert_eq!(report.allocated(), allocated);
    assert_eq!(report.freed(), allocated);
    assert_eq!(FREED[owner].0.load(Ordering::Relaxed), allocated.bytes);
    assert_eq!(report.retained(), Amount::default());
    assert!((1..=allocated.bytes).contains(&report.peak_bytes()));
}

/// As many tests as there are digits: `hammers!(d d : d d)` makes four.
macro_rules! hammers {
    ($($tens:ident $ten:literal),+) => {
        $(mod $tens {
            #[test] fn zero() { super::hammer(10 * $ten) }
            #[test] fn one() { super::hammer(10 * $ten + 1) }
            #[test] fn two() { super::hammer(10 * $ten + 2) }
            #[test] fn three() { super::hammer(10 * $ten + 3) }
            #[test] fn four() { super::hammer(10 * $ten + 4) }
            #[test] fn five() { super::hammer(10 * $ten + 5) }
            #[test] fn six() { super::hammer(10 * $ten + 6) }
            #[test] fn seven() { super::hammer(10 * $ten + 7) }
            #[test] fn eight() { super::hammer(10 * $ten + 8) }
            #[test] fn nine() { super::hammer(10 * $ten + 9) }
        })+
    };
}

hammers!(
    hammer_0 0, hammer_1 1, hammer_2 2, hammer_3 3, hammer_4 4, hammer_5 5, hammer_6 6, hammer_7 7,
    hammer_8 8, hammer_9 9
);

/// The same hundred tests once more, all of them open at the same time.
#[test]
fn a_hundred_at_once() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["parallel::hammer_", "--test-threads", "100"])
        .env(AT_ONCE, "1")
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("100 passed; 0 failed"), "{stdout}");
}
