//! Frames of Rust's own making, and one of assembly.
//!
//! Whatever comes after a call uses it, so that no call becomes a jump.

use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;

#[inline(never)]
pub(crate) fn plain(then: &mut dyn FnMut()) {
    then();
    black_box(());
}

#[inline(never)]
pub(crate) fn generic<F: FnMut()>(mut then: F) {
    then();
    black_box(());
}

#[inline(never)]
pub(crate) fn dynamic(then: &mut dyn FnMut()) {
    let boxed: Box<dyn FnMut() + '_> = Box::new(then);
    plain(&mut *black_box(boxed));
    black_box(());
}

#[inline(never)]
pub(crate) fn wide(then: &mut dyn FnMut()) {
    let mut frame = [0u8; 5_000];
    black_box(&mut frame)[7] = 1;
    then();
    assert_eq!(black_box(&frame)[7], 1);
}

#[repr(align(64))]
struct Aligned([u8; 64]);

#[repr(align(1024))]
struct VeryAligned([u8; 1024]);

#[inline(never)]
pub(crate) fn realigned(then: &mut dyn FnMut()) {
    let mut frame = Aligned([0; 64]);
    black_box(&mut frame).0[7] = 1;
    very_realigned(then);
    assert_eq!(black_box(&frame).0[7], 1);
}

#[inline(never)]
fn very_realigned(then: &mut dyn FnMut()) {
    let mut frame = VeryAligned([0; 1024]);
    black_box(&mut frame).0[7] = 1;
    then();
    assert_eq!(black_box(&frame).0[7], 1);
}

#[inline(never)]
pub(crate) fn recursive(depth: u16, then: &mut dyn FnMut()) {
    match depth {
        0 => then(),
        _ => recursive(black_box(depth - 1), then),
    }
    black_box(());
}

#[inline(never)]
pub(crate) fn even(depth: u16, then: &mut dyn FnMut()) {
    match depth {
        0 => then(),
        _ => odd(black_box(depth - 1), then),
    }
    black_box(());
}

/// As [`even`], with another frame.
#[inline(never)]
fn odd(depth: u16, then: &mut dyn FnMut()) {
    let frame = black_box([u64::from(depth); 9]);
    match depth {
        0 => then(),
        _ => even(depth - 1, then),
    }
    assert_eq!(black_box(frame)[8], u64::from(depth));
}

#[inline(never)]
pub(crate) fn winding(depth: u16, round: u16, then: &mut dyn FnMut()) {
    wind(depth, round, then);
    black_box(());
}

/// Calls on by one of three functions.
#[inline(always)]
fn wind(depth: u16, round: u16, then: &mut dyn FnMut()) {
    match depth {
        0 => then(),
        _ => match without_repetition(depth % round) {
            0 => turn::<0>(depth - 1, round, then),
            1 => turn::<1>(depth - 1, round, then),
            _ => turn::<2>(depth - 1, round, then),
        },
    }
}

/// A function of its own for each number: code that is the same would be merged.
#[inline(never)]
fn turn<const NUMBER: usize>(depth: u16, round: u16, then: &mut dyn FnMut()) {
    let frame = black_box([NUMBER; 3]);
    wind(depth, round, then);
    assert_eq!(black_box(frame)[2], NUMBER);
}

/// Of a sequence of 0, 1 and 2 in which no part is followed by itself: the differences in the
/// sequence of Thue and Morse, where each number stands for the parity of its ones.
fn without_repetition(index: u16) -> u32 {
    let parity = |index: u32| index.count_ones() & 1;
    (3 + parity(u32::from(index) + 1) - parity(u32::from(index))) % 3
}

#[inline(never)]
pub(crate) fn sorted(then: &mut dyn FnMut()) {
    let mut then = Some(then);
    let mut numbers = [3, 1, 2];
    numbers.sort_by(|a, b| {
        if let Some(then) = then.take() {
            then();
        }
        a.cmp(b)
    });
}

