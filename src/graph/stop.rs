//! Stops the program's threads for the moment of the copy, so that their registers and the memory are of
//! one moment.
//!
//! A thread cannot be stopped from its own process, so a helper process does it, which shares this one's
//! memory. Threads that run are stopped, and those that wait in a system call that goes on by itself. Threads that
//! wait in any other call are left alone, since it would return early (`EINTR`): they stand still anyway,
//! and that they still did after the copy is looked at then.
//!
//! Where the system does not allow it, nothing is stopped and the registers are unknown.

use super::probe;
use super::task::{self, Waits};
use super::threads::{Registers, State, Table, Thread, Threads};
use crate::platform::{self, Beside, monotonic_ns, pause_briefly, tracing};
use std::ffi::{c_int, c_void};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Longest time that stopping may take. After that it is given up, and the copy made without.
const STOP_NS: u64 = 15_000_000;
/// Longest time that threads stay stopped if nobody lets them go.
const HOLD_NS: u64 = 2_000_000_000;

/// Phases of the table, which begins with 0. The helper may begin: it is allowed to stop threads.
const ALLOWED: u32 = 1;
const STOPPED: u32 = 2;
const COPIED: u32 = 3;
const LET_GO: u32 = 4;

/// Calls whose wait goes on by itself after a thread was stopped in it (man 7 signal).
const GO_ON: [i64; 8] = [
    libc::SYS_futex,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_restart_syscall,
];

/// What the helper is told.
struct Order {
    process: i32,
    /// The thread that makes the copy.
    spared: i32,
    table: *mut Table,
}

/// Threads that stand still.
pub(super) struct Stopping<'a> {
    threads: &'a Threads,
    helper: Option<Beside>,
    /// What the helper reads, which lives as long as it.
    _order: Box<Order>,
}

impl<'a> Stopping<'a> {
    /// Stops the threads of this process but the calling one, as far as that is possible.
    pub(super) fn begin(threads: &'a Threads) -> Self {
        let process = platform::own_pid();
        let order = Box::new(Order {
            process,
            spared: platform::own_tid(),
            table: threads.table(),
        });
        let argument = (&raw const *order).cast_mut().cast();
        let start = || {
            // SAFETY: `hold` allocates nothing, takes no locks, and `order` lives as long as the helper.
            unsafe { platform::run_beside(hold, argument) }.ok()
        };
        let helper = probe::is_harmless(process).then(start).flatten();
        let mut stopping = Self {
            threads,
            helper,
            _order: order,
        };
        match &mut stopping.helper {
            Some(helper) => {
                tracing::allow_tracer(helper.pid());
                threads.phase().store(ALLOWED, Release);
                // The helper gives up by itself before.
                if !wait_for(threads.phase(), STOPPED, || helper.has_ended()) {
                    threads.count_unknown();
                }
            }
            None => threads.count_unknown(),
        }
        stopping
    }

    /// Lets all threads go on. What is known of their registers at the moment of the copy.
    pub(super) fn end(mut self) -> Registers {
        self.release();
        self.threads.registers()
    }

    fn release(&mut self) {
        let Some(mut helper) = self.helper.take() else {
            return;
        };
        self.threads.phase().store(COPIED, Release);
        if !wait_for(self.threads.phase(), LET_GO, || helper.has_ended()) {
            // Threads that it holds go on when it has ended.
            helper.kill();
        }
        helper.finish();
        tracing::allow_tracer(0);
    }
}

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.release();
    }
}

/// Waits until a phase is reached. Gives up when it `is_in_vain`, and after a while.
fn wait_for(phase: &AtomicU32, wanted: u32, mut is_in_vain: impl FnMut() -> bool) -> bool {
    let deadline = monotonic_ns() + HOLD_NS;
    while phase.load(Acquire) < wanted {
        if monotonic_ns() > deadline || is_in_vain() {
            // The other side may have reached it before it ended.
            return phase.load(Acquire) >= wanted;
        }
        pause_briefly();
    }
    true
}

