//! `SIGTERM` and `SIGINT`, where they are to take the last snapshot.
//!
//! The handler takes note of the signal and wakes the keeper, which takes the snapshot and passes
//! the signal on: the process dies by it, as it would have without heaplens. A timer sends the
//! signal a second time at the end of [`CAP`], and a second one ends the process at once. A handler
//! of the host stays, or takes the place of this one; it is not called from here, nor helped.

use super::exit::{self, CAP};
use super::requests::REQUESTS;
use super::signal::{self, NotInstalled};
use std::ffi::c_void;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::{io, mem, ptr};

const SIGNALS: [(&str, libc::c_int); 2] = [("TERM", libc::SIGTERM), ("INT", libc::SIGINT)];

/// The timer that holds the end to [`CAP`], made before any handler is installed.
static TIMER: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Installs the handlers where the host has none. Returns those that it could not install; that the
/// host ignores a signal is no failure, since such a signal ends nothing.
pub(super) fn install() -> Vec<(&'static str, NotInstalled)> {
    if let Err(error) = make_timer() {
        return vec![("TERM", NotInstalled::System(error))];
    }
    let install = |(name, number)| match signal::take_over(number, on_signal) {
        Ok(()) | Err(NotInstalled::Ignored) => None,
        Err(error) => Some((name, error)),
    };
    SIGNALS.into_iter().filter_map(install).collect()
}

fn make_timer() -> io::Result<()> {
    // SAFETY: all zeros is a valid value of this plain structure, and the call fills in `timer`.
    unsafe {
        let mut event: libc::sigevent = mem::zeroed();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = libc::SIGTERM;
        let mut timer: libc::timer_t = ptr::null_mut();
        if libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) != 0 {
            return Err(io::Error::last_os_error());
        }
        TIMER.store(timer, Ordering::Release);
    }
    Ok(())
}

/// Lets the timer run for some seconds, or stops it. Safe in a signal handler.
fn set_timer(seconds: libc::time_t) {
    // SAFETY: all zeros is a valid value of this plain structure, and the timer exists for as long
    // as the process does.
    unsafe {
        let mut time: libc::itimerspec = mem::zeroed();
        time.it_value.tv_sec = seconds;
        let timer = TIMER.load(Ordering::Acquire);
        libc::timer_settime(timer, 0, &raw const time, ptr::null_mut());
    }
}

extern "C" fn on_signal(signal: libc::c_int) {
    signal::keeping_errno(|| {
        // A handler that the host has installed since may call the one that was there before it.
        // What the signal does is the host's business then.
        if !signal::is_handled_by(signal, on_signal) {
            return;
        }
        // A forked child has no keeper.
        if exit::is_forked_child() || !REQUESTS.terminate(signal) {
            die(REQUESTS.termination().unwrap_or(signal));
        }
        set_timer(CAP.as_secs().cast_signed());
    });
}

/// Passes on the signal that asked for the last snapshot, if one did. Returns if there was none, or
/// if the host has come to handle it meanwhile.
pub(super) fn pass_on() {
    let Some(signal) = REQUESTS.termination() else {
        return;
    };
    if signal::is_handled_by(signal, on_signal) {
        die(signal);
    }
    set_timer(0);
    REQUESTS.forget_termination();
    // SAFETY: sends a signal to this process, for the host's handler on one of the host's threads.
    unsafe { libc::kill(libc::getpid(), signal) };
}

/// Ends the process by a signal as if nobody had ever handled it. Safe in a signal handler.
fn die(signal: libc::c_int) -> ! {
    // SAFETY: all zeros is a valid value of both plain structures, `SIG_DFL` is zero, and each call
    // may be made in a signal handler.
    unsafe {
        let action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, &raw const action, ptr::null_mut());
        let mut set: libc::sigset_t = mem::zeroed();
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
        libc::raise(signal);
        // The system spares process 1 of a container. Who has asked it to end means it.
        libc::_exit(128 + signal)
    }
}
