//! Walks a stack, and reuses what it can prove unchanged since the last walk of the thread.
//!
//! A step from a frame to its caller is a function of the frame's registers, of a rule that never
//! changes, and of one or two words on the stack. The walker remembers the last stack as a list of
//! steps. As soon as a walk meets a remembered state, it compares the words outward from there
//! with what the next remembered states say they were. While they agree, the rest of the stack is
//! the one remembered, proved and not guessed; at the first difference the walk goes on from that
//! frame, ready to meet the remembered steps again further out.
//!
//! What is remembered need not be the last stack: the compare alone decides, so it may be any stack
//! that has been there. Where the last one does not hold, the one that is to be expected takes its
//! place (`guesses`) and is compared in the same way (`compare`), before anything is walked.
//!
//! The value of rbp is remembered, and compared, only where a step further out uses it.
//!
//! The compare only reads words that a fresh walk would read at the same place, in the same order,
//! so it is as safe and finds the same frames. What it does *not* do: follow a stack that the
//! thread has left, or trust a step whose rule reads anything but the return address and one saved
//! rbp; such steps are taken anew each time.

mod compare;
mod guesses;
mod long_stacks;
mod memory;

pub(crate) use memory::Memory;

use super::Registers;
use super::bounds::StackBounds;
use super::check::Check;
use super::modules::Modules;
use super::rules::{NearRules, RuleCache};
use super::step::{Ending, Outcome, Stack, Stepper};
use crate::snapshot::{SpecialFrame, TruncatedCause};
use crate::tables::site_tree::{NO_NODE, NodeId, ROOT, SiteTree, TOO_DEEP};
use guesses::Clue;
use memory::{Fresh, STEPS, Step};

/// Marks a frame of the tree that is a [`SpecialFrame`]. User space ends far below.
const SPECIAL: u64 = 1 << 63;

/// Most guesses for one capture.
const MOST_GUESSES: u32 = 3;

/// How a frame is written in the tree.
pub(crate) fn special_frame(frame: SpecialFrame) -> u64 {
    SPECIAL | frame.code()
}

/// The code of a special frame, or `None` for an address.
pub(crate) fn special_code(frame: u64) -> Option<u64> {
    (frame & SPECIAL != 0).then_some(frame & !SPECIAL)
}

/// Everything that a walk needs, shared by all threads.
pub(crate) struct Walker {
    pub(crate) stepper: Stepper,
    pub(crate) bounds: StackBounds,
    pub(crate) tree: SiteTree,
    /// Most frames of a path of the tree; of a stack that needs more, the middle is cut out.
    depth: usize,
}

/// A stack as a node of the tree, and whether it is all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Captured {
    /// `NO_NODE` where there is no room for it.
    pub(crate) node: NodeId,
    pub(crate) truncated: Option<TruncatedCause>,
}

impl Walker {
    /// A tree for `nodes`, and nothing known yet.
    pub(crate) fn new(nodes: usize, depth: usize) -> Self {
        Self {
            stepper: Stepper {
                modules: Modules::new(),
                rules: RuleCache::new(),
            },
            bounds: StackBounds::new(),
            tree: SiteTree::new(nodes, depth),
            depth,
        }
    }

    /// Learns what is loaded and where the main thread's stack is. Asks the system; not for the hook.
    pub(crate) fn prepare(&self) {
        self.stepper.modules.refresh();
        self.bounds.calibrate();
    }

    /// The stack from `start` outward.
    #[inline(always)]
    pub(crate) fn capture(&self, memory: &mut Memory, start: Registers) -> Captured {
        let stack = Stack::around(start.sp, &self.bounds);
        memory.enter(&stack);
        let clue = match self.is_remembered(memory, start, &stack) {
            Ok(node) => return self.captured(memory, node),
            Err(clue) => clue,
        };
        if !self.is_placed(memory, clue, start) {
            return self.walk_anew(memory, start, &stack, clue);
        }
        match self.is_remembered(memory, start, &stack) {
            Ok(node) => self.captured(memory, node),
            Err(clue) => self.guess_on(memory, start, &stack, clue),
        }
    }

