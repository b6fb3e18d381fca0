//! How long a program stands still for a scan of its heap, and how long the scan takes.
//!
//! ```sh
//! cargo bench --bench heap_scan                # 5,000,000 blocks in 1 GiB, all of them held
//! cargo bench --bench heap_scan -- lost        # the same, all of them in reference cycles that nobody holds
//! cargo bench --bench heap_scan -- held 100000 # fewer blocks, of the same size
//! ```
//!
//! The scans' work is the processor time of the copies, which does not depend on who else wants the processor.
//! Standing still is compared with a bare copy of the same process, as `fork` makes it, without anything
//! around: that much no scan can do without. Four threads allocate and free meanwhile.

use heaplens::snapshot::{Limits, read};
use heaplens::{Allocator, Config, Mode};
use std::alloc::System;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::new(
    System,
    Config::new().mode(Mode::Exact).interval(Duration::ZERO),
);

/// Half a pair, which with its header and the allocator's own words takes 1 GiB / 5,000,000.
struct Half {
    other: *mut Half,
    _content: [u64; 23],
}

/// How often each is measured.
const TIMES: usize = 11;
const THREADS: usize = 4;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let profiler = heaplens::start(Config::new().dir(folder.path())).expect("heaplens starts");
    // Cargo passes options of its own.
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_lost = arguments.first().is_some_and(|first| first == "lost");
    let blocks = arguments.get(1).map_or(5_000_000, |text| {
        text.parse::<usize>().expect("a number of blocks")
    });
    let pairs: Vec<*mut Half> = (0..blocks / 2).map(|_| pair()).collect();
    let held = Some(pairs).filter(|_| !is_lost);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| work_until(&is_over));
        }
        let what = if is_lost { "lost" } else { "held" };
        println!("{blocks} blocks, {} MiB resident, {what}", resident() >> 20);
        let copies = sorted((0..TIMES).map(|_| bare_copy()));
        print("bare copy", &copies);
        let scans: Vec<_> = (0..TIMES).map(|_| scan()).collect();
        let pauses = sorted(scans.iter().map(|scan| scan.pause));
        print("stands still", &pauses);
        print(
            "both scans",
            &sorted(scans.iter().map(|scan| scan.duration)),
        );
        print("their work", &sorted(scans.iter().map(|scan| scan.work)));
        let beyond = pauses[TIMES / 2].saturating_sub(copies[TIMES / 2]);
        println!("beyond the copy: {} us (medians)", beyond.as_micros());
        let last = &scans[TIMES - 1];
        println!(
            "{} blocks found, {} of them unreached; {} MiB for the scan itself",
            last.blocks,
            last.unreached,
            last.own_bytes >> 20
        );
        is_over.store(true, Relaxed);
    });
    drop(black_box(held));
    drop(profiler);
}

/// Two blocks that point at each other.
fn pair() -> *mut Half {
    let half = |other| {
        Box::into_raw(Box::new(Half {
            other,
            _content: [7; 23],
        }))
    };
    let first = half(std::ptr::null_mut());
    let second = half(first);
    // SAFETY: made above, and nobody else knows it.
    unsafe { (*first).other = second };
    first
}

/// Allocates and frees, with some rest: threads are to be more than the cores, and not to starve the rest.
fn work_until(is_over: &AtomicBool) {
    while !is_over.load(Relaxed) {
        let some: Vec<Box<u64>> = (0..100).map(Box::new).collect();
        drop(black_box(some));
        thread::sleep(Duration::from_micros(500));
    }
}

/// The time in which the process is copied: until `clone` returns, which is when the program would go on.
fn bare_copy() -> Duration {
    let begun = Instant::now();
    // SAFETY: no flags: as fork does it. The copy ends at once, without anything of the program.
    let pid = unsafe {
        let pid = libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0);
        if pid == 0 {
            libc::_exit(0);
        }
        pid
    };
    let took = begun.elapsed();
    assert!(pid > 0, "{}", std::io::Error::last_os_error());
    // SAFETY: waits for the copy.
    unsafe { libc::waitpid(pid as i32, std::ptr::null_mut(), 0) };
    took
}

struct Scanned {
    pause: Duration,
    duration: Duration,
    /// Processor time of processes that have ended since the scan before.
    work: Duration,
    blocks: u64,
    unreached: u64,
    own_bytes: u64,
}

fn scan() -> Scanned {
    let before = work_of_children();
    let path = heaplens::snapshot_graph().expect("a scan");
    let work = work_of_children() - before;
    let snapshot = read(&path, &Limits::default()).expect("a snapshot");
    let graph = snapshot.graph.expect("a graph");
    Scanned {
        pause: Duration::from_micros(graph.scan.pause_us),
        duration: Duration::from_millis(graph.scan.scan_ms),
        work,
        blocks: graph.scan.blocks,
        unreached: graph.sites.unreached_count.iter().sum(),
        own_bytes: graph.scan.child_peak_bytes,
    }
}

fn work_of_children() -> Duration {
    // SAFETY: fills in a plain structure, of which all zeros is a valid value.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut times: Vec<Duration> = times.collect();
    times.sort();
    times
}

fn print(what: &str, sorted: &[Duration]) {
    let [least, .., most] = sorted else { return };
    println!(
        "{what}: {} us (median), {} to {}",
        sorted[sorted.len() / 2].as_micros(),
        least.as_micros(),
        most.as_micros()
    );
}

fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("/proc");
    let pages = pages
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number") * 4096
}
