//! Innermost ends of stacks that come again: a few steps from an allocation to where they join what
//! is remembered of the last stack.
//!
//! A parser allocates in turns from a handful of places, all called from one function. For each, the
//! steps to that function are the same every time, and so is the part of the tree. They are proved
//! like the remembered stack, word by word; taking and filing them anew costs five times as much.

use super::super::Registers;
use super::super::check::Check;
use super::memory::Step;
use crate::tables::site_tree::{NodeId, TOO_DEEP};

/// Most steps of a tail.
pub(super) const LONGEST: usize = 4;
const PLACES: usize = 128;

/// The tails of one thread, by where they begin. Valid when all zero.
#[repr(C)]
pub(super) struct Tails([Tail; PLACES]);

/// Steps of which return addresses alone tell where they lead.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Tail {
    /// Where it begins.
    return_address: u64,
    sp: u64,
    /// Where rbp is live in a step, it is so in all that are further in, and the same.
    bp: u64,
    /// The remembered step that it leads to, whose node and stack pointer are these.
    joined: *mut Step,
    joined_sp: u64,
    joined_check: Check,
    parent: NodeId,
    /// Steps; 0 where the tail has been met once only.
    count: u32,
    /// Outermost first, as they stand behind the one that is joined.
    steps: [Step; LONGEST],
}

impl Tails {
    /// The tail from there, if it still leads to one of the steps in use, of which `innermost` is the
    /// last.
    #[inline(always)]
    pub(super) fn find(&self, at: Registers, innermost: *mut Step) -> Option<&Tail> {
        let tail = &self.0[place(at)];
        let begins_there = tail.return_address == at.return_address && tail.sp == at.sp;
        (begins_there && tail.count > 0 && tail.is_valid(at.bp, innermost)).then_some(tail)
    }

    /// Keeps the innermost `count` steps, which stand behind `joined`, as a tail when they are met the
    /// second time.
    ///
    /// # Safety
    /// So many steps are in use behind that one, and `count` is at most [`LONGEST`].
    #[inline(always)]
    pub(super) unsafe fn learn(&mut self, joined: *mut Step, count: usize) {
        // SAFETY: passed on.
        let (at, parent) = unsafe { ((*joined.add(count)).at, (*joined).node) };
        let tail = &mut self.0[place(at)];
        let is_met_again = tail.return_address == at.return_address
            && tail.sp == at.sp
            && tail.joined == joined
            && tail.parent == parent;
        if is_met_again {
            // SAFETY: passed on.
            return unsafe { tail.fill(count) };
        }
        tail.count = 0;
        tail.return_address = at.return_address;
        tail.sp = at.sp;
        tail.joined = joined;
        tail.parent = parent;
    }

    /// How many there are.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.0.iter().filter(|tail| tail.count > 0).count()
    }

    /// Forgets all of them.
    pub(super) fn forget(&mut self) {
        self.0.iter_mut().for_each(|tail| tail.count = 0);
    }
}

impl Tail {
    /// # Safety
    /// As many steps as `count` are in use behind the one that is joined.
    #[cold]
    #[inline(never)]
    unsafe fn fill(&mut self, count: usize) {
        // SAFETY: passed on.
        let (outward, new) = unsafe {
            let new = self.joined.add(1).cast_const();
            (&*self.joined, std::slice::from_raw_parts(new, count))
        };
        let is_plain = |step: &Step| step.check.is_plain();
        let has_nodes = new.iter().all(|step| step.node < TOO_DEEP);
        if has_nodes && new.iter().all(is_plain) {
            self.bp = new.last().map_or(0, |step| step.at.bp);
            self.joined_sp = outward.at.sp;
            self.joined_check = outward.check;
            self.steps[..count].copy_from_slice(new);
            self.count = count as u32;
        }
    }

    /// Whether each step leads to the next one, and the outermost to the one that is joined, for a
    /// walk that begins with this rbp.
    #[inline(always)]
    fn is_valid(&self, bp: u64, innermost: *mut Step) -> bool {
        if self.joined > innermost {
            return false;
        }
        // SAFETY: a step in use.
        let joined = unsafe { &*self.joined };
        if joined.at.sp != self.joined_sp
            || joined.node != self.parent
            || joined.check != self.joined_check
            || joined.check.is_base_live() && joined.at.bp != bp
        {
            return false;
        }
        let last = self.steps().last();
        if last.is_some_and(|last| last.check.is_base_live()) && self.bp != bp {
            return false;
        }
        let mut outward = joined;
        self.steps().iter().all(|step| {
            // SAFETY: the words lie between the tail's first stack pointer, which is that of the walk
            // under way, and that of a step of the same stack.
            let leads_there = unsafe { step.plainly_leads_to(outward) };
            outward = step;
            leads_there
        })
    }

    #[inline(always)]
    fn steps(&self) -> &[Step] {
        // SAFETY: `count` is at most that.
        unsafe { self.steps.get_unchecked(..self.count as usize) }
    }

    /// The remembered step that it leads to.
    #[inline(always)]
    pub(super) fn joined(&self) -> *mut Step {
        self.joined
    }

    /// Remembers the steps behind the one that is joined. Returns the innermost.
    #[inline(always)]
    pub(super) fn follow(&self) -> *mut Step {
        let mut last = self.joined;
        for step in self.steps() {
            // SAFETY: where they stood when the tail was learnt.
            unsafe {
                last = last.add(1);
                last.write(*step);
            }
        }
        last
    }
}

/// Calls of one function differ in the lowest bits, and so do stack pointers, but for the last four.
#[inline(always)]
fn place(at: Registers) -> usize {
    (at.return_address ^ at.return_address >> 6 ^ at.sp >> 4) as usize % PLACES
}
