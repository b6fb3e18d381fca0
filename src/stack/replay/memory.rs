//! What a thread remembers of its last walk. Data alone: `replay` reads and writes it.

use super::super::Registers;
use super::super::check::Check;
use super::super::step::{Ending, Stack};
use super::guesses::Guesses;
use crate::tables::site_tree::NodeId;

/// A stack of so many frames is too deep: its outermost ones are not looked for, so that the time
/// for a capture is bounded.
pub(super) const STEPS: usize = 4096;

/// The last stack of one thread. Valid when all zero.
#[repr(C)]
pub(crate) struct Memory {
    /// Where the stack ends that the steps are on.
    stack_end: u64,
    /// How the walk ended.
    pub(super) ending: Ending,
    /// The innermost step in use, the first of all if none is.
    pub(super) innermost: *mut Step,
    /// Outermost first, each at a lower address than the one before. The first one is above all
    /// stacks, so that a search outward always ends.
    pub(super) steps: [Step; STEPS + 1],
    /// What may come next.
    pub(super) guesses: Guesses,
    /// New steps of the walk under way, innermost first.
    pub(super) fresh: [Fresh; STEPS],
}

/// A frame of the last walk and how to check the step to its caller.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Step {
    pub(super) at: Registers,
    /// The tree's node for the path from the outermost frame to this one.
    pub(super) node: NodeId,
    pub(super) check: Check,
    /// The word that holds the caller's return address; [`NOWHERE`] where comparing that is not
    /// enough.
    pub(super) compared: *const u64,
}

/// A step that has just been taken, outward from `at`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Fresh {
    pub(super) at: Registers,
    pub(super) check: Check,
}

/// No frame returns to the address that is here.
static NO_RETURN_ADDRESS: u64 = 0;
const NOWHERE: *const u64 = &raw const NO_RETURN_ADDRESS;

impl Memory {
    /// Forgets everything: the next stack may be another thread's, or a walk was left half-way.
    pub(crate) fn forget(&mut self) {
        // No stack ends there.
        self.stack_end = 0;
        self.guesses.forget();
    }

    /// Forgets the last stack, if it was another one than that which ends there.
    #[inline(always)]
    pub(super) fn enter(&mut self, stack: &Stack) {
        if self.stack_end != stack.end {
            self.leave_for(stack);
        }
    }

    #[cold]
    fn leave_for(&mut self, stack: &Stack) {
        self.stack_end = stack.end;
        self.steps[0].at.sp = u64::MAX;
        self.steps[0].at.return_address = u64::MAX;
        self.innermost = self.steps.as_mut_ptr();
    }

    /// Steps in use, without the first.
    pub(super) fn count(&self) -> usize {
        // SAFETY: points into the array.
        unsafe { self.innermost.offset_from_unsigned(self.steps.as_ptr()) }
    }
}

impl Step {
    /// What [`Self::compared`] is for a step of this check, to a caller with this stack pointer.
    #[inline(always)]
    pub(super) fn compared(check: Check, outward_sp: u64) -> *const u64 {
        match check.is_plain() {
            true => (outward_sp - 8) as *const u64,
            false => NOWHERE,
        }
    }

    /// Whether this is the same frame at the same place, with whatever rbp.
    #[inline(always)]
    pub(super) fn begins_like(&self, at: Registers) -> bool {
        self.at.return_address == at.return_address && self.at.sp == at.sp
    }

    /// Whether a walk goes on from `at` as it did from here.
    #[inline(always)]
    pub(super) fn is(&self, at: Registers) -> bool {
        self.begins_like(at) && (self.at.bp == at.bp || !self.check.is_base_live())
    }

    /// Whether the caller's return address is that of `caller`, and nothing else matters. Otherwise
    /// the step may still lead there.
    ///
    /// # Safety
    /// The step is in use, and its stack pointer that of the walk under way or above.
    #[inline(always)]
    pub(super) unsafe fn plainly_leads_to(&self, caller: &Self) -> bool {
        // SAFETY: the static, or what a walk of this very stack has read. It read it above the step's
        // stack pointer, where the stack is in use up to its end.
        unsafe { Stack::read(self.compared as u64) == caller.at.return_address }
    }
}

impl Fresh {
    /// Copies word by word. A copy in larger pieces would have to wait for the words, which have
    /// just been written, to reach the cache.
    #[inline(always)]
    pub(super) fn copied(&self) -> Self {
        // SAFETY: reads what it refers to. Volatile, so that the reads are not joined.
        unsafe {
            Self {
                at: Registers {
                    return_address: (&raw const self.at.return_address).read_volatile(),
                    sp: (&raw const self.at.sp).read_volatile(),
                    bp: (&raw const self.at.bp).read_volatile(),
                },
                check: (&raw const self.check).read_volatile(),
            }
        }
    }
}
