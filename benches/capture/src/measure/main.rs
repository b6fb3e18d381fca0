//! Measures walks by one build of the program: the argument is the depth of the stack in frames, what
//! it prints is a line for each walk, pattern and its price in nanoseconds of CPU time.

mod patterns;
mod walks;

use heaplens::internals::Captures;
use patterns::{ALL, Pattern};
use std::hint::black_box;
use std::time::Duration;
use walks::{FramePointers, backtrace, nothing};

/// Of each figure so many samples are taken, each of so much CPU time.
const SAMPLES: usize = 7;
const LONG_ENOUGH: Duration = Duration::from_millis(3);

fn main() {
    let depth = std::env::args().nth(1).and_then(|depth| depth.parse().ok());
    let depth: usize = depth.expect("the argument is a depth");
    let mut captures = Captures::new().expect("memory");
    let mut pointers = FramePointers::new();

    // Of the whole stack: what lies outside is a part of the depth.
    let mut frames = 0;
    Pattern::SameLeaf.run(2, 1, &mut || {
        let node = captures.capture();
        frames = captures.frames(node).len();
    });
    let inner = (depth + 2).checked_sub(frames).filter(|&inner| inner >= 4);
    let inner = inner.unwrap_or_else(|| panic!("the least depth is {}", frames + 2));
    let mut found = [0; 3];
    Pattern::SameLeaf.run(inner, 1, &mut || {
        let node = captures.capture();
        found = [captures.frames(node).len(), pointers.walk(), backtrace()];
    });
    println!("frames captured {}", found[0]);
    println!("frames frame-pointers {}", found[1]);
    println!("frames backtrace {}", found[2]);

    for pattern in ALL {
        let print = |walk: &str, price: f64| println!("{walk}/{} {price:.3}", pattern.name());
        let calls = price(pattern, inner, &mut nothing);
        print("calls", calls);
        let captured = price(pattern, inner, &mut || {
            black_box(captures.capture());
        });
        print("capture", captured - calls);
        let walked = price(pattern, inner, &mut || {
            black_box(pointers.walk());
        });
        print("frame-pointers", walked - calls);
        let traced = price(pattern, inner, &mut || {
            black_box(backtrace());
        });
        print("backtrace", traced - calls);
    }
}

/// Nanoseconds for each round: the median of the samples.
fn price(pattern: Pattern, depth: usize, walk: &mut dyn FnMut()) -> f64 {
    let mut spent = |rounds| {
        let start = cpu_time();
        pattern.run(depth, rounds, walk);
        cpu_time() - start
    };
    let mut rounds = 64;
    while spent(rounds) < LONG_ENOUGH {
        rounds *= 2;
    }
    let mut samples = [(); SAMPLES].map(|()| spent(rounds));
    samples.sort_unstable();
    samples[SAMPLES / 2].as_nanos() as f64 / rounds as f64
}

/// CPU time of this thread.
fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: fills the local.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
