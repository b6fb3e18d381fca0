//! Signal handlers that allocate, wherever they come in; and those that never return.
//!
//! No allocator survives a handler that allocates while its thread is inside it, so these handlers
//! look first whether the thread is in the inner one.

use crate::c_library::{Builder, Library};
use crate::host::{Books, block, churn, start, storm, take, totals_of};
use crate::inner::is_inside;
use crate::stack_use::{stack_of_a_call, stack_of_inner_call};
use fastrand::Rng;
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, realloc};
use std::arch::asm;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::mem::{transmute, zeroed};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Barrier, OnceLock};
use std::thread;

/// Signals whose handlers have allocated.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

type Handler = extern "C" fn(c_int);

fn handle(signal: c_int, handler: Handler) {
    // SAFETY: a handler that may come in anywhere, as its module says.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(signal, &raw const action, null_mut()), 0);
    }
}

/// So many storms at most, until a signal has come in the recorder.
const MOST_STORMS: usize = 20;
/// Bytes of a small signal stack. Of these the kernel takes what it says in the auxiliary vector.
const SMALL: usize = 8 << 10;

/// A signal stack of this size above a page that must not be touched. Never freed.
fn use_signal_stack(size: usize) {
    const PAGE: usize = 4096;
    // SAFETY: a new mapping, which stays.
    unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let start = libc::mmap(null_mut(), PAGE + size, protection, flags, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        assert_eq!(libc::mprotect(start, PAGE, libc::PROT_NONE), 0);
        set_signal_stack(start.byte_add(PAGE), size);
    }
}

/// # Safety
/// The memory is for handlers alone, for as long as there are any.
unsafe fn set_signal_stack(start: *mut c_void, size: usize) {
    let stack = libc::stack_t {
        ss_sp: start,
        ss_flags: 0,
        ss_size: size,
    };
    // SAFETY: the caller vouches for the memory.
    let result = unsafe { libc::sigaltstack(&raw const stack, null_mut()) };
    assert_eq!(result, 0);
}

/// As small a signal stack as this build and inner allocator can do with.
fn use_small_signal_stack() {
    // SAFETY: reads a constant table.
    let of_kernel = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
    // Calls differ, those of the inner allocator above all.
    let needed = of_kernel + stack_of_a_call() + 2 * stack_of_inner_call();
    use_signal_stack(needed.next_multiple_of(4096).max(SMALL));
}

extern "C" fn allocate(_: c_int) {
    if is_inside() {
        return;
    }
    let count = HANDLED.fetch_add(1, Relaxed);
    drop(block(1 + count % 5_000));
    if count.is_multiple_of(16) {
        drop(block(100_000));
    }
}

/// A thousand signals a second, each to whichever thread is running. Where one comes is chance: there are storms
/// until one has come in the recorder.
pub(crate) fn storm_of_signals() {
    let _profiler = start();
    let books = Books::open();
    let has_met_the_recorder = (0..MOST_STORMS).any(|_| {
        one_storm();
        books.balance().header.losses.reentered > 0
    });
    assert!(has_met_the_recorder, "no signal came in the recorder");
}

fn one_storm() {
    let wanted = HANDLED.load(Relaxed) + storm(5_000);
    let is_over = AtomicBool::new(false);
    // The standard library's signal stacks are too small for some inner allocators.
    let all_have_theirs = Barrier::new(5);
    thread::scope(|scope| {
        for seed in 0..4 {
            let (is_over, all_have_theirs) = (&is_over, &all_have_theirs);
            scope.spawn(move || {
                use_small_signal_stack();
                all_have_theirs.wait();
                let mut random = Rng::with_seed(seed);
                while !is_over.load(Relaxed) {
                    churn(&mut random, 50);
                }
            });
        }
        use_small_signal_stack();
        all_have_theirs.wait();
        handle(libc::SIGPROF, allocate);
        signal_each(1_000);
        let mut random = Rng::with_seed(9);
        while HANDLED.load(Relaxed) < wanted {
            churn(&mut random, 50);
        }
        signal_each(0);
        handle(libc::SIGPROF, ignore);
        is_over.store(true, Relaxed);
    });
}

/// A SIGPROF after each so many microseconds of CPU time from now on; 0: none.
fn signal_each(microseconds: libc::suseconds_t) {
    let interval = libc::timeval {
        tv_sec: 0,
        tv_usec: microseconds,
    };
    let timer = libc::itimerval {
        it_interval: interval,
        it_value: interval,
    };
    // SAFETY: reads the local above.
    let result = unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, null_mut()) };
    assert_eq!(result, 0);
}

extern "C" fn ignore(_: c_int) {}

/// Runs `work` with a SIGTRAP after each of its instructions.
#[inline(never)]
fn step_through<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: sets the processor's trap flag, and clears it below.
    unsafe { asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
    let result = work();
    stop_steps();
    result
}

fn stop_steps() {
    // SAFETY: clears the trap flag.
    unsafe { asm!("pushfq", "and qword ptr [rsp], 0xfffffffffffffeff", "popfq") };
}

