//! One step of a walk: from a frame to its caller, by the rule for the frame and the stack.
//!
//! Pure but for reads of the stack, which are checked. Does not remember anything.

use super::Registers;
use super::bounds::StackBounds;
use super::modules::{Modules, NoRule};
use super::rules::{BasePointer, Frame, Rule, RuleCache, Usual};
use crate::snapshot::TruncatedCause;

/// Where rules come from.
pub(crate) struct Stepper<'a> {
    pub(crate) modules: &'a Modules,
    pub(crate) rules: &'a RuleCache,
}

/// What a step leads to.
pub(super) enum Outcome {
    Caller(Registers, Check),
    Ended(Ending, Check),
}

/// What a step read, beside the return address below the caller's stack pointer, and whether it
/// matters.
///
/// The value of rbp is part of what a step starts from, but few steps use it: those of frames that
/// find the CFA by it, and those that hand it unchanged to such a frame. To all others it is *dead*:
/// they replace it by the one that the frame has saved, or nobody asks for it. Programs keep
/// counters and pointers in rbp, which change all the time; dead ones are not compared.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Check(u32);

impl Check {
    /// Comparing words is enough.
    const BY_WORDS: u32 = 1;
    /// The saved rbp is one of them: it is live in the caller.
    const COMPARES_BASE: u32 = 1 << 1;
    /// rbp was saved in the frame: that many words above the stack pointer as the bits from
    /// [`Self::OFFSET`] on say.
    const SAVES_BASE: u32 = 1 << 2;
    /// rbp is live.
    const LIVE: u32 = 1 << 3;
    /// The step itself uses rbp.
    const USES_BASE: u32 = 1 << 4;
    const OFFSET: u32 = 5;

    /// The step is taken anew.
    pub(super) const AGAIN: Self = Self(Self::USES_BASE);
    /// Outermost: the rule alone says so.
    pub(super) const END: Self = Self(0);

    /// Of a step that has read the return address alone.
    #[inline(always)]
    pub(super) fn return_address(uses_base: bool) -> Self {
        match uses_base {
            true => Self(Self::BY_WORDS | Self::USES_BASE),
            false => Self(Self::BY_WORDS),
        }
    }

    /// Of a step that has read rbp as well, so many words above the stack pointer.
    #[inline(always)]
    pub(super) fn saved(words: u64, uses_base: bool) -> Self {
        if words >> (u32::BITS - Self::OFFSET) != 0 {
            return Self::AGAIN;
        }
        let offset = (words as u32) << Self::OFFSET;
        Self(Self::return_address(uses_base).0 | Self::SAVES_BASE | offset)
    }

    /// The check of a step whose caller has the check `outward`, [`Self::END`] if there is none.
    #[inline(always)]
    pub(super) fn before(self, outward: Self) -> Self {
        let own = self.0 & !(Self::COMPARES_BASE | Self::LIVE);
        let live = outward.0 & Self::LIVE;
        let used = (own & Self::USES_BASE) >> 1;
        Self(match own & Self::SAVES_BASE {
            0 => own | used | live,
            _ => own | used | live >> 2,
        })
    }

    #[inline(always)]
    pub(super) fn is_by_words(self) -> bool {
        self.0 & Self::BY_WORDS != 0
    }

    #[inline(always)]
    pub(super) fn compares_base(self) -> bool {
        self.0 & Self::COMPARES_BASE != 0
    }

    #[inline(always)]
    pub(super) fn is_base_live(self) -> bool {
        self.0 & Self::LIVE != 0
    }

    #[inline(always)]
    pub(super) fn saves_base(self) -> bool {
        self.0 & Self::SAVES_BASE != 0
    }

