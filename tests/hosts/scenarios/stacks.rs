//! Stacks that cannot be walked to their end: other stacks than the thread's own, and code without
//! unwind tables, with wrong ones, or in no file at all.

use crate::c_library::{Builder, Library};
use crate::host::{Books, block, churn, start, storm, take, totals_of};
use corosensei::{Coroutine, CoroutineResult};
use fastrand::Rng;
use std::arch::global_asm;
use std::ffi::c_void;
use std::mem::transmute;
use std::panic::{catch_unwind, resume_unwind};
use std::ptr::null_mut;
use std::thread;

/// Threads that go from stack to stack, and free on one what they made on another.
pub(crate) fn are_switched() {
    let _profiler = start();
    let books = Books::open();
    thread::scope(|scope| {
        for seed in 0..4 {
            scope.spawn(move || {
                for round in 0..storm(200) as u64 {
                    in_coroutines(&mut Rng::with_seed(seed * 1_000 + round));
                    grow(40);
                }
            });
        }
    });
    let losses = books.balance().header.losses;
    assert!(losses.truncated.bad_stack > 100, "{losses:?}");
}

fn in_coroutines(random: &mut Rng) {
    let mut coroutines: Vec<Coroutine<Vec<u8>, Vec<u8>, ()>> = (0..4)
        .map(|seed| {
            Coroutine::new(move |yielder, mut last: Vec<u8>| {
                let mut random = Rng::with_seed(seed);
                for _ in 0..8 {
                    drop(last);
                    churn(&mut random, 2);
                    last = yielder.suspend(block(random.usize(1..9_000)));
                }
            })
        })
        .collect();
    let mut last = block(100);
    while !coroutines.is_empty() {
        let at = random.usize(..coroutines.len());
        match coroutines[at].resume(last) {
            CoroutineResult::Yield(next) => last = next,
            CoroutineResult::Return(()) => {
                drop(coroutines.swap_remove(at));
                last = block(50);
            }
        }
    }
}

/// Recursion that takes a new stack every other level.
fn grow(levels: usize) {
    let kept = block(10 * levels + 1);
    if levels > 0 {
        match levels % 2 {
            0 => stacker::grow(256 << 10, || grow(levels - 1)),
            _ => grow(levels - 1),
        }
    }
    drop(kept);
}

// `call_plainly` has no unwind entry. The others have wrong ones: of frames that are smaller, larger and
// elsewhere than they say.
global_asm!(
    ".macro calling name, directives:vararg",
    ".global \\name",
    "\\name:",
    "\\directives",
    "push rbx",
    "sub rsp, 256",
    "call rdi",
    "add rsp, 256",
    "pop rbx",
    "ret",
    ".endm",
    "calling call_plainly",
    ".cfi_startproc",
    "calling call_with_small_frame",
    ".cfi_endproc",
    ".cfi_startproc",
    "calling call_with_large_frame, .cfi_def_cfa_offset 0x100000",
    ".cfi_endproc",
    ".cfi_startproc",
    "calling call_with_frame_elsewhere, .cfi_def_cfa rbx, 8",
    ".cfi_endproc",
    ".cfi_startproc",
    "calling call_with_misplaced_frame, .cfi_def_cfa_offset 13",
    ".cfi_endproc",
);

type Call = unsafe extern "C" fn(extern "C" fn());

unsafe extern "C" {
    fn call_plainly(then: extern "C" fn());
    fn call_with_small_frame(then: extern "C" fn());
    fn call_with_large_frame(then: extern "C" fn());
    fn call_with_frame_elsewhere(then: extern "C" fn());
    fn call_with_misplaced_frame(then: extern "C" fn());
}

const WITHOUT_TABLES: &str = r#"
void call(void (*then)(void)) { volatile char room[300]; room[7] = 1; then(); room[8] = room[7]; }
"#;

extern "C" fn allocate() {
    churn(&mut Rng::with_seed(5), 5);
}

/// Code that a program has made itself: `push rbx; call rdi; pop rbx; ret`.
fn made_at_run_time() -> Call {
    const CODE: [u8; 5] = [0x53, 0xff, 0xd7, 0x5b, 0xc3];
    // SAFETY: a new mapping that stays; the code keeps to the calling convention.
    unsafe {
        let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let start = libc::mmap(null_mut(), 4096, protection, flags, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        start
            .cast::<u8>()
            .copy_from_nonoverlapping(CODE.as_ptr(), CODE.len());
        transmute::<*mut c_void, Call>(start)
    }
}

pub(crate) fn that_cannot_be_unwound() {
    let _profiler = start();
    let builder = Builder::new();
    let flags = [
        "-O1",
        "-fno-asynchronous-unwind-tables",
        "-fno-exceptions",
        "-fomit-frame-pointer",
    ];
    let library = Library::open(&builder.build("bare", WITHOUT_TABLES, &flags));
    // SAFETY: the function of the source above.
    let without_tables = unsafe { transmute::<*mut c_void, Call>(library.symbol("call")) };
    let calls: [Call; 7] = [
        call_plainly,
        call_with_small_frame,
        call_with_large_frame,
        call_with_frame_elsewhere,
        call_with_misplaced_frame,
        without_tables,
        made_at_run_time(),
    ];
    let books = Books::open();
    for round in 0..storm(500) {
        for call in calls {
            // SAFETY: calls back once. Nobody unwinds through it.
            unsafe { call(allocate) };
        }
        if round == 0 {
            // Now the library is known.
            take("first");
        }
    }
    let truncated = books.balance().header.losses.truncated;
    let counts = [
        truncated.no_unwind_info,
        truncated.unknown_module,
        truncated.bad_stack,
    ];
    assert!(counts.iter().all(|&count| count > 10), "{truncated:?}");
}

const CALLER: &str = r#"
void call(void (*then)(void)) { volatile char room[300]; room[7] = 1; then(); room[8] = room[7]; }
"#;

/// Sizes of blocks that are made while a panic goes its way, and after it.
const MEANWHILE: usize = 70_003;
const AFTERWARDS: usize = 70_009;

struct AllocatesMeanwhile;

impl Drop for AllocatesMeanwhile {
    fn drop(&mut self) {
        drop(block(MEANWHILE));
    }
}

extern "C-unwind" fn panic_meanwhile() {
    let _allocates = AllocatesMeanwhile;
    // Without a message.
    resume_unwind(Box::new(()));
}

/// Panics go through a callback and the C code that calls it: recording goes on meanwhile, and after.
pub(crate) fn that_panics_unwind() {
    type Through = unsafe extern "C-unwind" fn(extern "C-unwind" fn());
    let _profiler = start();
    let builder = Builder::new();
    let library = Library::open(&builder.build("caller", CALLER, &["-O1", "-fexceptions"]));
    // SAFETY: the function of the source above.
    let call = unsafe { transmute::<*mut c_void, Through>(library.symbol("call")) };
    let (before, panics) = (take("before"), storm(2_000));
    for _ in 0..panics {
        // SAFETY: calls back once, and can be unwound.
        let caught = catch_unwind(|| unsafe { call(panic_meanwhile) });
        assert!(caught.is_err());
        drop(block(AFTERWARDS));
    }
    let after = take("after");
    assert_eq!(
        totals_of(&after, MEANWHILE).iter().sum::<u64>(),
        panics as u64
    );
    assert_eq!(totals_of(&after, AFTERWARDS), [panics as u64]);
    let [before, after] = [before, after].map(|snapshot| snapshot.header.losses.reentered);
    assert_eq!(after, before);
}
