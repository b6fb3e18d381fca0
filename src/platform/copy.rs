//! A frozen copy of the process, to look at in peace: what the system has to be asked for it.
//!
//! The copy is made by `clone` itself, so no handler of `fork` runs, and it tells nobody of its end: no
//! SIGCHLD, and a host that waits for any of its children does not see it. Whoever runs in it must not
//! allocate or take locks: a thread that holds one is not there.

use super::File;
use std::ffi::{c_int, c_long, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// A process of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pid(c_int);

impl Pid {
    pub(crate) fn get(self) -> i32 {
        self.0
    }

    /// Ends it at once. Harmless once it has ended, until [`Pid::has_ended`] has said so.
    pub(crate) fn kill(self) {
        // SAFETY: a process of ours that was not waited for, so the number is still its own.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }

    /// Ends it at once, and waits for that a while. Says no if something in the system still keeps it: then
    /// [`is_one_left`] tells when it has gone.
    pub(crate) fn end(self) -> bool {
        self.kill();
        self.ends_by(monotonic_ns() + END_NS)
    }

    fn ends_by(self, deadline_ns: u64) -> bool {
        let ended = self.wait_until(deadline_ns, || false, pause_briefly);
        if ended.is_err() {
            LEFT.store(self.0, Relaxed);
        }
        ended.is_ok()
    }

    /// Waits for its end until a moment of the monotonic clock, or until somebody gives up, with this `pause`
    /// between two looks, and returns its wait status.
    pub(crate) fn wait_until(
        self,
        deadline_ns: u64,
        give_up: impl Fn() -> bool,
        pause: fn(),
    ) -> Result<i32, NotEnded> {
        loop {
            match self.has_ended() {
                Some(status) => return Ok(status),
                None if give_up() => return Err(NotEnded::GivenUp),
                None if monotonic_ns() > deadline_ns => return Err(NotEnded::TooLong),
                None => pause(),
            }
        }
    }

    /// Whether it has ended, with its wait status. To be called until it has, and not again.
    pub(crate) fn has_ended(self) -> Option<i32> {
        let mut status = 0;
        // SAFETY: waits for a process of ours, and writes to the local above.
        let ended = unsafe { libc::waitpid(self.0, &mut status, libc::__WALL | libc::WNOHANG) };
        match ended {
            0 => None,
            _ if ended < 0 && last_error() == libc::EINTR => None,
            // Any other error means that there is nothing left to wait for.
            _ => Some(status),
        }
    }
}

/// Why somebody waits no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotEnded {
    TooLong,
    GivenUp,
}

/// Longest wait for a process that was killed. Memory of some GiB is given back in less.
const END_NS: u64 = 2_000_000_000;

/// A process that was killed, and had not ended when nobody waited any longer; 0 for none.
static LEFT: AtomicI32 = AtomicI32::new(0);

/// Whether a process of ours that was killed has not ended yet.
pub(crate) fn is_one_left() -> bool {
    let left = LEFT.load(Relaxed);
    let is_left = left != 0 && Pid(left).has_ended().is_none();
    if !is_left {
        LEFT.store(0, Relaxed);
    }
    is_left
}

/// The number of the last error of a system call on this thread.
pub(crate) fn last_error() -> i32 {
    // SAFETY: the address of a thread-local of the C library.
    unsafe { *libc::__errno_location() }
}

/// Copies the process with the calling thread alone, and runs `work` in the copy, which ends with it.
///
/// # Errors
///
/// The system's error number.
///
/// # Safety
/// `work` neither allocates by the program's allocator nor takes locks, and does not unwind as a rule.
pub(crate) unsafe fn copy_process(work: impl FnOnce()) -> Result<Pid, i32> {
    /// However `work` ends, nothing else of the program runs in the copy.
    struct Ending;
    impl Drop for Ending {
        fn drop(&mut self) {
            // SAFETY: ends the copy, without handlers.
            unsafe { libc::_exit(1) };
        }
    }
    let signals = all_signals_blocked();
    // SAFETY: no flags: all is copied, no signal tells of the end. The stack is the same in both.
    let pid = unsafe { libc::syscall(libc::SYS_clone, 0, 0, 0, 0, 0) };
    if pid == 0 {
        let _ending = Ending;
        work();
        // SAFETY: ends the copy, without handlers.
        unsafe { libc::_exit(0) };
    }
    let error = last_error();
    restore_signals(&signals);
    if pid < 0 {
        return Err(error);
    }
    Ok(Pid(pid as c_int))
}

/// Runs `work(argument)` in a process of its own that shares all memory with this one, on a stack that
/// is given back by [`Beside::finish`].
///
/// # Errors
///
/// The system's error number.
///
/// # Safety
/// As for [`copy_process`]; and `argument` is valid until the process has ended.
pub(crate) unsafe fn run_beside(
    work: extern "C" fn(*mut c_void) -> c_int,
    argument: *mut c_void,
) -> Result<Beside, i32> {
    const STACK: usize = 64 << 10;
    let stack = super::map_zeroed(STACK).ok_or(libc::ENOMEM)?;
    let signals = all_signals_blocked();
    // SAFETY: the stack is fresh and stays until the process has ended. Descriptors and handlers are
    // its own, so that whatever it opens is nobody else's.
    let pid = unsafe {
        let top = stack.as_ptr().add(STACK).cast();
        libc::clone(work, top, libc::CLONE_VM, argument)
    };
    let error = last_error();
    restore_signals(&signals);
    if pid < 0 {
        // SAFETY: mapped above, and nobody uses it.
        unsafe { libc::munmap(stack.as_ptr().cast(), STACK) };
        return Err(error);
    }
    Ok(Beside {
        pid: Pid(pid),
        has_ended: false,
        stack: (stack.as_ptr(), STACK),
    })
}

/// A process that shares our memory.
pub(crate) struct Beside {
    pid: Pid,
    has_ended: bool,
    stack: (*mut u8, usize),
}

impl Beside {
    /// Its number.
    pub(crate) fn pid(&self) -> i32 {
        self.pid.get()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.has_ended = self.has_ended || self.pid.has_ended().is_some();
        self.has_ended
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if !self.has_ended() {
            self.pid.kill();
        }
    }

    /// Waits for its end, but not for ever. It must be about to end by itself, or have been killed.
    pub(crate) fn finish(self) {
        if !self.has_ended && !self.pid.ends_by(monotonic_ns() + END_NS) {
            // It may still be on its stack.
            return;
        }
        // SAFETY: its stack, and it has ended.
        unsafe { libc::munmap(self.stack.0.cast(), self.stack.1) };
    }
}

/// A set of signals, as it was.
struct Signals(libc::sigset_t);

fn all_signals_blocked() -> Signals {
    // SAFETY: sets of signals on the stack, filled before they are read.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        Signals(before)
    }
}