/// The helper's work.
extern "C" fn hold(order: *mut c_void) -> c_int {
    // SAFETY: the order lives until this process has ended.
    let order = unsafe { &*order.cast::<Order>() };
    platform::become_harmless(order.process, probe::SECONDS);
    // SAFETY: mapped until this process has ended. The other side accesses only atomics until it is
    // told that all have been let go.
    let table = unsafe { &mut *order.table };
    if !wait_for(&table.phase, ALLOWED, || false) {
        return 0;
    }
    if stop_all(order, table).is_none() {
        table.unknown.fetch_add(1, Relaxed);
    }
    table.phase.store(STOPPED, Release);
    wait_for(&table.phase, COPIED, || false);
    let waiting = table.known().iter();
    let moved = waiting
        .filter(|thread| thread.was_left_alone())
        .filter(|thread| {
            let now = task::waits(order.process, thread.tid);
            !matches!(now, Waits::InCall { turns, .. } if turns == thread.turns)
        });
    let moved = moved.count() as u32;
    table.moved.fetch_add(moved, Relaxed);
    for thread in table.known() {
        if let State::Stopped(signal) = thread.state {
            tracing::let_go(thread.tid, signal);
        }
    }
    table.phase.store(LET_GO, Release);
    // Whatever has not stopped in time is let go by the end of this process.
    0
}

/// Stops what is to be stopped, over and over until no new thread has come. `None`: not all are known.
fn stop_all(order: &Order, table: &mut Table) -> Option<()> {
    let deadline = monotonic_ns() + STOP_NS;
    loop {
        let (mut is_new, mut is_complete) = (false, true);
        task::for_each(order.process, |tid| {
            let is_known = table.known().iter().any(|thread| thread.tid == tid);
            if tid != order.spared && !is_known && !task::has_ended(order.process, tid) {
                is_new = true;
                is_complete &= take(order, table, tid) || task::has_ended(order.process, tid);
            }
        })?;
        wait_until_stopped(table, deadline)?;
        match (is_complete, is_new) {
            (false, _) => return None,
            (true, false) => return Some(()),
            (true, true) => {}
        }
    }
}

/// Notes a thread that waits, and has any other stop. Says no where that fails.
fn take(order: &Order, table: &mut Table, tid: i32) -> bool {
    match task::waits(order.process, tid) {
        Waits::InCall {
            call,
            stack_pointer,
            words,
            turns,
        } if !GO_ON.contains(&call) => table.note(Thread {
            stack_pointer,
            words,
            turns,
            ..Thread::new(tid, State::Untouched)
        }),
        _ => {
            table.has_room()
                && tracing::seize(tid)
                && tracing::interrupt(tid)
                && table.note(Thread::new(tid, State::Told))
        }
    }
}

/// Waits until all that were told to stop have, and reads their registers. `None`: it takes too long.
fn wait_until_stopped(table: &mut Table, deadline: u64) -> Option<()> {
    let mut interrupted = 0;
    for thread in table.known_mut() {
        while thread.state == State::Told {
            match tracing::look(thread.tid) {
                tracing::Stop::Stopped { signal, by_us } => {
                    thread.state = State::Stopped(signal);
                    interrupted += u64::from(by_us && !has_call_to_go_on(thread.tid));
                    read_registers(thread)?;
                }
                tracing::Stop::Gone => *thread = Thread::new(0, State::Untouched),
                tracing::Stop::NotYet if monotonic_ns() > deadline => return None,
                tracing::Stop::NotYet => pause_briefly(),
            }
        }
    }
    table.interrupted.fetch_add(interrupted, Relaxed);
    Some(())
}

fn read_registers(thread: &mut Thread) -> Option<()> {
    let registers = tracing::registers(thread.tid)?;
    thread.stack_pointer = registers.rsp;
    thread.thread_pointer = registers.fs_base;
    thread.words = [
        registers.rax,
        registers.rbx,
        registers.rcx,
        registers.rdx,
        registers.rsi,
        registers.rdi,
        registers.rbp,
        registers.rsp,
        registers.r8,
        registers.r9,
        registers.r10,
        registers.r11,
        registers.r12,
        registers.r13,
        registers.r14,
        registers.r15,
        registers.rip,
        registers.orig_rax,
    ];
    Some(())
}

/// Sees to it that a system call which a thread entered between our look and its stop does not return
/// early: it is made anew. It had only just begun, so its timeout loses nothing. `false`: a signal is about to
/// be delivered too, and then nobody can tell for whom it returns early.
fn has_call_to_go_on(tid: i32) -> bool {
    /// Length of the instruction of a system call.
    const SYSCALL: u64 = 2;
    let Some(mut registers) = tracing::registers(tid) else {
        return true;
    };
    let call = registers.orig_rax.cast_signed();
    if call < 0 || registers.rax.cast_signed() != -i64::from(libc::EINTR) {
        return true;
    }
    if tracing::has_pending_signal(tid) {
        return false;
    }
    registers.rax = registers.orig_rax;
    registers.orig_rax = u64::MAX;
    registers.rip -= SYSCALL;
    tracing::set_registers(tid, &registers);
    true
}
