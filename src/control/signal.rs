//! A signal from outside that asks for a snapshot, and what all handlers of heaplens have in common.
//!
//! A handler sets a flag and wakes the keeper. A handler that the host has installed stays.

use super::requests::REQUESTS;
use std::{fmt, io, mem, ptr};

/// A signal that asks for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// No signal does.
    None,
    /// `SIGUSR1`.
    Usr1,
    /// `SIGUSR2`, the default.
    Usr2,
    /// `SIGHUP`.
    Hup,
    /// `SIGQUIT`.
    Quit,
    /// `SIGWINCH`.
    Winch,
}

/// Why a signal is not heaplens' to handle.
#[derive(Debug)]
pub(super) enum NotInstalled {
    /// The host has a handler for it.
    Handled,
    /// The host ignores it, or whoever has started the host does.
    Ignored,
    System(io::Error),
}

impl fmt::Display for NotInstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handled => f.write_str("the program handles it itself"),
            Self::Ignored => f.write_str("the program ignores it"),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl Signal {
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("none", Self::None),
        ("USR1", Self::Usr1),
        ("USR2", Self::Usr2),
        ("HUP", Self::Hup),
        ("QUIT", Self::Quit),
        ("WINCH", Self::Winch),
    ];

    const fn number(self) -> Option<libc::c_int> {
        match self {
            Self::None => None,
            Self::Usr1 => Some(libc::SIGUSR1),
            Self::Usr2 => Some(libc::SIGUSR2),
            Self::Hup => Some(libc::SIGHUP),
            Self::Quit => Some(libc::SIGQUIT),
            Self::Winch => Some(libc::SIGWINCH),
        }
    }

    /// The name that `kill -l` gives it.
    pub(super) fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, signal)| *signal == self);
        known.map_or("unknown", |(name, _)| *name)
    }
}

/// Installs the handler, unless there is one.
pub(super) fn install(signal: Signal) -> Result<(), NotInstalled> {
    match signal.number() {
        Some(number) => take_over(number, on_signal),
        None => Ok(()),
    }
}

extern "C" fn on_signal(_: libc::c_int) {
    keeping_errno(|| REQUESTS.signal());
}

type Handler = extern "C" fn(libc::c_int);

/// Installs a handler for a signal that the host leaves to the system.
///
/// The handler does nothing but what is safe in signal handlers.
pub(super) fn take_over(number: libc::c_int, handler: Handler) -> Result<(), NotInstalled> {
    let mut action = action(number).map_err(NotInstalled::System)?;
    match action.sa_sigaction {
        libc::SIG_DFL => {}
        libc::SIG_IGN => return Err(NotInstalled::Ignored),
        // Of a start that failed later on.
        known if known == handler as libc::sighandler_t => return Ok(()),
        _ => return Err(NotInstalled::Handled),
    }
    action.sa_sigaction = handler as libc::sighandler_t;
    // No system call of the host fails because of us, and no small stack of it is ours to use.
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: the caller vouches for the handler, and the structure is fully initialised.
    if unsafe { libc::sigaction(number, &raw const action, ptr::null_mut()) } != 0 {
        return Err(NotInstalled::System(io::Error::last_os_error()));
    }
    Ok(())
}

/// Whether this handler is the one in force. Safe in a signal handler, but changes `errno`.
pub(super) fn is_handled_by(number: libc::c_int, handler: Handler) -> bool {
    action(number).is_ok_and(|action| action.sa_sigaction == handler as libc::sighandler_t)
}

fn action(number: libc::c_int) -> io::Result<libc::sigaction> {
    // SAFETY: all zeros is a valid value of this plain structure, and the call fills it in.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        match libc::sigaction(number, ptr::null(), &raw mut action) {
            0 => Ok(action),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Runs the body of a handler: the interrupted code must find its own `errno` again.
pub(super) fn keeping_errno(body: impl FnOnce()) {
    // SAFETY: the location of this thread's `errno` is always valid.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        body();
        *errno = before;
    }
}

/// Blocks all signals that come from outside on the calling thread until dropped. A thread that is
/// started meanwhile has them blocked for good, so the host's handlers never run on it.
pub(super) struct Blocked {
    before: libc::sigset_t,
}

impl Blocked {
    pub(super) fn new() -> Self {
        // SAFETY: all zeros is a valid value of a signal set, and each call gets valid ones.
        unsafe {
            let mut all: libc::sigset_t = mem::zeroed();
            let mut before: libc::sigset_t = mem::zeroed();
            libc::sigfillset(&raw mut all);
            // What a fault raises is for the host's crash handler, also on our thread.
            for fault in [
                libc::SIGSEGV,
                libc::SIGBUS,
                libc::SIGFPE,
                libc::SIGILL,
                libc::SIGTRAP,
                libc::SIGABRT,
            ] {
                libc::sigdelset(&raw mut all, fault);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self { before }
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set was filled in by the system.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn host(_: libc::c_int) {}

    #[test]
    fn a_handler_of_the_host_stays() {
        let host = host as extern "C" fn(libc::c_int) as libc::sighandler_t;
        for (taken, why) in [
            (host, "the program handles it itself"),
            (libc::SIG_IGN, "the program ignores it"),
        ] {
            // SAFETY: a handler that does nothing, for a signal that no other test uses.
            unsafe { libc::signal(libc::SIGWINCH, taken) };
            let refused = install(Signal::Winch).expect_err("the signal is taken");
            assert_eq!(refused.to_string(), why);
            let in_force = action(libc::SIGWINCH).expect("an action");
            assert_eq!(in_force.sa_sigaction, taken);
        }
    }

    #[test]
    fn the_handler_keeps_errno() {
        let errno = || io::Error::last_os_error().raw_os_error();
        // SAFETY: the location of this thread's `errno` is always valid.
        let set_errno = |number| unsafe { *libc::__errno_location() = number };
        set_errno(42);
        keeping_errno(|| set_errno(libc::EAGAIN));
        assert_eq!(errno(), Some(42));
        install(Signal::Quit).expect("the signal is free");
        let flags = action(libc::SIGQUIT).expect("an action").sa_flags;
        let gentle = libc::SA_RESTART | libc::SA_ONSTACK;
        assert_eq!(flags & gentle, gentle);
        // SAFETY: the handler is ours, and `raise` returns after it.
        assert_eq!(unsafe { libc::raise(libc::SIGQUIT) }, 0);
        assert_eq!(errno(), Some(42));
        assert!(REQUESTS.take_signal());
        install(Signal::None).expect("nothing to do");
    }

    #[test]
    fn blocked_signals_come_back() {
        let is_blocked = || {
            // SAFETY: asks for this thread's mask.
            unsafe {
                let mut mask: libc::sigset_t = mem::zeroed();
                libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &raw mut mask);
                libc::sigismember(&raw const mask, libc::SIGTERM) == 1
            }
        };
        let blocked = Blocked::new();
        assert!(is_blocked());
        drop(blocked);
        assert!(!is_blocked());
    }
}