    /// The stack from `start` outward, after a guess that was wrong.
    #[cold]
    #[inline(never)]
    fn guess_on(
        &self,
        memory: &mut Memory,
        start: Registers,
        stack: &Stack,
        mut clue: Clue,
    ) -> Captured {
        for _ in 1..MOST_GUESSES {
            if !self.is_placed(memory, clue, start) {
                break;
            }
            clue = match self.is_remembered(memory, start, stack) {
                Ok(node) => return self.captured(memory, node),
                Err(clue) => clue,
            };
        }
        self.walk_anew(memory, start, stack, clue)
    }

    /// Whether the memory has been made to hold what the clue lets expect.
    #[inline(always)]
    fn is_placed(&self, memory: &mut Memory, clue: Clue, start: Registers) -> bool {
        let steps = memory.steps.as_mut_ptr();
        // SAFETY: the memory's own.
        unsafe {
            memory
                .guesses
                .place(clue, start, steps, &mut memory.innermost)
        }
    }

    /// The remembered stack, of which this is the node.
    #[inline(always)]
    fn captured(&self, memory: &Memory, node: NodeId) -> Captured {
        Captured {
            node: match node {
                TOO_DEEP => self.cut(memory),
                node => node,
            },
            truncated: memory.ending.cause(),
        }
    }

    /// The stack from `start` outward, where not all of it is as remembered.
    #[inline(never)]
    fn walk_anew(
        &self,
        memory: &mut Memory,
        start: Registers,
        stack: &Stack,
        clue: Clue,
    ) -> Captured {
        let Some(near) = self.stepper.rules.near_rules() else {
            return Captured {
                node: NO_NODE,
                truncated: None,
            };
        };
        let (joined, new) = self.walk(memory, near, start, stack);
        // SAFETY: both point into the arrays. Where they are full, nothing is filed.
        let (joined, fresh, last) = unsafe {
            let fresh = new.offset_from_unsigned(memory.fresh.as_ptr());
            (joined.cast_mut(), fresh, joined.wrapping_add(fresh))
        };
        if last >= memory.steps.as_ptr().wrapping_add(STEPS) {
            return self.innermost(memory, joined, fresh);
        }
        let node = self.file(memory, joined, new, last.cast_mut());
        let last = memory.count();
        memory.guesses.learn(clue, &memory.steps, last);
        self.captured(memory, node)
    }

    /// Walks until the end, or until the rest is proved to be as remembered. Returns the innermost of
    /// the remembered steps that still hold, and the end of the new ones that lie inside them.
    ///
    /// By pointers, since this and the compare are where the time goes.
    #[inline(always)]
    fn walk(
        &self,
        memory: &mut Memory,
        near: NearRules<'_>,
        start: Registers,
        stack: &Stack,
    ) -> (*const Step, *const Fresh) {
        let steps: *const Step = memory.steps.as_ptr();
        let first_new = memory.fresh.as_mut_ptr();
        let mut remembered = opaque(memory.innermost.cast_const());
        let mut new = opaque(first_new).cast_mut();
        let end_of_new = first_new.wrapping_add(STEPS);
        let mut at = start;
        loop {
            // SAFETY: stays within `steps`, since the step at 0 is above all stacks; `new` stays
            // within `fresh`, since every place that moves it on looks at its end first.
            unsafe {
                while (*remembered).at.sp < at.sp {
                    remembered = opaque(remembered.sub(1));
                }
                if (*remembered).is(at) {
                    let changed = self.first_change(memory, remembered, stack);
                    if changed == steps {
                        return (remembered, new);
                    }
                    while remembered > changed && new < end_of_new {
                        let step = &*remembered;
                        let bp = at.bp;
                        new.write(Fresh {
                            at: Registers { bp, ..step.at },
                            check: step.check.own(),
                        });
                        at.bp = self.base_of_caller(step, bp, stack);
                        new = new.add(1);
                        remembered = remembered.sub(1);
                    }
                    let bp = at.bp;
                    at = Registers {
                        bp,
                        ..(*changed).at
                    };
                    remembered = changed.sub(1);
                }
                if new == end_of_new {
                    return (steps, end_of_new);
                }
                let (caller, check) = match Stepper::usual_step(near, at, stack) {
                    Some(step) => step,
                    None => match self.stepper.step(at, stack) {
                        Outcome::Caller(caller, check) => (caller, check),
                        Outcome::Ended(ending, check) => {
                            new.write(Fresh { at, check });
                            memory.ending = ending;
                            return (steps, new.add(1));
                        }
                    },
                };
                new.write(Fresh { at, check });
                new = opaque(new.add(1)).cast_mut();
                at = caller;
            }
        }
    }

