//! Unwind rules, packed into a word, and a cache of them that all threads share.
//!
//! The cache is set-associative. Code that stands together is cached together: sixteen bytes of
//! code, in which at most four calls can end, share a set of four, so that a warm program touches
//! few lines and pages, and a rule is nearly always in the first place that is looked at. Where
//! other code has filled the set, a rule goes to a second one that depends on all bits of the
//! address. So a rule stays found whatever the addresses of a program happen to be. It never
//! becomes wrong: modules are pinned before their tables are used.

use super::check::Check;
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

/// Kinds of rules, bits 0 to 3 of the word. Of a plain one, the low half is the check of its steps as
/// it is, the high half the size of the frame. Of the others, bits 4 and 5 are the base pointer's
/// kind, 8 to 31 its offset, 32 to 63 the frame's offset.
mod kind {
    /// Set in all but plain rules: rsp plus an offset, with rbp unchanged or saved within the frame,
    /// as nearly all code has it.
    pub(super) const OTHER: u64 = 1;
    /// rbp plus 16, with rbp saved there: code that keeps frame pointers.
    pub(super) const FRAME_POINTER: u64 = OTHER;
    pub(super) const STACK_POINTER: u64 = OTHER | 1 << 1;
    pub(super) const BASE_POINTER: u64 = OTHER | 2 << 1;
    pub(super) const AT_BASE_POINTER: u64 = OTHER | 3 << 1;
    pub(super) const SIGNAL: u64 = OTHER | 4 << 1;
    pub(super) const END: u64 = OTHER | 5 << 1;
    pub(super) const MASK: u64 = 0xf;
}

impl Rule {
    pub(crate) const END: Self = Self(kind::END);
    pub(crate) const SIGNAL_FRAME: Self = Self(kind::SIGNAL);

    pub(super) fn from_stack_pointer(offset: i64, base_pointer: BasePointer) -> Option<Self> {
        let check = match base_pointer {
            BasePointer::Same => Check::return_address(false),
            BasePointer::AtCfa(saved)
                if saved <= -16 && saved % 8 == 0 && i64::from(saved) >= -offset =>
            {
                Check::saved((offset + i64::from(saved)) as u64 / 8, false)
            }
            _ => Check::AGAIN,
        };
        if check.is_by_words() && offset >= 8 && offset % 8 == 0 {
            let size = u64::try_from(i32::try_from(offset).ok()?).ok()?;
            return Some(Self(size << 32 | u64::from(check.bits())));
        }
        Self::pack(kind::STACK_POINTER, offset, base_pointer)
    }

    pub(super) fn from_base_pointer(offset: i64, base_pointer: BasePointer) -> Option<Self> {
        let kind = match (offset, base_pointer) {
            (16, BasePointer::AtCfa(-16)) => kind::FRAME_POINTER,
            _ => kind::BASE_POINTER,
        };
        Self::pack(kind, offset, base_pointer)
    }

    pub(super) fn at_base_pointer(offset: i64, base_pointer: BasePointer) -> Option<Self> {
        Self::pack(kind::AT_BASE_POINTER, offset, base_pointer)
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
            kind | base_kind << 4
                | u64::from((base_offset << 8) as u32)
                | u64::from(offset as u32) << 32,
        ))
    }

    #[inline]
    pub(crate) fn frame(self) -> Frame {
        let offset = (self.0 >> 32) as i32;
        if self.plain().is_some() {
            return Frame::StackPointer(offset);
        }
        match self.0 & kind::MASK {
            kind::STACK_POINTER => Frame::StackPointer(offset),
            kind::FRAME_POINTER | kind::BASE_POINTER => Frame::BasePointer(offset),
            kind::AT_BASE_POINTER => Frame::AtBasePointer(offset),
            kind::SIGNAL => Frame::Signal,
            _ => Frame::End,
        }
    }

    /// Of a plain rule the frame's size, whole words and one at least, and the check of its steps.
    #[inline(always)]
    pub(super) fn plain(self) -> Option<(u64, Check)> {
        let check = Check::from_bits(self.0 as u32);
        (self.0 & kind::OTHER == 0).then_some((self.0 >> 32, check))
    }

    /// Whether the caller's rbp and the return address are at rbp, one after the other.
    #[inline(always)]
    pub(super) fn is_frame_pointer(self) -> bool {
        self.0 & kind::MASK == kind::FRAME_POINTER
    }

    #[inline]
    pub(crate) fn base_pointer(self) -> BasePointer {
        if let Some((size, check)) = self.plain() {
            let up = check.saved_base_offset() as i64 - size as i64;
            return match check.saves_base() {
                true => BasePointer::AtCfa(up as i32),
                false => BasePointer::Same,
            };
        }
        let offset = self.0 as i32 >> 8;
        match self.0 >> 4 & 3 {
            0 => BasePointer::Same,
            1 => BasePointer::AtCfa(offset),
            _ => BasePointer::InFrame(offset),
        }
    }
}

