//! Processes that end while their heap is scanned.

use crate::children::copies;
use crate::driver::SCENARIO;
use crate::host::{churn, start, storm};
use crate::watchdog::living_in_group;
use fastrand::Rng;
use std::ffi::c_int;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// Which end a process comes to.
const END: &str = "HOSTS_END";
/// Microseconds that a scan takes here, and more.
const SCAN: u64 = 50_000;

/// Far longer than the end of a process takes on a slow machine.
const LONG: Duration = Duration::from_secs(60);

/// Each end with its wait status.
const ENDS: [(fn(), c_int); 6] = [
    (|| (), 0),
    (|| std::process::exit(3), 3 << 8),
    // SAFETY: ends the process.
    (|| unsafe { libc::_exit(4) }, 4 << 8),
    (|| std::process::abort(), libc::SIGABRT),
    (kill, libc::SIGKILL),
    (exec, 0),
];

fn kill() {
    // SAFETY: ends the process.
    unsafe { libc::raise(libc::SIGKILL) };
}

fn exec() {
    let arguments = [c"true".as_ptr(), std::ptr::null()];
    // SAFETY: the list ends with a null.
    unsafe { libc::execv(c"/bin/true".as_ptr(), arguments.as_ptr()) };
}

/// They end as ever, and no copy of theirs outlives them.
pub(crate) fn storm_of_ends() {
    for number in 0..storm(300) {
        let status = Command::new(std::env::current_exe().expect("this program"))
            .env(SCENARIO, "ends_while_scanned")
            .env(END, number.to_string())
            .status()
            .expect("this program starts");
        let (_, expected) = ENDS[number % ENDS.len()];
        // Whether there is a core dump is the system's affair.
        assert_eq!(status.into_raw() & !0x80, expected, "process {number}");
        let began = Instant::now();
        while living_in_group(std::process::id()) > 1 {
            assert!(began.elapsed() < LONG, "process {number} has left a copy");
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// By themselves those that there are end no more.
fn stop_copies() {
    for copy in copies() {
        // SAFETY: a signal to a process of ours. Nobody waits for it before it has ended.
        unsafe { libc::kill(copy, libc::SIGSTOP) };
    }
}

/// One of them.
pub(crate) fn at_some_moment() {
    let _profiler = start();
    let number: u64 = std::env::var(END)
        .expect("set by the storm")
        .parse()
        .expect("a number");
    for seed in 0..2 {
        thread::spawn(move || {
            let mut random = Rng::with_seed(seed);
            loop {
                churn(&mut random, 20);
                thread::sleep(Duration::from_millis(1));
            }
        });
    }
    // From here on one scan follows the other.
    heaplens::snapshot_graph().expect("a scan");
    let moment = Rng::with_seed(number).u64(..SCAN);
    thread::sleep(Duration::from_micros(moment));
    stop_copies();
    ENDS[number as usize % ENDS.len()].0();
}
