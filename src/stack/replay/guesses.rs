//! Guesses what the next stack is, from what came after the last one before.
//!
//! A program takes the same ways again and again. Where a stack turns out to be another than the one
//! remembered, the last stack and the first word that differs tell most often which it is, if it has
//! been there before. The steps in which it differs are then put into the memory in place of the old
//! ones, and are proved there as any remembered step is: a wrong guess costs time, and nothing else.
//!
//! Steps are kept once for each path to them, and know the step outward, so that stacks that have their
//! outer steps in common share them here as well. A guess is made of stacks that have followed twice.
//!
//! Does *not* read the stack, and does not know what a step means.

use super::super::Registers;
use super::super::check::Check;
use super::memory::{self, Step};
use crate::tables::site_tree::{NodeId, TOO_DEEP};
use std::sync::atomic::{Ordering::SeqCst, compiler_fence};

/// Steps that are known. When there is room for no more, all are forgotten.
const STEPS: usize = 1_344;
/// Buckets of known steps, by node.
const BUCKETS: usize = 1_024;
/// Steps of a bucket that are looked at.
const LONGEST_CHAIN: usize = 8;
/// Most steps that are learnt at a time.
const LONGEST: usize = 48;
/// Pairs of guesses.
const PAIRS: usize = 1_024;

/// The guesses of one thread. Valid when all zero.
///
/// In this order, so that what few steps touch lies in few pages.
#[repr(C)]
pub(super) struct Guesses {
    /// The last number given out. Until there is one, no bucket and no pair holds a number.
    last: Number,
    /// The first step of each bucket.
    buckets: [Number; BUCKETS],
    pairs: [[Guess; 2]; PAIRS],
    /// Of each step in the memory.
    names: [Name; memory::STEPS + 1],
    steps: [KnownStep; STEPS],
    /// The hash of the path to each known step.
    paths: [Name; STEPS],
}

/// Number of a known step; 0 for none.
type Number = u16;

/// What tells a step in the memory from others: its number if it is known, else the hash of the path to
/// it.
type Name = u32;

/// Names from here on are hashes.
const HASHES: Name = 1 << Number::BITS;

/// What came after a stack and a word.
#[derive(Clone, Copy)]
#[repr(C)]
struct Guess {
    /// Bits of the hash of both. Another stack and word may have the same.
    tag: u16,
    /// The innermost step of what came; 0 where that was new, or another than the time before.
    innermost: Number,
}

/// A step, as it stands behind the one outward.
#[derive(Clone, Copy)]
#[repr(C)]
struct KnownStep {
    return_address: u64,
    sp: u64,
    node: NodeId,
    check: Check,
    /// 0 where that is not known: there the memory has to be as it was.
    outward: Number,
    /// The next one of its bucket.
    next: Number,
    /// Its place in the memory.
    depth: u16,
    /// Where rbp is live: so many words above the stack pointer.
    base: u16,
}

/// What a guess is made from: the last stack, and where the next one is another.
#[derive(Clone, Copy)]
pub(super) struct Clue {
    pair: u32,
    tag: u16,
}

impl Clue {
    #[inline(always)]
    fn new(last: Name, at: Registers) -> Self {
        let place = at.sp << 24 ^ u64::from(last) << 32 ^ u64::from(last);
        // The multiplier is 2^64 by the golden ratio.
        let hash = (at.return_address ^ place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            pair: (hash >> (u64::BITS - PAIRS.ilog2())) as u32,
            tag: (hash >> 32) as u16,
        }
    }
}

impl Guesses {
    /// Of the last stack, whose innermost step has this place in the memory.
    #[inline(always)]
    pub(super) fn clue(&self, last: usize, at: Registers) -> Clue {
        Clue::new(self.path(last), at)
    }

    /// The hash of the path to the step at this place of the memory.
    #[inline(always)]
    pub(super) fn path(&self, place: usize) -> Name {
        // SAFETY: as many as places; a name below the hashes is a number that was given out.
        unsafe {
            match *self.names.get_unchecked(place) {
                number @ 0..HASHES => *self.paths.get_unchecked(number as usize),
                hash => hash,
            }
        }
    }