/// Places of a set, whose numbers differ in the last two bits: one cache line.
const WAYS: usize = 4;
const PLACES: usize = 1 << 16;

#[repr(C)]
struct Place {
    rule: AtomicU64,
    /// The address, exclusive-or the mixed rule: a place that two threads fill at once matches
    /// neither address. 0 where free.
    check: AtomicU64,
}

// SAFETY: only atomic integers.
unsafe impl Zeroed for Place {}

impl Place {
    #[inline(always)]
    fn get(&self, return_address: u64) -> Option<Rule> {
        let rule = self.rule.load(Relaxed);
        (self.check.load(Relaxed) == return_address ^ mix(rule)).then_some(Rule(rule))
    }

    fn put(&self, return_address: u64, rule: Rule) {
        self.rule.store(rule.0, Relaxed);
        self.check.store(return_address ^ mix(rule.0), Relaxed);
    }

    fn is_free(&self) -> bool {
        self.check.load(Relaxed) == 0
    }
}

/// Rules by return address.
pub(crate) struct RuleCache {
    places: Mapped<Place>,
}

impl RuleCache {
    pub(crate) fn new() -> Self {
        Self {
            places: Mapped::new(PLACES),
        }
    }

    /// The places where most rules are; `None` where the system gave no memory.
    #[inline(always)]
    pub(super) fn near_rules(&self) -> Option<NearRules<'_>> {
        self.places.first_chunk().map(NearRules)
    }

    pub(crate) fn get(&self, return_address: u64) -> Option<Rule> {
        self.candidates(return_address)
            .find_map(|place| place.get(return_address))
    }

    pub(crate) fn put(&self, return_address: u64, rule: Rule) {
        let mut last = None;
        for place in self.candidates(return_address) {
            if place.is_free() {
                return place.put(return_address, rule);
            }
            last = Some(place);
        }
        // Another rule of the second set gives way.
        if let Some(place) = last {
            place.put(return_address, rule);
        }
    }

    /// Places that a rule can be in, best first.
    fn candidates(&self, return_address: u64) -> impl Iterator<Item = &Place> {
        let far = return_address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PLACES.ilog2());
        let starts = [Self::near(return_address), far as usize];
        let indices = starts
            .into_iter()
            .flat_map(|start| (0..WAYS).map(move |way| start ^ way));
        indices.filter_map(|index| self.places.get(index))
    }

    /// Four bytes of code have a place of their own: no two calls are that close.
    #[inline(always)]
    fn near(return_address: u64) -> usize {
        (return_address >> 2) as usize % PLACES
    }

    /// Start and length in bytes of the mapping.
    pub(crate) fn range(&self) -> (std::ptr::NonNull<u8>, usize) {
        self.places.range()
    }
}

/// The first place of each rule.
#[derive(Clone, Copy)]
pub(super) struct NearRules<'a>(&'a [Place; PLACES]);

impl NearRules<'_> {
    /// The rule for a frame by its return address, if it is in its first place.
    #[inline(always)]
    pub(super) fn get(self, return_address: u64) -> Option<Rule> {
        self.0[RuleCache::near(return_address)].get(return_address)
    }
}

/// Spreads a rule over the word, one to one (the multiplier is the golden ratio's, of 31 bits). No
/// rule is its own address's, so the check of a place in use is not 0.
#[inline(always)]
fn mix(rule: u64) -> u64 {
    rule.wrapping_mul(0x61c8_8647)
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
        let above = Rule::from_stack_pointer(48, BasePointer::AtCfa(-16)).unwrap();
        assert_eq!(above.plain(), Some((48, Check::saved(4, false))));
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
        let in_first_place = (1..10_000)
            .filter(|n| {
                cache
                    .near_rules()
                    .unwrap()
                    .get(0x5555_0000_0000 + n * 7)
                    .is_some()
            })
            .count();
        assert!(in_first_place > 9_900, "{in_first_place}");
        assert!(cache.get(0x1234).is_none());
    }
}
