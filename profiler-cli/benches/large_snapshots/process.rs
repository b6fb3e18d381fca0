//! Runs a command and tells what it has cost.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a process has used.
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// In the process and in the kernel, of all threads.
    pub(crate) cpu: Duration,
    /// Most memory that was resident at a time.
    pub(crate) peak_bytes: u64,
}

/// Runs a command to its end. What it prints, notes too, is dropped; a failure ends the benchmark.
#[expect(
    clippy::zombie_processes,
    reason = "`wait4` waits for it, and tells what it has cost"
)]
pub(crate) fn run(command: &mut Command) -> Cost {
    let start = Instant::now();
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("a program");
    let mut status = 0;
    // SAFETY: all-zero bytes are a valid value of this structure of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    let pid = child.id() as libc::pid_t;
    // SAFETY: both pointers are to locals, and the child has not been waited for.
    let waited = unsafe { libc::wait4(pid, &mut status, 0, &mut usage) };
    let wall = start.elapsed();
    assert!(waited == pid && status == 0, "{command:?} failed");
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    Cost {
        wall,
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_bytes: usage.ru_maxrss as u64 * 1024,
    }
}
