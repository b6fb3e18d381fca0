//! Proves what is remembered: compares it with the stack.

use super::guesses::Clue;
use super::memory::{Memory, Step};
use super::{Walker, index, opaque};
use crate::stack::Registers;
use crate::stack::check::Check;
use crate::stack::step::{Outcome, Stack};
use crate::tables::site_tree::NodeId;

impl Walker {
    /// The node, if the stack is the one that is remembered. Otherwise where it is not.
    #[inline(always)]
    pub(super) fn is_remembered(
        &self,
        memory: &Memory,
        start: Registers,
        stack: &Stack,
    ) -> Result<NodeId, Clue> {
        // SAFETY: the first of all steps, or one in use. The first of all does not lead anywhere.
        unsafe {
            let innermost = &*memory.innermost;
            let clue = |at: Registers| memory.guesses.clue(memory.count(), at);
            if !innermost.is(start) {
                return Err(clue(start));
            }
            let changed = self.first_change(memory, innermost, stack);
            if changed == memory.steps.as_ptr() {
                return Ok(innermost.node);
            }
            let return_address = Stack::read((*changed).compared as u64);
            Err(clue(Registers {
                return_address,
                ..(*changed.sub(1)).at
            }))
        }
    }

    /// Compares the remembered steps from `innermost` outward with the stack. Returns the first step
    /// that leads elsewhere now; the one before all steps if there is none.
    ///
    /// # Safety
    /// `innermost` is one of the steps in use, and its stack pointer that of the walk under way or
    /// above.
    #[inline(always)]
    pub(super) unsafe fn first_change(
        &self,
        memory: &Memory,
        innermost: *const Step,
        stack: &Stack,
    ) -> *const Step {
        let steps: *const Step = memory.steps.as_ptr();
        let mut at = opaque(innermost);
        loop {
            // SAFETY: between `steps` and `innermost`: the outermost step, at 1, leads nowhere
            // plainly, and is the last that is looked at.
            unsafe {
                // By fours, since most stacks change at their innermost end alone.
                'plain: loop {
                    for outward in 0..4 {
                        let step = at.sub(outward);
                        if !(*step).plainly_leads_to(&*step.sub(1)) {
                            at = step;
                            break 'plain;
                        }
                    }
                    at = at.sub(4);
                }
                let check = (*at).check;
                if check == Check::END {
                    return steps;
                } else if check.compares_base() {
                    if !self.base_agrees(&*opaque(at), &*opaque(at.sub(1))) {
                        return at;
                    }
                } else if check.is_by_words() || !self.is_unchanged(memory, index(steps, at), stack)
                {
                    return at;
                } else if index(steps, at) == 1 {
                    return steps;
                }
                at = at.sub(1);
            }
        }
    }

    /// Whether a step that compares rbp as well leads to that caller.
    ///
    /// # Safety
    /// As for [`Step::plainly_leads_to`].
    #[inline(always)]
    unsafe fn base_agrees(&self, step: &Step, caller: &Step) -> bool {
        // SAFETY: a walk of this very stack has read both words, as `plainly_leads_to` says.
        unsafe {
            Stack::read(caller.at.sp - 8) == caller.at.return_address
                && Stack::read(step.at.sp + step.check.saved_base_offset()) == caller.at.bp
        }
    }

    /// Whether a step that words alone do not tell leads where it led.
    #[inline(never)]
    fn is_unchanged(&self, memory: &Memory, index: usize, stack: &Stack) -> bool {
        let step = &memory.steps[index];
        match self.stepper.step(step.at, stack) {
            Outcome::Caller(registers, _) => index > 1 && memory.steps[index - 1].is(registers),
            Outcome::Ended(ending, _) => index == 1 && ending == memory.ending,
        }
    }
}
