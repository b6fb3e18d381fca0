//! Walks a stack, and reuses what it can prove unchanged since the last walk of the thread.
//!
//! A step from a frame to its caller is a function of the frame's registers, of a rule that never
//! changes, and of one or two words on the stack. The walker remembers the last stack as a list of
//! steps. As soon as a walk meets a remembered state, it compares the words outward from there
//! with what the next remembered states say they were. While they agree, the rest of the stack is
//! the one remembered, proved and not guessed; at the first difference the walk goes on from that
//! frame, ready to meet the remembered steps again further out.
//!
//! The compare only reads words that a fresh walk would read at the same place, in the same order,
//! so it is as safe and finds the same frames. What it does *not* do: follow a stack that the
//! thread has left, or trust a step whose rule reads anything but the return address and one saved
//! rbp; such steps are taken anew each time.

use super::Registers;
use super::bounds::StackBounds;
use super::step::{Check, Ending, Outcome, Stack, Stepper};
use crate::snapshot::{SpecialFrame, TruncatedCause};
use crate::tables::site_tree::{NodeId, ROOT, SiteTree};

/// Steps that are remembered; deeper stacks remember their outermost ones.
const STEPS: usize = 1024;
/// Innermost frames that a walk always keeps, however deep: enough for the largest depth setting.
const INNERMOST: usize = 192;
/// A stack of more frames than this is cut, marked.
const MOST_FRAMES: usize = 1 << 17;

/// A node that stands for all below a full tree.
pub(crate) const NO_NODE: NodeId = NodeId::MAX;

/// Marks a frame of the tree that is a [`SpecialFrame`]. User space ends far below.
const SPECIAL: u64 = 1 << 63;

/// How a frame is written in the tree.
pub(crate) fn special_frame(frame: SpecialFrame) -> u64 {
    SPECIAL | frame.code()
}

/// The code of a special frame, or `None` for an address.
pub(crate) fn special_code(frame: u64) -> Option<u64> {
    (frame & SPECIAL != 0).then_some(frame & !SPECIAL)
}

/// Everything that a walk needs, shared by all threads.
pub(crate) struct Walker<'a> {
    pub(crate) stepper: Stepper<'a>,
    pub(crate) bounds: &'a StackBounds,
    pub(crate) tree: &'a SiteTree,
    /// Most frames of a stack that reach the tree; beyond, the middle is cut out.
    pub(crate) depth: usize,
}

/// A frame of the last walk and how to check the step to its caller.
#[derive(Clone, Copy)]
#[repr(C)]
struct Step {
    pc: u64,
    sp: u64,
    bp: u64,
    /// The tree's node for the path from the outermost frame to this one.
    node: NodeId,
    check: Check,
}

/// The last stack of one thread. Valid when all zero.
#[repr(C)]
pub(crate) struct Memory {
    /// Steps in use.
    count: usize,
    /// How the walk ended: 0 at the outermost frame, else 1 + the cause.
    ending: Ending,
    /// Outermost first.
    steps: [Step; STEPS],
    /// New steps of the walk under way, innermost first.
    fresh: [Step; STEPS],
    /// Nodes met before. Never wrong, since nodes of the tree never change.
    nodes: [KnownNode; KNOWN_NODES],
}

/// A node of the tree by what it is a node of; `node` is 0 where there is none.
#[derive(Clone, Copy)]
#[repr(C)]
struct KnownNode {
    frame: u64,
    parent: NodeId,
    node: NodeId,
}

/// Nodes that a thread keeps at hand: a power of two.
const KNOWN_NODES: usize = 1024;

/// A stack as a node of the tree, and whether it is all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Captured {
    /// [`NO_NODE`] where the tree is full.
    pub(crate) node: NodeId,
    pub(crate) truncated: Option<TruncatedCause>,
}

impl Memory {
    /// Forgets the last stack: the next one may be another thread's.
    pub(crate) fn forget(&mut self) {
        self.count = 0;
    }

