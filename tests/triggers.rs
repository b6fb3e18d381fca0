//! Snapshots that memory asks for: by growth, at a new peak, at a step of its limit. In the modes that
//! know what is live, in processes of their own.

#[path = "processes/mod.rs"]
mod processes;

use heaplens::{Allocator, Config};
use processes::{play, run};
use std::alloc::System;
use std::hint::black_box;
use std::thread;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(System, Config::new());

const MIB: usize = 1 << 20;
/// Longer than the time between two looks at memory.
const A_LOOK: Duration = Duration::from_millis(1_500);

fn main() {
    if play(&[("grow", grows)]) {
        return;
    }
    for mode in ["exact", "sampled"] {
        // 30 MiB, which go, and then 60 MiB.
        let reasons = |triggers, limit| {
            let settings = [
                ("HEAPLENS_MODE", mode),
                ("HEAPLENS_SAMPLE_BYTES", "64KiB"),
                ("HEAPLENS_TRIGGERS", triggers),
                ("HEAPLENS_LIMIT", limit),
            ];
            let left = run("grow", &settings);
            assert!(left.status.success(), "{:?}", left.own_lines);
            assert_eq!(left.lines, [""; 0], "{mode}, {triggers}");
            left.reasons().join(" ")
        };
        let unlimited = "1TiB";
        for (triggers, limit, expected) in [
            ("none", "64MiB", "start end exit"),
            ("growth=20MiB", unlimited, "start growth growth end exit"),
            ("growth=80MiB", unlimited, "start end exit"),
            ("growth=200%", unlimited, "start growth growth end exit"),
            ("peak", unlimited, "start peak peak end exit"),
            ("limit=50%", "100MiB", "start limit end exit"),
            ("limit=20%", "100MiB", "start limit limit end exit"),
        ] {
            assert_eq!(reasons(triggers, limit), expected, "{mode}, {triggers}");
            println!("test {mode}, {triggers} ... ok");
        }
    }
    println!("test result: ok. 14 passed; 0 failed");
}

fn grows() {
    let _profiler = heaplens::start(Config::new()).expect("the profiler starts");
    heaplens::snapshot("start").expect("a snapshot");
    let blocks = |number: usize| vec![black_box(vec![1_u8; 100 << 10]); number * MIB / (100 << 10)];
    let first = blocks(30);
    thread::sleep(A_LOOK);
    drop(black_box(first));
    thread::sleep(A_LOOK);
    let second = blocks(60);
    thread::sleep(A_LOOK);
    heaplens::snapshot("end").expect("a snapshot");
    drop(black_box(second));
}
