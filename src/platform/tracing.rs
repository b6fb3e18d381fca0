//! Stops threads of another process for a moment, to read their registers.
//!
//! Stopping a thread by `ptrace` runs nothing in it, and most system calls that it waits in go on
//! afterwards as if nothing had been. Who may be stopped, and when, is not decided here.

use std::ffi::{c_int, c_long, c_void};
use std::ptr::null_mut;

/// What a thread's registers hold.
pub(crate) type Registers = libc::user_regs_struct;

/// Takes a thread under control without stopping it.
pub(crate) fn seize(tid: i32) -> bool {
    request(libc::PTRACE_SEIZE, tid, 0, null_mut()) == 0
}

/// Has a thread that is under control stop soon.
pub(crate) fn interrupt(tid: i32) -> bool {
    request(libc::PTRACE_INTERRUPT, tid, 0, null_mut()) == 0
}

/// What has become of a thread that was told to stop.
pub(crate) enum Stop {
    NotYet,
    /// Stopped; the signal that it is to get when it goes on, or 0.
    Stopped {
        signal: i32,
        /// It stopped for us, and for no signal.
        by_us: bool,
    },
    Gone,
}

/// Looks whether a thread has stopped.
pub(crate) fn look(tid: i32) -> Stop {
    let mut status = 0;
    // SAFETY: waits for a thread that is under our control, and writes to the local above.
    let waited = unsafe { libc::waitpid(tid, &mut status, libc::__WALL | libc::WNOHANG) };
    match waited {
        0 => Stop::NotYet,
        _ if waited < 0 || !libc::WIFSTOPPED(status) => Stop::Gone,
        _ => {
            let event = status >> 16;
            let signal = libc::WSTOPSIG(status);
            Stop::Stopped {
                // With an event the number tells of the stop, and is no signal to deliver.
                signal: if event == 0 { signal } else { 0 },
                by_us: event == libc::PTRACE_EVENT_STOP && signal == libc::SIGTRAP,
            }
        }
    }
}

/// The registers of a thread that has stopped.
pub(crate) fn registers(tid: i32) -> Option<Registers> {
    // SAFETY: integers, for which zero is valid.
    let mut registers: Registers = unsafe { std::mem::zeroed() };
    let place = (&raw mut registers).cast();
    (request(libc::PTRACE_GETREGS, tid, 0, place) == 0).then_some(registers)
}

/// Sets the registers of a thread that has stopped.
pub(crate) fn set_registers(tid: i32, registers: &Registers) {
    let place = (&raw const *registers).cast_mut().cast();
    request(libc::PTRACE_SETREGS, tid, 0, place);
}

/// Whether a signal waits to be delivered to a thread that has stopped, or to its process.
pub(crate) fn has_pending_signal(tid: i32) -> bool {
    [0, libc::PTRACE_PEEKSIGINFO_SHARED]
        .into_iter()
        .any(|flags| {
            // SAFETY: integers and bytes, for which zero is valid.
            let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
            let arguments = libc::ptrace_peeksiginfo_args {
                off: 0,
                flags,
                nr: 1,
            };
            let asked = (&raw const arguments) as usize;
            request(libc::PTRACE_PEEKSIGINFO, tid, asked, (&raw mut info).cast()) != 0
        })
}

/// Lets a thread go on, with a signal or 0 for none.
pub(crate) fn let_go(tid: i32, signal: i32) {
    request(libc::PTRACE_DETACH, tid, 0, signal as usize as *mut c_void);
}

/// The system's own call: the C library's reads variable arguments.
fn request(what: libc::c_uint, tid: i32, address: usize, data: *mut c_void) -> c_long {
    // SAFETY: each caller hands over what its request reads or writes.
    unsafe { libc::syscall(libc::SYS_ptrace, what as c_int, tid, address, data) }
}

/// Allows a process of ours to stop this one's threads, where the system asks for that (Yama); 0 takes
/// it back.
pub(crate) fn allow_tracer(pid: i32) {
    /// From linux/prctl.h.
    const PR_SET_PTRACER: c_int = 0x5961_6d61;
    // SAFETY: changes who may trace this process. It fails where there is no such rule.
    unsafe { libc::prctl(PR_SET_PTRACER, pid, 0, 0, 0) };
}
