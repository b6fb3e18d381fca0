//! One step of a walk: from a frame to its caller, by the rule for the frame and the stack.
//!
//! Pure but for reads of the stack, which are checked. Does not remember anything.

use super::Registers;
use super::bounds::StackBounds;
use super::check::Check;
use super::modules::{Modules, NoRule};
use super::rules::{BasePointer, Frame, NearRules, Rule, RuleCache};
use crate::snapshot::TruncatedCause;
#[cfg(feature = "internals")]
use std::ops::Range;

/// Where rules come from.
pub(crate) struct Stepper {
    pub(crate) modules: Modules,
    pub(crate) rules: RuleCache,
}

/// What a step leads to.
pub(super) enum Outcome {
    Caller(Registers, Check),
    Ended(Ending, Check),
}

/// How a walk ended.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Ending(u32);

impl Ending {
    pub(super) const COMPLETE: Self = Self(0);

    pub(super) fn truncated(cause: TruncatedCause) -> Self {
        Self(1 + cause as u32)
    }

    #[inline(always)]
    pub(super) fn cause(self) -> Option<TruncatedCause> {
        if self == Self::COMPLETE {
            return None;
        }
        self.cause_of_truncation()
    }

    #[cold]
    #[inline(never)]
    fn cause_of_truncation(self) -> Option<TruncatedCause> {
        use TruncatedCause::*;
        let causes = [
            UnknownModule,
            NoUnwindInfo,
            UnsupportedRule,
            BadStack,
            TooDeep,
        ];
        causes
            .into_iter()
            .find(|&cause| self == Self::truncated(cause))
    }
}

impl Stepper {
    /// A step of a usual kind, from a frame of this stack, by a rule that is near. `None` says
    /// nothing: take [`Self::step`], which knows all kinds.
    #[inline(always)]
    pub(super) fn usual_step(
        near: NearRules<'_>,
        at: Registers,
        stack: &Stack,
    ) -> Option<(Registers, Check)> {
        Self::usual_step_by(near.get(at.return_address)?, at, stack)
    }

    /// See [`Self::usual_step`].
    #[inline(always)]
    pub(super) fn usual_step_by(
        rule: Rule,
        at: Registers,
        stack: &Stack,
    ) -> Option<(Registers, Check)> {
        let (sp, saved_base, check) = match rule.plain() {
            Some((size, check)) => {
                // Without a saved rbp, some word of the frame: reading it is cheaper than asking.
                (at.sp + size, at.sp + check.saved_base_offset(), check)
            }
            None => frame_of_base_pointer(rule, at)?,
        };
        if sp > stack.end {
            return None;
        }
        // SAFETY: whole words above the frame's stack pointer, and below the end of the stack.
        let (return_address, word) = unsafe { (Stack::read(sp - 8), Stack::read(saved_base)) };
        let caller = Registers {
            return_address,
            sp,
            bp: if check.saves_base() { word } else { at.bp },
        };
        (return_address != 0).then_some((caller, check))
    }

    /// One step outward, by the rule for the frame.
    #[inline(never)]
    pub(super) fn step(&self, at: Registers, stack: &Stack) -> Outcome {
        match self.rule(at.return_address) {
            Ok(rule) => Self::step_by(rule, at, stack),
            Err(NoRule::UnknownModule) => truncated(TruncatedCause::UnknownModule),
            Err(NoRule::NoUnwindInfo) => truncated(TruncatedCause::NoUnwindInfo),
            Err(NoRule::Unsupported) => truncated(TruncatedCause::UnsupportedRule),
        }
    }

