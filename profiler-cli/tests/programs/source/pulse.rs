//! Runs for ten seconds, and holds much more memory around its middle than before and after.

#![forbid(unsafe_code)]

use std::thread::sleep;
use std::time::{Duration, Instant};

fn main() {
    heaplens::profile!();
    let start = Instant::now();
    // A little less, since a sleep may end late.
    let until = |ms| sleep(Duration::from_millis(ms).saturating_sub(start.elapsed()));
    until(4_500);
    let peak = std::hint::black_box(vec![1u8; 16 << 20]);
    until(5_500);
    drop(peak);
    until(9_900);
}
