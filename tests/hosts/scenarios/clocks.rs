//! A wall clock that is set back and forth while snapshots are taken.

use crate::driver::Ended;
use crate::host::{start, take};
use std::ffi::c_int;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// How far this program's wall clock is off.
static SECONDS_OFF: AtomicI64 = AtomicI64::new(0);

/// Stands in for the C library's function, which all of this program would otherwise call.
// SAFETY: does what that one does, but for the wall clock's seconds.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    // SAFETY: the caller's own arguments.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) };
    if result == 0 && clock == libc::CLOCK_REALTIME {
        // SAFETY: the system has just filled it in.
        unsafe { (*time).tv_sec += SECONDS_OFF.load(Relaxed) };
    }
    result as c_int
}

const DAY: i64 = 86_400;
/// The last one leads to a time before 1970.
const JUMPS: [i64; 5] = [-10 * DAY, 7_000 * DAY, 0, -1, -30_000 * DAY];

/// Regular snapshots come as ever, and each continues the one before it.
pub(crate) fn that_jump() {
    let _profiler = start();
    let mut last = take("at first").header;
    for off in JUMPS {
        let before = last.sequence;
        SECONDS_OFF.store(off, Relaxed);
        // Others than those that are asked for here.
        let mut asked = 0;
        while last.sequence <= before + asked + 3 {
            let header = take("jumped").header;
            asked += 1;
            assert!(header.sequence > last.sequence, "{off}: {header:?}");
            assert!(header.uptime_ms >= last.uptime_ms, "{off}: {header:?}");
            assert_eq!(header.program, last.program);
            last = header;
        }
    }
}

/// By name the files are in the order in which they were taken.
pub(crate) fn leaves_files_in_order(ended: &Ended) -> Result<(), String> {
    super::ends_well(ended)?;
    let headers = || ended.snapshots.iter().map(|snapshot| &snapshot.header);
    let is_sorted = headers().is_sorted_by(|left, right| {
        left.sequence < right.sequence && left.uptime_ms <= right.uptime_ms
    });
    match is_sorted && headers().count() > JUMPS.len() {
        true => Ok(()),
        false => Err("files are not in order".to_owned()),
    }
}
