//! Which memory is the current thread's stack, without asking the system.
//!
//! A thread's descriptor lies at the thread pointer, above its stack, and holds the stack's place
//! at an offset that depends on the version of glibc. The first thread that asks finds that offset:
//! two words that describe a range of pages which holds both the stack pointer and the descriptor
//! itself. The main thread's stack ends at an address that the kernel tells and grows down as far as
//! its limit allows.
//!
//! A stack pointer outside these bounds (a fiber, a signal stack) gives no bounds, and the walk
//! ends with a mark. With another C library than glibc that is all but the main thread's.

use crate::platform;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What is known of stacks.
pub(crate) struct StackBounds {
    main_low: AtomicU64,
    main_high: AtomicU64,
    /// Offset from the thread pointer to the stack's lowest address; the size stands behind it.
    /// 0 where unknown.
    descriptor_offset: AtomicU64,
}

/// What is searched of a descriptor. glibc's are larger (2,304 bytes in 2.17 to 2.36).
const DESCRIPTOR_SEARCHED: u64 = 2048;

const PAGE: u64 = 4096;

impl StackBounds {
    pub(crate) const fn new() -> Self {
        Self {
            main_low: AtomicU64::new(0),
            main_high: AtomicU64::new(0),
            descriptor_offset: AtomicU64::new(0),
        }
    }

    /// Learns where the main thread's stack is. Asks the system; not for the hook.
    pub(crate) fn calibrate(&self) {
        let high = platform::main_stack_top();
        self.main_high.store(high & !7, Relaxed);
        self.main_low
            .store(high.saturating_sub(platform::main_stack_limit()), Relaxed);
    }

    /// Where the stack that `sp` is on ends: all of it above `sp` may be read.
    #[inline(always)]
    pub(crate) fn end_of(&self, sp: u64) -> Option<u64> {
        let (low, high) = (self.main_low.load(Relaxed), self.main_high.load(Relaxed));
        // Within them, by one comparison.
        if sp.wrapping_sub(low) < high.wrapping_sub(low) {
            return Some(high);
        }
        self.end_of_threads(sp)
    }

    #[inline]
    fn end_of_threads(&self, sp: u64) -> Option<u64> {
        let mut offset = self.descriptor_offset.load(Relaxed);
        if offset == 0 {
            offset = find_descriptor_offset(sp)?;
            self.descriptor_offset.store(offset, Relaxed);
        }
        let descriptor = thread_pointer().wrapping_add(offset) as *const u64;
        // SAFETY: the two words were found within a descriptor, all of which are alike,
        // and a thread can always read its own.
        let (low, size) = unsafe { (descriptor.read(), descriptor.add(1).read()) };
        // glibc does not know the main thread's stack in this way. `low` is zero there, and `size` the
        // address where that stack ends: every fiber of the main thread would seem to be in between.
        if low == 0 {
            return None;
        }
        // The descriptor itself is kept at the top of the stack.
        let high = low.checked_add(size)?.min(thread_pointer().max(low));
        (low..high).contains(&sp).then_some(high)
    }
}

/// Looks in the thread's descriptor for the stack that `sp` is on.
#[cfg(target_env = "gnu")]
#[cold]
fn find_descriptor_offset(sp: u64) -> Option<u64> {
    let descriptor = thread_pointer();
    (0..DESCRIPTOR_SEARCHED).step_by(8).find(|offset| {
        let words = (descriptor + offset) as *const u64;
        // SAFETY: within the descriptor, which is larger than what is searched.
        let (low, size) = unsafe { (words.read(), words.add(1).read()) };
        is_stack(low, size, sp, descriptor)
    })
}

/// Whether two words describe a stack with both addresses in it.
#[cfg(target_env = "gnu")]
fn is_stack(low: u64, size: u64, sp: u64, descriptor: u64) -> bool {
    let Some(high) = low.checked_add(size) else {
        return false;
    };
    // No stack begins at 0; but the descriptor has a zero in front of its random stack guard, which in
    // one process of 16 passes for a size in pages.
    low != 0
        // Stacks that a program has brought itself need not be whole pages; another thread will do.
        && low.is_multiple_of(PAGE)
        && size.is_multiple_of(PAGE)
        && (low..high).contains(&sp)
        && (sp..high).contains(&descriptor)
}

#[cfg(not(target_env = "gnu"))]
fn find_descriptor_offset(_: u64) -> Option<u64> {
    None
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
    #[cfg(target_env = "gnu")]
    fn a_stack_is_whole_pages_around_both_addresses() {
        const LOW: u64 = 0x7f00_0000_0000;
        let is_stack = |low, size| is_stack(low, size, LOW + 5 * PAGE, LOW + 7 * PAGE);
        assert!(is_stack(LOW, 8 * PAGE));
        // A zero, and something random of whole pages.
        assert!(!is_stack(0, 0x3a5f_9d2c_7b1e_4000));
        assert!(!is_stack(LOW, 7 * PAGE) && !is_stack(LOW + 6 * PAGE, 2 * PAGE));
        assert!(!is_stack(LOW + 8, 8 * PAGE) && !is_stack(LOW, 8 * PAGE + 8));
        assert!(!is_stack(LOW, !(PAGE - 1)));
    }

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
