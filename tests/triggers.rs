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
/// Far longer than the time between two looks at memory.
const A_LOOK: Duration = Duration::from_secs(3);

fn main() {
    if play(&[("grow", grows)]) {
        return;
    }
    thread::scope(|scope| {
        // They do little but wait.
        let all = ["exact", "sampled"].iter().flat_map(|mode| {
            let cases = CASES.iter();
            cases.map(move |case| scope.spawn(move || check(mode, *case)))
        });
        for one in all.collect::<Vec<_>>() {
            one.join().expect("each trigger does what it says");
        }
    });
    println!("test result: ok. {} passed; 0 failed", 2 * CASES.len());
}

/// Triggers, the limit, and the snapshots of a program that makes 30 MiB, frees them, and makes 60.
const CASES: [(&str, &str, &str); 7] = [
    ("none", "64MiB", "start end exit"),
    ("growth=20MiB", UNLIMITED, "start growth growth end exit"),
    ("growth=80MiB", UNLIMITED, "start end exit"),
    // Of what the last snapshot has.
    ("growth=200%", UNLIMITED, "start growth end exit"),
    ("peak", UNLIMITED, "start peak peak end exit"),
    ("limit=50%", "100MiB", "start limit end exit"),
    ("limit=20%", "100MiB", "start limit limit end exit"),
];
const UNLIMITED: &str = "1TiB";

fn check(mode: &str, (triggers, limit, reasons): (&str, &str, &str)) {
    let settings = [
        ("HEAPLENS_MODE", mode),
        ("HEAPLENS_SAMPLE_BYTES", "64KiB"),
        ("HEAPLENS_TRIGGERS", triggers),
        ("HEAPLENS_LIMIT", limit),
    ];
    let left = run("grow", &settings);
    assert!(left.status.success(), "{:?}", left.own_lines);
    assert_eq!(left.lines, [""; 0], "{mode}, {triggers}");
    assert_eq!(left.reasons().join(" "), reasons, "{mode}, {triggers}");
    println!("test {mode}, {triggers} ... ok");
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