#[inline(never)]
pub(crate) fn caught(depth: u8, then: &mut dyn FnMut()) {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        recursive(u16::from(depth), &mut || {
            then();
            resume_unwind(Box::new(()));
        });
    }));
    assert!(caught.is_err());
}

struct Runs<'a>(&'a mut dyn FnMut());

impl Drop for Runs<'_> {
    fn drop(&mut self) {
        plain(self.0);
    }
}

#[inline(never)]
pub(crate) fn dropped(depth: u8, then: &mut dyn FnMut()) {
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _runs = Runs(then);
        recursive(u16::from(depth), &mut || resume_unwind(Box::new(())));
    }));
    assert!(caught.is_err());
}

thread_local! {
    /// What the signal handler is to run: a `*mut &mut dyn FnMut()`.
    static IN_HANDLER: Cell<*mut ()> = const { Cell::new(std::ptr::null_mut()) };
}

/// Sends this thread a signal, and goes on in its handler.
#[inline(never)]
pub(crate) fn interrupted(then: &mut dyn FnMut()) {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        // SAFETY: a handler for a signal that nobody else here uses. It may run inside itself.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_NODEFER;
            assert_eq!(
                libc::sigaction(libc::SIGURG, &action, std::ptr::null_mut()),
                0
            );
        }
    });
    // A panic may not leave a handler: it stops here, and goes on outside.
    let mut panicked = None;
    let mut guarded = || panicked = catch_unwind(AssertUnwindSafe(&mut *then)).err();
    let mut then: &mut dyn FnMut() = &mut guarded;
    let outer = IN_HANDLER.replace((&raw mut then).cast());
    // SAFETY: the handler runs before `raise` returns, while `then` is alive.
    let sent = unsafe { libc::raise(libc::SIGURG) };
    IN_HANDLER.set(outer);
    assert_eq!(sent, 0);
    if let Some(panic) = panicked {
        resume_unwind(panic);
    }
}

extern "C" fn handler(_signal: libc::c_int) {
    // SAFETY: set by `interrupted`, whose frame is below this one. The signal comes from there and
    // from nowhere else, so whatever is safe to call there is safe here.
    unsafe { (*IN_HANDLER.get().cast::<&mut dyn FnMut()>())() }
}

// Keeps rbp in the middle of its frame, and gives it a value of no meaning to anyone.
std::arch::global_asm!(
    ".pushsection .text.call_shapes,\"ax\",@progbits",
    ".p2align 4",
    ".type call_shapes_other_base, @function",
    "call_shapes_other_base:",
    ".cfi_startproc",
    "sub rsp, 56",
    ".cfi_adjust_cfa_offset 56",
    "mov [rsp + 24], rbp",
    ".cfi_rel_offset rbp, 24",
    "mov rbp, rdi",
    "mov rdi, rdx",
    "call rsi",
    "mov rbp, [rsp + 24]",
    ".cfi_restore rbp",
    "add rsp, 56",
    ".cfi_adjust_cfa_offset -56",
    "ret",
    ".cfi_endproc",
    ".size call_shapes_other_base, . - call_shapes_other_base",
    ".popsection",
);

unsafe extern "C-unwind" {
    #[link_name = "call_shapes_other_base"]
    fn other_base_of(value: u64, call: unsafe extern "C-unwind" fn(*mut ()), with: *mut ());
}

pub(crate) fn other_base(value: u64, mut then: &mut dyn FnMut()) {
    // SAFETY: calls back at once, with the pointer to the local.
    unsafe { other_base_of(value, call_back, (&raw mut then).cast()) }
}

/// Runs a `&mut dyn FnMut()` that a pointer points to.
///
/// # Safety
/// `with` points to one that nobody else uses meanwhile.
pub(crate) unsafe extern "C-unwind" fn call_back(with: *mut ()) {
    // SAFETY: the caller vouches for it.
    unsafe { (*with.cast::<&mut dyn FnMut()>())() }
    black_box(());
}
