//! Unwind rules, packed into a word, and a cache of them that all threads share.
//!
//! The cache is four-way set-associative with 65,536 places, so that a rule stays found whatever
//! the addresses of a program happen to be. A rule never becomes wrong: modules are pinned before
//! their tables are used.

use crate::tables::mapped::{Mapped, Zeroed};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How to get from a frame to its caller. The return address is always at CFA − 8, and the
/// caller's stack pointer is the CFA itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rule(u64);

/// Where the CFA is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// rsp plus an offset.
    StackPointer(i32),
    /// rbp plus an offset.
    BasePointer(i32),
    /// In the word at rbp plus an offset.
    AtBasePointer(i32),
    /// A signal handler's frame: the registers lie in the context that the kernel saved.
    Signal,
    /// The outermost frame of a thread.
    End,
}

/// Where the caller's rbp is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BasePointer {
    /// Unchanged.
    Same,
    /// In the word at CFA plus an offset.
    AtCfa(i32),
    /// In the word at rbp plus an offset.
    InFrame(i32),
}

/// Bits of the word: 0 to 2 the frame's kind, 3 and 4 the base pointer's, 8 to 31 the base
/// pointer's offset, 32 to 63 the frame's offset.
impl Rule {
    pub(crate) const END: Self = Self(4);
    pub(crate) const SIGNAL_FRAME: Self = Self(3);

    pub(super) fn from_stack_pointer(offset: i64, base_pointer: BasePointer) -> Option<Self> {
        Self::pack(0, offset, base_pointer)
    }

    pub(super) fn from_base_pointer(offset: i64, base_pointer: BasePointer) -> Option<Self> {
        Self::pack(1, offset, base_pointer)
    }

    pub(super) fn at_base_pointer(offset: i64, base_pointer: BasePointer) -> Option<Self> {
        Self::pack(2, offset, base_pointer)
    }

    fn pack(kind: u64, offset: i64, base_pointer: BasePointer) -> Option<Self> {
        let offset = i32::try_from(offset).ok()?;
        let (base_kind, base_offset) = match base_pointer {
            BasePointer::Same => (0, 0),
            BasePointer::AtCfa(offset) => (1, offset),
            BasePointer::InFrame(offset) => (2, offset),
        };
        if base_offset << 8 >> 8 != base_offset {
            return None;
        }
        Some(Self(
            kind | base_kind << 3
                | u64::from((base_offset << 8) as u32)
                | u64::from(offset as u32) << 32,
        ))
    }

    #[inline]
    pub(crate) fn frame(self) -> Frame {
        let offset = (self.0 >> 32) as i32;
        match self.0 & 7 {
            0 => Frame::StackPointer(offset),
            1 => Frame::BasePointer(offset),
            2 => Frame::AtBasePointer(offset),
            3 => Frame::Signal,
            _ => Frame::End,
        }
    }

    /// For a rule that reads no more than the return address and a saved rbp: whether the CFA is
    /// above rbp (else above rsp), by how much, and where from the CFA rbp was saved.
    #[inline(always)]
    pub(super) fn plain(self) -> Option<(bool, i32, Option<i32>)> {
        let saved = match self.0 >> 3 & 3 {
            0 => None,
            1 => Some(self.0 as i32 >> 8),
            _ => return None,
        };
        (self.0 & 7 <= 1).then_some((self.0 & 1 != 0, (self.0 >> 32) as i32, saved))
    }

    #[inline]
    pub(crate) fn base_pointer(self) -> BasePointer {
        let offset = self.0 as i32 >> 8;
        match self.0 >> 3 & 3 {
            0 => BasePointer::Same,
            1 => BasePointer::AtCfa(offset),
            _ => BasePointer::InFrame(offset),
        }
    }
}

/// Ways of a set: one cache line.
const WAYS: usize = 4;
const SETS: usize = 1 << 14;

#[repr(C)]
struct Place {
    rule: AtomicU64,
    /// The address, exclusive-or the mixed rule: a place that two threads fill at once matches
    /// neither address.
    check: AtomicU64,
}

#[repr(C, align(64))]
struct Set([Place; WAYS]);

// SAFETY: only atomic integers.
unsafe impl Zeroed for Set {}

/// Rules by address.
pub(crate) struct RuleCache {
    sets: Mapped<Set>,
}

impl RuleCache {
    pub(crate) fn new() -> Self {
        Self {
            sets: Mapped::new(SETS),
        }
    }

    #[inline]
    pub(crate) fn get(&self, pc: u64) -> Option<Rule> {
        for place in self.set(pc)? {
            let rule = place.rule.load(Relaxed);
            if place.check.load(Relaxed) == pc ^ mix(rule) {
                return Some(Rule(rule));
            }
        }
        None
    }

    pub(crate) fn put(&self, pc: u64, rule: Rule) {
        let Some(set) = self.set(pc) else { return };
        let free = set.iter().position(|place| place.check.load(Relaxed) == 0);
        let place = &set[free.unwrap_or((pc ^ pc >> 5) as usize % WAYS)];
        place.rule.store(rule.0, Relaxed);
        place.check.store(pc ^ mix(rule.0), Relaxed);
    }

    #[inline]
    fn set(&self, pc: u64) -> Option<&[Place; WAYS]> {
        let set = (pc.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50) as usize;
        self.sets.get(set).map(|set| &set.0)
    }

    /// Start and length in bytes of the mapping.
    pub(crate) fn range(&self) -> (std::ptr::NonNull<u8>, usize) {
        self.sets.range()
    }
}

/// Spreads a rule over the word, one to one; never 0 for a place that is in use, since the
/// address differs from it.
#[inline]
fn mix(rule: u64) -> u64 {
    (rule ^ 0xa5a5_a5a5).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_keeps_every_field() {
        for offset in [8, 16, -8, 540_000, i32::MAX as i64, i32::MIN as i64] {
            for base in [
                BasePointer::Same,
                BasePointer::AtCfa(-16),
                BasePointer::AtCfa(-540_000),
                BasePointer::InFrame(0),
                BasePointer::InFrame((1 << 23) - 1),
            ] {
                let rule = Rule::from_stack_pointer(offset, base).unwrap();
                assert_eq!(rule.frame(), Frame::StackPointer(offset as i32));
                assert_eq!(rule.base_pointer(), base);
                let rule = Rule::at_base_pointer(offset, base).unwrap();
                assert_eq!(rule.frame(), Frame::AtBasePointer(offset as i32));
            }
        }
        assert_eq!(Rule::END.frame(), Frame::End);
        assert_eq!(Rule::SIGNAL_FRAME.frame(), Frame::Signal);
        let too_far = BasePointer::AtCfa(1 << 23);
        assert!(Rule::from_stack_pointer(8, too_far).is_none());
        assert!(Rule::from_stack_pointer(1 << 31, BasePointer::Same).is_none());
    }

    #[test]
    fn a_rule_is_found_for_its_address_alone() {
        let cache = RuleCache::new();
        let rule = |n: i64| Rule::from_stack_pointer(n * 8, BasePointer::Same).unwrap();
        for n in 1..10_000 {
            cache.put(0x5555_0000_0000 + n as u64 * 7, rule(n));
        }
        let found = (1..10_000)
            .filter(|&n| match cache.get(0x5555_0000_0000 + n as u64 * 7) {
                Some(found) => {
                    assert!(found == rule(n));
                    true
                }
                None => false,
            })
            .count();
        assert!(found > 9_900, "{found}");
        assert!(cache.get(0x1234).is_none());
    }
}