fn restore_signals(signals: &Signals) {
    // SAFETY: a set that the system has filled.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &signals.0, null_mut()) };
}

/// Sleeps for some 50 µs.
pub(crate) fn pause_briefly() {
    let time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 50_000,
    };
    // SAFETY: reads the local above.
    unsafe { libc::nanosleep(&time, null_mut()) };
}

/// Nanoseconds of the monotonic clock.
pub(crate) fn monotonic_ns() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes to the local above.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Makes the calling process, one of ours, one that does no harm: it ends with the thread that made it and
/// after so many seconds of work at the latest, and holds no files.
pub(crate) fn become_harmless(parent: i32, seconds: u64) {
    let limit = libc::rlimit {
        rlim_cur: seconds,
        rlim_max: seconds,
    };
    // Less than any dump takes; and 1, unlike 0, holds for a program too that dumps are handed to.
    let no_core = libc::rlimit {
        rlim_cur: 1,
        rlim_max: 1,
    };
    // SAFETY: these change the calling process alone; nothing in it uses a descriptor.
    unsafe {
        libc::syscall(
            libc::SYS_prctl,
            libc::PR_SET_PDEATHSIG,
            libc::SIGKILL,
            0,
            0,
            0,
        );
        if libc::syscall(libc::SYS_getppid) != c_long::from(parent) {
            libc::_exit(1);
        }
        libc::setrlimit(libc::RLIMIT_CPU, &limit);
        libc::setrlimit(libc::RLIMIT_CORE, &no_core);
        if libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) != 0 {
            for descriptor in 0..65_536 {
                libc::syscall(libc::SYS_close, descriptor);
            }
        }
    }
}

/// When memory is short, the calling process is the first to go. Only for a copy: whoever shares this
/// process's memory would go with it.
pub(crate) fn go_first() {
    if let Some(file) = File::open_to_write(c"/proc/self/oom_score_adj") {
        file.write(b"1000");
    }
}

/// The calling process's own number, asked of the system: the C library may remember its parent's.
pub(crate) fn own_pid() -> i32 {
    // SAFETY: asks for a number.
    unsafe { libc::syscall(libc::SYS_getpid) as i32 }
}

/// The calling thread's number.
pub(crate) fn own_tid() -> i32 {
    // SAFETY: asks for a number.
    unsafe { libc::syscall(libc::SYS_gettid) as i32 }
}

/// What the C library leaves in the second word of a small block that was given back; 0 for no memory.
pub(crate) fn second_word_of_freed(size: usize) -> u64 {
    // SAFETY: the C library keeps the page, so it stays readable; no other thread is given the block,
    // which is in this thread's own list, and if one were, the word would only be another.
    unsafe {
        let block = std::hint::black_box(libc::malloc(size)).cast::<u64>();
        if block.is_null() {
            return 0;
        }
        let place = block as usize + 8;
        libc::free(block.cast());
        std::ptr::with_exposed_provenance::<u64>(std::hint::black_box(place)).read_volatile()
    }
}

/// Where the calling thread's thread-locals are.
#[cfg(target_arch = "x86_64")]
pub(crate) fn thread_pointer() -> u64 {
    let pointer: u64;
    // SAFETY: the first word there is the pointer itself, by the ABI of thread-locals.
    unsafe { std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly)) };
    pointer
}

/// Where the calling thread's thread-locals are: not known here.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn thread_pointer() -> u64 {
    0
}

/// Overwrites what calls that have returned left on the stack: calls from here on have frames without leftovers,
/// as long as they take less than 32 KiB.
#[inline(never)]
pub(crate) fn clear_stack() {
    std::hint::black_box([0_u64; 4 << 10]);
}

/// An address in the caller's frame: all that its callers hold lies above.
#[inline(never)]
pub(crate) fn stack_pointer() -> u64 {
    let here = 0_u8;
    std::hint::black_box(&raw const here) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_ever_for_a_copy() {
        // SAFETY: waits for a signal, and does nothing else.
        let work = || unsafe {
            libc::pause();
        };
        // SAFETY: as above.
        let copy = unsafe { copy_process(work) }.expect("a copy");
        let soon = || monotonic_ns() + 1_000_000;
        let wait = |give_up: fn() -> bool| copy.wait_until(soon(), give_up, pause_briefly);
        assert_eq!(wait(|| false), Err(NotEnded::TooLong));
        assert_eq!(wait(|| true), Err(NotEnded::GivenUp));
        assert!(!is_one_left());
        // As if it had been killed in vain.
        assert!(!copy.ends_by(soon()));
        assert!(is_one_left());
        copy.kill();
        while is_one_left() {
            pause_briefly();
        }
        assert_eq!(LEFT.load(Relaxed), 0);
    }
}
