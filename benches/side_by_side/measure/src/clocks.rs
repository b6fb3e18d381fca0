//! CPU time of processes and threads, in nanoseconds.

use std::io;
use std::mem::MaybeUninit;

/// CPU time of all threads of this process.
pub fn process_cpu_ns() -> u64 {
    read(libc::CLOCK_PROCESS_CPUTIME_ID).expect("every Linux has this clock")
}

/// CPU time of the calling thread.
pub fn thread_cpu_ns() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID).expect("every Linux has this clock")
}

/// CPU time of all threads of another process.
///
/// # Errors
///
/// If there is no such process.
pub fn cpu_ns_of(process: u32) -> io::Result<u64> {
    let no_such = || io::Error::from_raw_os_error(libc::ESRCH);
    let pid = libc::pid_t::try_from(process).map_err(|_| no_such())?;
    let mut clock = 0;
    // SAFETY: `clock` outlives the call, which writes it and nothing else.
    match unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) } {
        0 => read(clock),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

fn read(clock: libc::clockid_t) -> io::Result<u64> {
    let mut time = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the call writes a whole `timespec` to where it is told, or fails.
    if unsafe { libc::clock_gettime(clock, time.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has succeeded.
    let time = unsafe { time.assume_init() };
    Ok(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_this_process_is_the_same_by_its_number() {
        let before = process_cpu_ns();
        let by_number = cpu_ns_of(std::process::id()).expect("this process runs");
        assert!((before..=process_cpu_ns()).contains(&by_number));
        assert!(thread_cpu_ns() <= process_cpu_ns());
    }

    #[test]
    fn a_process_that_does_not_exist_has_no_clock() {
        assert!(cpu_ns_of(u32::MAX).is_err());
        // Linux gives no number above 2²².
        assert!(cpu_ns_of((1 << 22) + 1).is_err());
    }
}