    /// rbp of the caller of a remembered step that still leads where it led, if that of the frame is
    /// `bp`: what is remembered may be out of date where it is dead.
    #[inline(always)]
    fn base_of_caller(&self, step: &Step, bp: u64, stack: &Stack) -> u64 {
        if step.check.is_by_words() {
            match step.check.saves_base() {
                // SAFETY: as in `base_agrees`, since `first_change` has passed the step.
                true => unsafe { Stack::read(step.at.sp + step.check.saved_base_offset()) },
                false => bp,
            }
        } else {
            match self.stepper.step(step.at, stack) {
                Outcome::Caller(caller, _) => caller.bp,
                Outcome::Ended(..) => bp,
            }
        }
    }

    /// Remembers the walk and finds its node: the old steps up to `joined`, and the new ones up to
    /// `new` behind them, up to `last`.
    #[inline(always)]
    fn file(
        &self,
        memory: &mut Memory,
        joined: *mut Step,
        mut new: *const Fresh,
        last: *mut Step,
    ) -> NodeId {
        memory.innermost = last;
        // SAFETY: within `steps`.
        let (mut sp, mut node, mut check) =
            unsafe { ((*joined).at.sp, (*joined).node, (*joined).check) };
        if joined == memory.steps.as_mut_ptr() {
            (node, check) = (self.parent_of_all(memory.ending), Check::END);
        }
        let mut step = joined;
        // SAFETY: points into the array.
        let joined = unsafe { index(memory.steps.as_ptr(), joined) };
        let mut path = memory.guesses.path(joined);
        let mut name = memory.guesses.names_from(joined);
        let tree = self.tree.view();
        while step != last {
            // SAFETY: as many new steps as there are from `joined` to `last`.
            unsafe {
                (new, step) = (opaque(new.sub(1)), opaque(step.add(1)).cast_mut());
                let Fresh { at, check: own } = (*new).copied();
                (*step).at = at;
                check = match own.is_whole_before(check) {
                    true => own,
                    false => own.before(check),
                };
                (*step).check = check;
                (*step).compared = Step::compared(check, sp);
                sp = at.sp;
                node = tree.child(node, at.pc());
                (*step).node = node;
                path = guesses::path(path, at);
                name = name.add(1);
                name.write(path);
            }
        }
        node
    }

    fn parent_of_all(&self, ending: Ending) -> NodeId {
        match ending.cause() {
            None => ROOT,
            Some(cause) => self
                .tree
                .child(ROOT, special_frame(SpecialFrame::Truncated(cause))),
        }
    }
}

/// The same pointer. The compiler does not know that: it would keep an index instead, and add up
/// the address each time.
#[inline(always)]
fn opaque<T>(pointer: *const T) -> *const T {
    let mut address = pointer as usize;
    // SAFETY: no instruction.
    unsafe {
        std::arch::asm!("/* {} */", inout(reg) address, options(pure, nomem, nostack, preserves_flags));
    }
    address as *const T
}

/// Number of elements from one to a later one of an array.
///
/// # Safety
/// As for `offset_from_unsigned`.
#[inline(always)]
unsafe fn index<T>(first: *const T, element: *const T) -> usize {
    // SAFETY: passed on.
    unsafe { element.offset_from_unsigned(first) }
}

#[cfg(test)]
mod tests;