    /// Index in `fresh` of the step number `n` of a walk: a deep walk overwrites its middle.
    #[inline(always)]
    fn place(n: usize) -> usize {
        if n < STEPS {
            n
        } else {
            INNERMOST + (n - INNERMOST) % (STEPS - INNERMOST)
        }
    }

    #[inline(always)]
    fn keep(&mut self, n: &mut usize, step: Step) {
        // The mask changes nothing, and spares a check of the bounds.
        self.fresh[Self::place(*n) & (STEPS - 1)] = step;
        *n += 1;
    }
}

impl Walker<'_> {
    /// The stack from `start` outward, without the `skip` innermost frames.
    pub(crate) fn capture(&self, memory: &mut Memory, start: Registers, skip: usize) -> Captured {
        let stack = Stack::around(start.sp, self.bounds);
        let mut at = start;
        for _ in 0..skip {
            match self.stepper.step(at, &stack) {
                Outcome::Caller(caller, _) => at = caller,
                Outcome::Ended(..) => {
                    // Not even the caller is known.
                    memory.count = 0;
                    let cause = TruncatedCause::BadStack;
                    return Captured {
                        node: self.parent_of_all(Ending::truncated(cause)),
                        truncated: Some(cause),
                    };
                }
            }
        }
        let (joined, fresh) = self.walk(memory, at, &stack);
        let node = self.file(memory, joined, fresh);
        Captured {
            node,
            truncated: memory.ending.cause(),
        }
    }

    /// Walks until the end, or until the rest is proved to be as remembered. Returns how many
    /// remembered steps (from the outermost) still hold and how many new ones lie inside them.
    #[inline]
    fn walk(&self, memory: &mut Memory, start: Registers, stack: &Stack) -> (usize, usize) {
        let mut at = start;
        let mut fresh = 0;
        let mut candidates = memory.count.min(STEPS);
        loop {
            let mut remembered = &memory.steps[..candidates];
            while let [rest @ .., innermost] = remembered
                && innermost.sp < at.sp
            {
                remembered = rest;
            }
            candidates = remembered.len();
            if remembered.last().is_some_and(|step| step.is(at)) {
                match self.first_change(memory, candidates, stack) {
                    None => return (candidates, fresh),
                    Some(changed) => {
                        for index in (changed + 1..candidates).rev() {
                            let step = memory.steps[index];
                            memory.keep(&mut fresh, step);
                        }
                        at = memory.steps[changed].registers();
                        candidates = changed;
                    }
                }
            }
            if fresh < MOST_FRAMES
                && let Some((caller, check)) = self.stepper.plain_step(at, stack)
            {
                memory.keep(&mut fresh, Step::new(at, check));
                at = caller;
                continue;
            }
            let outcome = if fresh < MOST_FRAMES {
                self.stepper.step(at, stack)
            } else {
                Outcome::Ended(Ending::truncated(TruncatedCause::TooDeep), Check::AGAIN)
            };
            match outcome {
                Outcome::Caller(caller, check) => {
                    memory.keep(&mut fresh, Step::new(at, check));
                    at = caller;
                }
                Outcome::Ended(ending, check) => {
                    memory.keep(&mut fresh, Step::new(at, check));
                    memory.ending = ending;
                    return (0, fresh);
                }
            }
        }
    }

    /// Compares the remembered steps from the innermost of `candidates` outward with the stack.
    /// Returns the index of the first step that leads elsewhere now.
    #[inline]
    fn first_change(&self, memory: &Memory, candidates: usize, stack: &Stack) -> Option<usize> {
        let mut steps = &memory.steps[..candidates];
        while let [rest @ .., caller, step] = steps {
            let unchanged = if step.check.is_by_words() {
                let is_saved = |offset| stack.word(step.sp + offset) == Some(caller.bp);
                stack.word(caller.sp.wrapping_sub(8)) == Some(caller.pc + 1)
                    && step.check.saved_base_offset().is_none_or(is_saved)
            } else {
                matches!(self.stepper.step(step.registers(), stack),
                    Outcome::Caller(registers, _) if caller.is(registers))
            };
            if !unchanged {
                return Some(rest.len() + 1);
            }
            steps = &steps[..rest.len() + 1];
        }
        let outermost = &memory.steps[0];
        let unchanged = outermost.check == Check::END
            || matches!(self.stepper.step(outermost.registers(), stack),
                Outcome::Ended(ending, _) if ending == memory.ending);
        (!unchanged).then_some(0)
    }

    /// Remembers the walk and finds its node: `joined` old steps and `fresh` new ones.
    #[inline]
    fn file(&self, memory: &mut Memory, joined: usize, fresh: usize) -> NodeId {
        let frames = joined + fresh;
        let mut node = match joined {
            0 => self.parent_of_all(memory.ending),
            // Beyond the depth no node is kept, and none is asked for.
            _ => memory.steps[joined - 1].node,
        };
        let mut count = joined;
        let lost = if fresh > STEPS {
            fresh - (STEPS - INNERMOST)
        } else {
            0
        };
        for n in (lost..fresh).rev() {
            if count == STEPS {
                break;
            }
            let mut step = memory.fresh[Memory::place(n) & (STEPS - 1)];
            if count < self.depth {
                node = self.known_child(&mut memory.nodes, node, step.pc);
                step.node = node;
            }
            memory.steps[count & (STEPS - 1)] = step;
            count += 1;
        }
        memory.count = count;
        if frames <= self.depth {
            return node;
        }
        self.cut(memory, joined, frames)
    }

    /// The node of a stack deeper than the limit: the outermost quarter of the depth, a mark with
    /// the number of frames cut out, and the innermost rest.
    #[cold]
    fn cut(&self, memory: &Memory, joined: usize, frames: usize) -> NodeId {
        let outermost = self.depth / 4;
        let innermost = self.depth - outermost;
        let cut = SpecialFrame::Elided((frames - self.depth) as u32);
        let mut node = self.child(memory.steps[outermost - 1].node, special_frame(cut));
        for index in frames - innermost..frames {
            let step = if index < joined {
                &memory.steps[index]
            } else {
                &memory.fresh[Memory::place(frames - 1 - index)]
            };
            node = self.child(node, step.pc);
        }
        node
    }

    fn parent_of_all(&self, ending: Ending) -> NodeId {
        match ending.cause() {
            None => ROOT,
            Some(cause) => self.child(ROOT, special_frame(SpecialFrame::Truncated(cause))),
        }
    }

    /// As [`Self::child`], by way of the thread's own nodes.
    #[inline(always)]
    fn known_child(
        &self,
        nodes: &mut [KnownNode; KNOWN_NODES],
        parent: NodeId,
        frame: u64,
    ) -> NodeId {
        let mixed = (frame ^ u64::from(parent) << 24).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let known = &mut nodes[(mixed >> (64 - KNOWN_NODES.ilog2())) as usize];
        if known.frame == frame && known.parent == parent && known.node != ROOT {
            return known.node;
        }
        let node = self.child(parent, frame);
        if node != NO_NODE {
            *known = KnownNode {
                frame,
                parent,
                node,
            };
        }
        node
    }

    #[inline(never)]
    fn child(&self, parent: NodeId, frame: u64) -> NodeId {
        if parent == NO_NODE {
            return NO_NODE;
        }
        self.tree.child(parent, frame).unwrap_or(NO_NODE)
    }
}

impl Step {
    #[inline]
    fn new(at: Registers, check: Check) -> Self {
        Self {
            pc: at.pc,
            sp: at.sp,
            bp: at.bp,
            node: ROOT,
            check,
        }
    }

    #[inline]
    fn is(&self, at: Registers) -> bool {
        self.registers() == at
    }

    #[inline]
    fn registers(&self) -> Registers {
        Registers {
            pc: self.pc,
            sp: self.sp,
            bp: self.bp,
        }
    }
}

#[cfg(test)]
mod tests;
