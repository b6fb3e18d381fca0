//! System calls of heaplens' thread, one of which gets another answer than the system's.
//!
//! The kernel hands each call of a watched thread to a supervisor (a seccomp
//! filter with user notification), which lets it pass, or answers it in the system's place. So a test
//! can go through all calls of a snapshot one by one, without guessing what they are. Processes that a
//! watched thread starts are watched too, those that stop all threads of this one included: so the supervisor
//! is a process beside it, which shares its memory and descriptors.

#![allow(dead_code, reason = "not every test program needs all of it")]

use std::ffi::{c_int, c_void};
use std::mem;
use std::ptr::null_mut;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::thread;

/// A system call that is about to be made.
pub(crate) struct Call {
    pub(crate) number: i64,
    pub(crate) arguments: [u64; 6],
}

pub(crate) enum Answer {
    /// The system's own.
    Pass,
    /// An error number.
    Fail(i32),
    /// A result.
    Return(i64),
    /// As a file system that has lost its server.
    Never,
}

/// Which call gets an answer of the test's, and which one.
struct Plan {
    /// Calls to let through before.
    skip: u32,
    counts: fn(&Call) -> bool,
    answer: fn(&Call) -> Answer,
}

static PLAN: Mutex<Option<Plan>> = Mutex::new(None);
/// The call that the last plan has come to; none is negative.
static ANSWERED: AtomicI32 = AtomicI32::new(-1);
static LISTENER: AtomicI32 = AtomicI32::new(-1);
/// The thread that has installed the filter, whose own calls are let through.
static STARTER: AtomicU32 = AtomicU32::new(0);
/// The supervisor needs none of the locks any more that the start of a thread takes.
static IS_READY: AtomicBool = AtomicBool::new(false);

/// Runs `body` on a thread of its own. The threads that it starts are watched. `None`, without
/// running it, where the system does not allow that.
pub(crate) fn watch<T: Send>(body: impl FnOnce() -> T + Send) -> Option<T> {
    thread::spawn(begin_supervising);
    while !IS_READY.load(Ordering::Acquire) {
        thread::yield_now();
    }
    let watched = || {
        // SAFETY: asks for this thread's number.
        let own = unsafe { libc::gettid() };
        STARTER.store(own.cast_unsigned(), Ordering::Release);
        install_filter().then(body)
    };
    thread::scope(|scope| scope.spawn(watched).join().expect("no panic"))
}

/// Answers the call number `nth` of those that count from now on, beginning with zero.
pub(crate) fn answer(nth: u32, counts: fn(&Call) -> bool, answer: fn(&Call) -> Answer) {
    ANSWERED.store(-1, Ordering::Release);
    *PLAN.lock().expect("no panic") = Some(Plan {
        skip: nth,
        counts,
        answer,
    });
}

/// Ends the plan. Returns the number of the call that it has come to, if it has.
pub(crate) fn answered() -> Option<i64> {
    *PLAN.lock().expect("no panic") = None;
    let call = ANSWERED.load(Ordering::Acquire);
    (call >= 0).then_some(call.into())
}

fn install_filter() -> bool {
    let mut all = [libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_USER_NOTIF,
    }];
    let program = libc::sock_fprog {
        len: 1,
        filter: all.as_mut_ptr(),
    };
    // SAFETY: the program is valid for the call, which copies it.
    let listener = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    // No system call of this thread between the two: the supervisor does not know of it yet.
    LISTENER.store(listener as i32, Ordering::Release);
    listener >= 0
}

/// Waits in the kernel for the end of the supervisor, which has this thread's thread-locals, and ends with it.
fn begin_supervising() {
    const STACK: usize = 256 << 10;
    let stack = vec![0u8; STACK].leak();
    let flags = libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_VFORK;
    // SAFETY: the stack is the supervisor's for ever, and nobody else uses its thread-locals meanwhile.
    unsafe {
        let top = stack.as_mut_ptr().add(STACK);
        libc::clone(supervise, top.cast(), flags, null_mut());
    }
}

/// Allocates nothing: a watched thread may be in the allocator's locks when it makes a call.
extern "C" fn supervise(_: *mut c_void) -> c_int {
    // SAFETY: asks for a signal at the end of the thread that waits.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    IS_READY.store(true, Ordering::Release);
    let listener = loop {
        match LISTENER.load(Ordering::Acquire) {
            fd if fd >= 0 => break fd,
            _ => thread::yield_now(),
        }
    };
    loop {
        // SAFETY: all zeros is a valid value of this plain structure, which the call fills in.
        let mut notice: libc::seccomp_notif = unsafe { mem::zeroed() };
        // SAFETY: as above.
        let received = unsafe {
            libc::ioctl(
                listener,
                libc::SECCOMP_IOCTL_NOTIF_RECV as _,
                &raw mut notice,
            )
        };
        if received != 0 {
            continue;
        }
        let mut response = libc::seccomp_notif_resp {
            id: notice.id,
            val: 0,
            error: 0,
            flags: 0,
        };
        match decide(&notice) {
            Answer::Pass => response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
            Answer::Fail(error) => response.error = -error,
            Answer::Return(value) => response.val = value,
            Answer::Never => continue,
        }
        // SAFETY: the structure is fully initialised. A failure means that the thread has gone.
        unsafe {
            libc::ioctl(
                listener,
                libc::SECCOMP_IOCTL_NOTIF_SEND as _,
                &raw mut response,
            )
        };
    }
}

fn decide(notice: &libc::seccomp_notif) -> Answer {
    if notice.pid == STARTER.load(Ordering::Acquire) {
        return Answer::Pass;
    }
    let call = Call {
        number: notice.data.nr.into(),
        arguments: notice.data.args,
    };
    let mut plan = PLAN.lock().expect("no panic");
    match &mut *plan {
        Some(Plan { counts, .. }) if !counts(&call) => Answer::Pass,
        Some(Plan {
            skip: 0, answer, ..
        }) => {
            let answer = answer(&call);
            ANSWERED.store(notice.data.nr, Ordering::Release);
            *plan = None;
            answer
        }
        Some(Plan { skip, .. }) => {
            *skip -= 1;
            Answer::Pass
        }
        None => Answer::Pass,
    }
}