    /// Has the memory remember the stack that is to be expected, if it begins at `start` and its outer
    /// part is as remembered. `false`: it is not, and what is remembered may be less than before.
    ///
    /// # Safety
    /// `steps` are the memory's, and `innermost` is the last one in use.
    #[inline(always)]
    pub(super) unsafe fn place(
        &mut self,
        clue: Clue,
        start: Registers,
        steps: *mut Step,
        innermost: &mut *mut Step,
    ) -> bool {
        // SAFETY: a hash has no more bits than that.
        let [first, second] = unsafe { *self.pairs.get_unchecked(clue.pair as usize) };
        let guess = if first.tag == clue.tag { first } else { second };
        let names = self.names.as_mut_ptr();
        let (mut step, mut number) = (self.step(guess.innermost), Name::from(guess.innermost));
        if guess.tag != clue.tag || number == 0 || !step.is_start(start) {
            return false;
        }
        // SAFETY: these are places of the memory, as they were when the steps were learnt.
        unsafe {
            let last = steps.add(usize::from(step.depth));
            let mut name = names.add(usize::from(step.depth));
            let mut place = last;
            let before = *innermost;
            while step.outward != 0 {
                let number_outward = step.outward;
                let outward = self.step(number_outward);
                step.write_behind(outward.sp, place);
                name.write(number);
                (place, name) = (place.sub(1), name.sub(1));
                (step, number) = (outward, Name::from(number_outward));
                if name.read() == number && place <= before {
                    *innermost = last;
                    return true;
                }
            }
            *innermost = place.min(*innermost);
        }
        false
    }

    /// The names of the steps in the memory from this place on.
    #[inline(always)]
    pub(super) fn names_from(&mut self, place: usize) -> *mut Name {
        self.names.as_mut_ptr().wrapping_add(place)
    }

    /// Learns what has come, of which no guess was made or another: the step at the place `last` of the
    /// memory and those outward.
    #[inline(always)]
    pub(super) fn learn(&mut self, clue: Clue, steps: &[Step], last: usize) {
        // SAFETY: a hash has no more bits than that.
        let pair = unsafe { self.pairs.get_unchecked_mut(clue.pair as usize) };
        let known = usize::from(pair[0].tag != clue.tag);
        let guess = &mut pair[known];
        if guess.tag != clue.tag {
            // The one before stays beside it, but a single visit does not drive out a guess.
            if pair[0].innermost != 0 || pair[1].innermost == 0 {
                pair[1] = pair[0];
            }
            pair[0] = Guess {
                tag: clue.tag,
                innermost: 0,
            };
        } else if guess.innermost != 0 {
            guess.innermost = 0;
        } else {
            let innermost = self.keep(steps, last);
            self.pairs[clue.pair as usize][known].innermost = innermost;
        }
    }

    /// The number of the step at that place; 0 if it cannot be kept.
    #[cold]
    #[inline(never)]
    fn keep(&mut self, steps: &[Step], last: usize) -> Number {
        let is_known = |&place: &usize| (1..HASHES).contains(&self.names[place]);
        let nearest = (last.saturating_sub(LONGEST).max(1)..=last).rfind(is_known);
        let (first, mut outward) = match nearest {
            Some(place) => (place + 1, self.names[place] as Number),
            None => (last.saturating_sub(LONGEST).max(1), 0),
        };
        for (step, place) in steps[first..=last].iter().zip(first..) {
            let depth = place as u16;
            outward = match self.find(step, depth, outward) {
                0 => self.add(step, depth, outward),
                known => known,
            };
            if outward == 0 {
                self.make_room(last);
                return 0;
            }
            self.paths[usize::from(outward)] = self.names[place];
            self.names[place] = Name::from(outward);
        }
        outward
    }

    /// Forgets all that is known, if that is as much as there can be, and what stands in the memory up to
    /// this place.
    fn make_room(&mut self, last: usize) {
        if usize::from(self.last) + 1 == STEPS {
            (0..=last).for_each(|place| self.names[place] = self.path(place));
            self.forget();
        }
    }