/// A life of a block with a call in each way, step by step.
#[inline(never)]
fn step_through_life(size: usize, zeroed: bool) {
    let layout = Layout::from_size_align(size, 16).expect("a layout");
    // SAFETY: the block is used with its own layout, and freed once.
    unsafe {
        let block = step_through(|| match zeroed {
            true => alloc_zeroed(layout),
            false => alloc(layout),
        });
        block.write(7);
        let grown = step_through(|| realloc(block, layout, size + 100));
        assert_eq!(grown.read(), 7);
        let layout = Layout::from_size_align_unchecked(size + 100, 16);
        step_through(|| dealloc(grown, layout));
    }
}

/// A handler that allocates comes in after each instruction of the recorder's.
pub(crate) fn at_each_instruction() {
    let _profiler = start();
    use_small_signal_stack();
    interrupt_all();
}

/// The same, with a signal stack that lies in the frame of a function. Its handlers stand higher on
/// the thread's stack than what they interrupt.
pub(crate) fn on_a_stack_within_the_stack() {
    let _profiler = start();
    let mut frame = [0u8; 16 * SMALL];
    // SAFETY: for handlers alone, until the process ends.
    unsafe { set_signal_stack(black_box(&mut frame).as_mut_ptr().cast(), frame.len()) };
    interrupt_all();
}

fn interrupt_all() {
    let books = Books::open();
    handle(libc::SIGTRAP, allocate);
    for size in [24, 4_000, 40_000, 100_000] {
        step_through_life(size, size % 3 == 0);
    }
    let handled = HANDLED.load(Relaxed);
    assert!(
        handled > 300,
        "{handled} signals outside of the inner allocator"
    );
    let snapshot = books.balance();
    // One in two was in the recorder, and more.
    let reentered = snapshot.header.losses.reentered;
    assert!(reentered > 100, "{reentered} of {handled} without a stack");
}

const JUMPS: &str = r#"
#include <setjmp.h>
static sigjmp_buf place;
int until_jump(void (*work)(void *), void *with) {
    if (sigsetjmp(place, 1)) return 1;
    work(with);
    return 0;
}
void jump(void) { siglongjmp(place, 1); }
"#;

type UntilJump = extern "C" fn(extern "C" fn(*mut c_void), *mut c_void) -> c_int;

struct Jumps {
    until_jump: UntilJump,
    jump: extern "C" fn(),
}

static JUMP: OnceLock<Jumps> = OnceLock::new();
/// Instructions until the jump.
static LEFT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn jump_when_due(_: c_int) {
    let left = LEFT.load(Relaxed).saturating_sub(1);
    LEFT.store(left, Relaxed);
    // Where it may not jump it does so as soon as it may.
    if left == 0 && !is_inside() {
        (JUMP.get().expect("set at the start").jump)();
    }
}

/// A block of its own size: as many as there are jumps.
const MARKED: usize = 70_001;

/// A handler jumps out of the recorder, at many of its instructions: recording goes on.
pub(crate) fn that_jump_out() {
    jump_out(|| {
        extern "C" fn work(_: *mut c_void) {
            // Further in than what is allocated after the jump, which proves by that that there was one.
            let frame = black_box([0u8; 4_000]);
            step_through_life(4_000, false);
            black_box(frame);
        }
        (JUMP.get().expect("set at the start").until_jump)(work, null_mut()) == 1
    });
}

/// The same, out of a handler on a signal stack that has been in the recorder itself.
pub(crate) fn that_jump_off_their_stack() {
    extern "C" fn on_signal_stack(_: c_int) {
        step_through_life(4_000, false);
    }
    handle(libc::SIGUSR1, on_signal_stack);
    jump_out(|| {
        extern "C" fn work(_: *mut c_void) {
            // SAFETY: sends a signal to this thread.
            assert_eq!(unsafe { libc::raise(libc::SIGUSR1) }, 0);
        }
        (JUMP.get().expect("set at the start").until_jump)(work, null_mut()) == 1
    });
}

/// `attempt` runs until a jump, and says whether there was one.
fn jump_out(attempt: impl Fn() -> bool) {
    let _profiler = start();
    let builder = Builder::new();
    let library = Library::open(&builder.build("jumps", JUMPS, &["-O1"]));
    // SAFETY: the functions of the source above, of these types.
    let _ = JUMP.set(unsafe {
        Jumps {
            until_jump: transmute::<*mut c_void, UntilJump>(library.symbol("until_jump")),
            jump: transmute::<*mut c_void, extern "C" fn()>(library.symbol("jump")),
        }
    });
    handle(libc::SIGTRAP, jump_when_due);
    // For handlers within handlers.
    use_signal_stack(8 * SMALL);
    let before = take("before").header.losses.reentered;
    // The first time is not like the others.
    let [_, all] = [(); 2].map(|()| {
        LEFT.store(usize::MAX, Relaxed);
        assert!(!attempt(), "a jump before its time");
        usize::MAX - LEFT.load(Relaxed)
    });
    let attempts = storm(120);
    let mut jumps = 0;
    for number in 0..attempts {
        LEFT.store(1 + all * number / attempts, Relaxed);
        if attempt() {
            jumps += 1;
            drop(block(MARKED));
        }
    }
    let snapshot = take("after");
    let recorded = totals_of(&snapshot, MARKED);
    assert!(jumps > attempts as u64 / 2, "{jumps} jumps");
    assert_eq!(recorded, [jumps], "recorded of {jumps}");
    assert_eq!(snapshot.header.losses.reentered, before);
}
