//! Which memory is the current thread's stack, without asking the system.
//!
//! A thread's descriptor lies at the thread pointer, above its stack, and holds the stack's place
//! at an offset that depends on the C library. `calibrate` finds that offset once, on a thread of
//! ours whose stack is known. The main thread's stack ends at an address that the kernel tells and
//! grows down as far as its limit allows.
//!
//! A stack pointer outside these bounds (a fiber, a signal stack) gives no bounds, and the walk
//! ends with a mark.

use crate::platform;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What `calibrate` found out.
pub(crate) struct StackBounds {
    main_low: AtomicU64,
    main_high: AtomicU64,
    /// Offset from the thread pointer to the stack's lowest address; the size stands behind it.
    /// 0 where unknown.
    descriptor_offset: AtomicU64,
}

/// Descriptors of glibc (2,304 bytes in 2.36) and musl are smaller than this.
const DESCRIPTOR_SEARCHED: u64 = 2048;

impl StackBounds {
    pub(crate) const fn new() -> Self {
        Self {
            main_low: AtomicU64::new(0),
            main_high: AtomicU64::new(0),
            descriptor_offset: AtomicU64::new(0),
        }
    }

    /// Learns where stacks are. Starts a short-lived thread; not for the hook.
    pub(crate) fn calibrate(&self) {
        let high = platform::main_stack_top();
        self.main_high.store(high & !7, Relaxed);
        self.main_low
            .store(high.saturating_sub(platform::main_stack_limit()), Relaxed);
        let probe = std::thread::Builder::new()
            .stack_size(64 << 10)
            .spawn(find_descriptor_offset);
        if let Some(offset) = probe.ok().and_then(|probe| probe.join().ok()).flatten() {
            self.descriptor_offset.store(offset, Relaxed);
        }
    }

    /// Where the stack that `sp` is on ends: all of it above `sp` may be read.
    #[inline(always)]
    pub(crate) fn end_of(&self, sp: u64) -> Option<u64> {
        let main = self.main_low.load(Relaxed)..self.main_high.load(Relaxed);
        if main.contains(&sp) {
            return Some(main.end);
        }
        self.end_of_threads(sp)
    }

    #[inline]
    fn end_of_threads(&self, sp: u64) -> Option<u64> {
        let offset = self.descriptor_offset.load(Relaxed);
        if offset == 0 {
            return None;
        }
        let descriptor = thread_pointer().wrapping_add(offset) as *const u64;
        // SAFETY: `calibrate` found the two words within a descriptor, all of which are alike,
        // and a thread can always read its own.
        let (low, size) = unsafe { (descriptor.read(), descriptor.add(1).read()) };
        // glibc keeps the descriptor itself at the top of the stack, and does not know the main
        // thread's stack in this way: its fields are zero.
        let high = low.checked_add(size)?.min(thread_pointer().max(low));
        (low..high).contains(&sp).then_some(high)
    }
}

/// Runs on a thread whose stack is known, and looks for it in the thread's descriptor.
fn find_descriptor_offset() -> Option<u64> {
    let stack = platform::own_stack_bounds()?;
    let descriptor = thread_pointer();
    (0..DESCRIPTOR_SEARCHED).step_by(8).find(|offset| {
        let words = (descriptor + offset) as *const u64;
        // SAFETY: within the descriptor, which is larger than what is searched.
        let (low, size) = unsafe { (words.read(), words.add(1).read()) };
        // The block may begin with a guard page that the stack's bounds leave out.
        low <= stack.start && stack.start - low <= 1 << 20 && low.wrapping_add(size) == stack.end
    })
}

/// The thread pointer: the address of the thread's descriptor (System V ABI for x86-64).
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn thread_pointer() -> u64 {
    let pointer: u64;
    // SAFETY: the word at fs:0 is the thread pointer itself.
    unsafe {
        std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, readonly, preserves_flags));
    }
    pointer
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn thread_pointer() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::super::Registers;
    use super::*;

    #[test]
    fn each_thread_finds_itself_and_nothing_else() {
        static BOUNDS: StackBounds = StackBounds::new();
        BOUNDS.calibrate();
        let heap = Box::new(0u64);
        let check = |elsewhere: u64| {
            let sp = Registers::here().sp;
            let known = platform::own_stack_bounds().unwrap();
            let found = BOUNDS.end_of(sp).expect("a thread has a stack");
            assert!(
                found <= known.end && known.end - found < 16 << 10,
                "{found:x?} {known:x?}"
            );
            assert_eq!(BOUNDS.end_of(elsewhere), None);
            sp
        };
        let heap = &raw const *heap as u64;
        let outer = std::thread::spawn(move || check(heap)).join().unwrap();
        let small = std::thread::Builder::new().stack_size(32 << 10);
        small
            .spawn(move || (check(heap), check(outer)))
            .unwrap()
            .join()
            .unwrap();
    }
}