    /// The number of a step behind this one outward, 0 if there is none.
    fn find(&self, step: &Step, depth: u16, outward: Number) -> Number {
        let mut number = self.buckets[bucket(step, outward)];
        for _ in 0..LONGEST_CHAIN {
            let known = self.step(number);
            let is_same = known.outward == outward && known.depth == depth && known.is_like(step);
            if number == 0 || is_same {
                return number;
            }
            number = known.next;
        }
        0
    }

    fn add(&mut self, step: &Step, depth: u16, outward: Number) -> Number {
        let base = match step.check.is_base_live() {
            true => step.at.bp.wrapping_sub(step.at.sp),
            false => 0,
        };
        let Ok(words) = u16::try_from(base / 8) else {
            return 0;
        };
        if usize::from(self.last) + 1 == STEPS || base % 8 != 0 || step.node >= TOO_DEEP {
            return 0;
        }
        self.last += 1;
        // A signal handler that jumps out of here has all forgotten, by this number.
        compiler_fence(SeqCst);
        let first = &mut self.buckets[bucket(step, outward)];
        self.steps[usize::from(self.last)] = KnownStep {
            return_address: step.at.return_address,
            sp: step.at.sp,
            node: step.node,
            check: step.check,
            outward,
            next: std::mem::replace(first, self.last),
            depth,
            base: words,
        };
        self.last
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        let guesses = self.pairs.iter().flatten();
        guesses.filter(|guess| guess.innermost != 0).count()
    }

    /// Forgets all of them. Cheap where there are none, as in most threads that end soon and in walks of
    /// threads without memory.
    pub(super) fn forget(&mut self) {
        if self.last == 0 {
            return;
        }
        // SAFETY: zero is valid. One call for each, however the compiler is set.
        unsafe {
            (&raw mut self.buckets).write_bytes(0, 1);
            (&raw mut self.pairs).write_bytes(0, 1);
        }
        compiler_fence(SeqCst);
        self.last = 0;
    }

    #[inline(always)]
    fn step(&self, number: Number) -> &KnownStep {
        // SAFETY: a number that was given out, or 0.
        unsafe { self.steps.get_unchecked(usize::from(number)) }
    }
}

impl KnownStep {
    #[inline(always)]
    fn base_pointer(&self) -> u64 {
        self.sp + 8 * u64::from(self.base)
    }

    #[inline(always)]
    fn is_start(&self, at: Registers) -> bool {
        self.return_address == at.return_address
            && self.sp == at.sp
            && (!self.check.is_base_live() || self.base_pointer() == at.bp)
    }

    /// Whether the remembered step is the same, and what is known of it.
    #[inline(always)]
    fn is_like(&self, step: &Step) -> bool {
        self.node == step.node && self.check == step.check && self.is_start(step.at)
    }

    /// Writes the step to be remembered behind one with this stack pointer.
    ///
    /// # Safety
    /// As for a write.
    #[inline(always)]
    unsafe fn write_behind(&self, outward_sp: u64, place: *mut Step) {
        // SAFETY: passed on.
        let step = unsafe { &mut *place };
        step.at.return_address = self.return_address;
        step.at.sp = self.sp;
        step.node = self.node;
        step.check = self.check;
        step.compared = (outward_sp - 8) as *const u64;
        if !self.check.is_plain() || self.check.is_base_live() {
            step.at.bp = self.base_pointer();
            step.compared = Step::compared(self.check, outward_sp);
        }
    }
}

/// The hash of the path to a step behind that one outward.
#[inline(always)]
pub(super) fn path(outward: Name, at: Registers) -> Name {
    let mixed = u64::from(outward) << 32 ^ at.return_address ^ at.sp << 16;
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as Name | HASHES
}

fn bucket(step: &Step, outward: Number) -> usize {
    // The multiplier is 2^32 by the golden ratio.
    let hash = (step.node ^ u32::from(outward) << 16).wrapping_mul(0x9e37_79b1);
    (hash >> (u32::BITS - BUCKETS.ilog2())) as usize
}