    /// Bytes from the stack pointer up to the saved rbp, where there is one.
    #[inline(always)]
    pub(super) fn saved_base_offset(self) -> u64 {
        u64::from(self.0 >> Self::OFFSET) * 8
    }
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

impl Stepper<'_> {
    /// A step of the usual kind, from a frame of this stack. `None` says nothing: take
    /// [`Self::step`], which knows all kinds.
    #[inline(always)]
    pub(super) fn usual_step(&self, at: Registers, stack: &Stack) -> Option<(Registers, Check)> {
        let rule = self.rules.first_place(at.return_address)?.usual()?;
        let sp = match rule {
            Usual::Plain { size, .. } => at.sp + size,
            Usual::FramePointer if at.bp >= at.sp && at.bp.is_multiple_of(8) => {
                at.bp.saturating_add(16)
            }
            Usual::FramePointer => return None,
        };
        if sp > stack.end {
            return None;
        }
        // SAFETY: whole words above the frame's stack pointer, and below the end of the stack.
        let word = |address| unsafe { Stack::read(address) };
        let return_address = word(sp - 8);
        let (bp, check) = match rule {
            Usual::Plain { saved: None, .. } => (at.bp, Check::return_address(false)),
            Usual::Plain {
                size,
                saved: Some(saved),
            } => {
                let up = size.wrapping_add_signed(saved);
                (word(at.sp + up), Check::saved(up / 8, false))
            }
            Usual::FramePointer => (word(at.bp), Check::saved((at.bp - at.sp) / 8, true)),
        };
        let caller = Registers {
            return_address,
            sp,
            bp,
        };
        (return_address != 0).then_some((caller, check))
    }

    /// One step outward, by the rule for the frame.
    #[inline(never)]
    pub(super) fn step(&self, at: Registers, stack: &Stack) -> Outcome {
        let end = |cause| Outcome::Ended(Ending::truncated(cause), Check::AGAIN);
        let rule = match self.rule(at.return_address) {
            Ok(rule) => rule,
            Err(NoRule::UnknownModule) => return end(TruncatedCause::UnknownModule),
            Err(NoRule::NoUnwindInfo) => return end(TruncatedCause::NoUnwindInfo),
            Err(NoRule::Unsupported) => return end(TruncatedCause::UnsupportedRule),
        };
        let offset = |base: u64, by: i32| base.wrapping_add(i64::from(by) as u64);
        let (cfa, is_plain) = match rule.frame() {
            Frame::StackPointer(by) => (offset(at.sp, by), true),
            Frame::BasePointer(by) => (offset(at.bp, by), true),
            Frame::AtBasePointer(by) => match stack.word(offset(at.bp, by)) {
                Some(cfa) => (cfa, false),
                None => return end(TruncatedCause::BadStack),
            },
            Frame::Signal => return self.interrupted(at, stack),
            Frame::End => return Outcome::Ended(Ending::COMPLETE, Check::END),
        };
        // A caller's frame lies above its callee's; anything else would walk in circles.
        let return_address = match stack.word(cfa.wrapping_sub(8)) {
            Some(word) if cfa > at.sp => word,
            _ => return end(TruncatedCause::BadStack),
        };
        let (saved, bp) = match rule.base_pointer() {
            BasePointer::Same => (None, Some(at.bp)),
            BasePointer::AtCfa(by) => (Some(offset(cfa, by)), stack.word(offset(cfa, by))),
            BasePointer::InFrame(by) => (None, stack.word(offset(at.bp, by))),
        };
        let Some(bp) = bp else {
            return end(TruncatedCause::BadStack);
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
    fn interrupted(&self, at: Registers, stack: &Stack) -> Outcome {
        let register = |index: u64| stack.word(at.sp + 40 + 8 * index);
        match (register(16), register(15), register(10)) {
            (Some(pc), Some(sp), Some(bp)) if sp > at.sp && sp % 8 == 0 => {
                let interrupted = Registers {
                    return_address: pc.wrapping_add(1),
                    sp,
                    bp,
                };
                Outcome::Caller(interrupted, Check::AGAIN)
            }
            _ => Outcome::Ended(Ending::truncated(TruncatedCause::BadStack), Check::AGAIN),
        }
    }
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