    /// See [`Self::step`].
    #[inline(always)]
    pub(super) fn step_by(rule: Rule, at: Registers, stack: &Stack) -> Outcome {
        let offset = |base: u64, by: i32| base.wrapping_add(i64::from(by) as u64);
        let (cfa, is_plain) = match rule.frame() {
            Frame::StackPointer(by) => (offset(at.sp, by), true),
            Frame::BasePointer(by) => (offset(at.bp, by), true),
            Frame::AtBasePointer(by) => match stack.word(offset(at.bp, by)) {
                Some(cfa) => (cfa, false),
                None => return truncated(TruncatedCause::BadStack),
            },
            Frame::Signal => return Self::interrupted(at, stack),
            Frame::End => return Outcome::Ended(Ending::COMPLETE, Check::END),
        };
        // A caller's frame lies above its callee's; anything else would walk in circles.
        let return_address = match stack.word(cfa.wrapping_sub(8)) {
            Some(word) if cfa > at.sp => word,
            _ => return truncated(TruncatedCause::BadStack),
        };
        let (saved, bp) = match rule.base_pointer() {
            BasePointer::Same => (None, Some(at.bp)),
            BasePointer::AtCfa(by) => (Some(offset(cfa, by)), stack.word(offset(cfa, by))),
            BasePointer::InFrame(by) => (None, stack.word(offset(at.bp, by))),
        };
        let Some(bp) = bp else {
            return truncated(TruncatedCause::BadStack);
        };
        if return_address == 0 {
            // How clone leaves the outermost frame of a thread where it has no unwind rule for it.
            return Outcome::Ended(Ending::COMPLETE, Check::AGAIN);
        }
        let uses_base = !matches!(rule.frame(), Frame::StackPointer(_));
        let check = match (is_plain, rule.base_pointer(), saved) {
            (true, BasePointer::Same, _) => Check::return_address(uses_base),
            (true, _, Some(saved)) if saved >= at.sp => {
                Check::saved((saved - at.sp) / 8, uses_base)
            }
            _ => Check::AGAIN,
        };
        let caller = Registers {
            return_address,
            sp: cfa,
            bp,
        };
        Outcome::Caller(caller, check)
    }

    #[inline]
    fn rule(&self, return_address: u64) -> Result<Rule, NoRule> {
        if let Some(rule) = self.rules.get(return_address) {
            return Ok(rule);
        }
        let rule = self.modules.rule(return_address.wrapping_sub(1))?;
        self.rules.put(return_address, rule);
        Ok(rule)
    }

    /// The frame that a signal interrupted: its registers lie in the context above the handler's
    /// frame (`struct ucontext` of the kernel's x86-64 ABI: a header of 40 bytes, then r8 to r15,
    /// rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip).
    #[cold]
    fn interrupted(at: Registers, stack: &Stack) -> Outcome {
        let register = |index: u64| stack.word(at.sp + 40 + 8 * index);
        match (register(16), register(15), register(10)) {
            (Some(pc), Some(sp), Some(bp)) if pc != u64::MAX && sp > at.sp && sp % 8 == 0 => {
                let interrupted = Registers {
                    return_address: pc + 1,
                    sp,
                    bp,
                };
                Outcome::Caller(interrupted, Check::AGAIN)
            }
            _ => truncated(TruncatedCause::BadStack),
        }
    }
}

fn truncated(cause: TruncatedCause) -> Outcome {
    Outcome::Ended(Ending::truncated(cause), Check::AGAIN)
}

/// The caller's stack pointer, where rbp is saved, and the check of a step from a frame that keeps a
/// frame pointer.
#[inline(always)]
fn frame_of_base_pointer(rule: Rule, at: Registers) -> Option<(u64, u64, Check)> {
    let is_in_stack = rule.is_frame_pointer() && at.bp >= at.sp && at.bp.is_multiple_of(8);
    is_in_stack.then(|| {
        let check = Check::saved((at.bp - at.sp) / 8, true);
        (at.bp.saturating_add(16), at.bp, check)
    })
}

/// The part of the thread's stack that a walk may read: from the innermost frame on.
pub(super) struct Stack {
    start: u64,
    /// A multiple of a word.
    pub(super) end: u64,
}

impl Stack {
    #[inline(always)]
    pub(super) fn around(sp: u64, bounds: &StackBounds) -> Self {
        // On an unknown stack the page of the innermost frame is there for sure, and no other.
        let end = bounds.end_of(sp).unwrap_or((sp | 0xfff) + 1);
        Self {
            start: sp,
            end: end & !7,
        }
    }

    /// A stack of these words.
    #[cfg(feature = "internals")]
    pub(super) fn of(words: &[u64]) -> Self {
        let Range { start, end } = words.as_ptr_range();
        Self {
            start: start as u64,
            end: end as u64,
        }
    }

    /// A word of the stack, where it is one.
    #[inline(always)]
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        let is_readable = address >= self.start && address < self.end && address.is_multiple_of(8);
        // SAFETY: aligned and within the stack.
        is_readable.then(|| unsafe { Self::read(address) })
    }

    /// # Safety
    /// `address` is a multiple of 8 between a frame's stack pointer and the end of this thread's
    /// stack.
    #[inline(always)]
    pub(super) unsafe fn read(address: u64) -> u64 {
        // SAFETY: above the walk's own frames: mapped, and changed by nobody while this thread
        // walks it.
        unsafe { (address as *const u64).read_volatile() }
    }
}
