//! Compares captures where they are made.

use super::call_shapes::is_on_own_stack;
use super::full_unwind::full_unwind;
use super::*;
use crate::tables::site_tree::{folded, push_folded};

/// What threads share.
pub(super) struct Fixture {
    pub(super) walker: Walker,
}

impl Fixture {
    pub(super) fn new(depth: usize) -> Self {
        let walker = Walker::new(1 << 20, depth);
        walker.prepare();
        Self { walker }
    }

    /// Frames of a node, innermost first.
    pub(super) fn frames(&self, mut node: NodeId) -> Vec<u64> {
        let mut frames = Vec::new();
        while let Some((parent, frame)) = self.walker.tree.get(node) {
            frames.push(frame);
            node = parent;
        }
        frames
    }
}

/// Memory as a thread's mapping gives it.
pub(super) fn memory() -> &'static mut Memory {
    let mapped = crate::platform::map_zeroed(size_of::<Memory>()).unwrap();
    // SAFETY: mapped for ever, for this call alone, valid when zero.
    unsafe { mapped.cast::<Memory>().as_mut() }
}

/// One thread's captures, and what is wrong with them.
pub(super) struct Probe<'a> {
    fixture: &'a Fixture,
    memory: &'static mut Memory,
    no_memory: &'static mut Memory,
    theirs: Vec<u64>,
    /// Frames of the oracle's own, this type's included.
    inside: usize,
    pub(super) captures: usize,
    /// Most frames of a path.
    pub(super) deepest: usize,
    /// Stacks that ended early, which only those on other stacks may.
    pub(super) truncated: usize,
    /// Stacks with so many frames that they are not walked to their end.
    pub(super) too_deep: usize,
    /// Guesses that were the stack, of those that were looked at.
    pub(super) right: usize,
    /// Guesses that were made, and were another stack.
    pub(super) wrong: usize,
    /// Kept rather than panicked with: a call tree may catch panics.
    failures: Vec<String>,
}

impl<'a> Probe<'a> {
    /// Here the stack has to be shallow: how many frames are the oracle's own is found by it.
    pub(super) fn new(fixture: &'a Fixture) -> Self {
        let mut probe = Self {
            fixture,
            memory: memory(),
            no_memory: memory(),
            theirs: Vec::with_capacity(1 << 16),
            inside: 0,
            captures: 0,
            deepest: 0,
            truncated: 0,
            too_deep: 0,
            right: 0,
            wrong: 0,
            failures: Vec::new(),
        };
        probe.check();
        probe.memory.forget();
        probe
    }

    /// Captures here, and compares.
    #[inline(never)]
    pub(super) fn check(&mut self) {
        let here = Registers::here();
        let walker = &self.fixture.walker;
        let guessed = self.guess(here);
        let captured = walker.capture(self.memory, here);
        if let Some(node) = guessed {
            match node == captured.node {
                true => self.right += 1,
                false => self.wrong += 1,
            }
        }
        self.no_memory.forget();
        let fresh = walker.capture(self.no_memory, here);
        self.theirs.clear();
        full_unwind(&mut self.theirs);
        self.compare(here, captured, fresh);
    }

    /// The node that is to be expected, if there is any such: at every other capture, since what is then
    /// captured is the second guess.
    fn guess(&mut self, here: Registers) -> Option<NodeId> {
        let walker = &self.fixture.walker;
        let stack = Stack::around(here.sp, &walker.bounds);
        self.memory.enter(&stack);
        let remembered = walker.is_remembered(self.memory, here, &stack);
        let clue = remembered.err().filter(|_| self.captures % 2 == 1)?;
        let is_placed = walker.is_placed(self.memory, clue, here);
        // SAFETY: a step in use.
        is_placed.then(|| unsafe { (*self.memory.innermost).node })
    }

    fn compare(&mut self, here: Registers, captured: Captured, fresh: Captured) {
        if self.failures.len() > 3 {
            return;
        }
        let ours = self.fixture.frames(captured.node);
        if fresh != captured {
            let fresh = self.fixture.frames(fresh.node);
            self.failures
                .push(format!("{ours:x?}, without memory {fresh:x?}"));
        }
        // Every frame that was met, before anything is folded or cut.
        let count = self.memory.count();
        let steps = &self.memory.steps[1..=count];
        let met: Vec<u64> = steps.iter().rev().map(|step| step.at.pc()).collect();
        if self.captures == 0 {
            self.inside = self.theirs.len() - (count - 1);
            assert!((1..=16).contains(&self.inside), "{}", self.inside);
        }
        self.captures += 1;
        self.deepest = self.deepest.max(ours.len());
        // Of this function there is one frame, but at two addresses.
        let mut theirs = vec![here.pc()];
        theirs.extend(&self.theirs[self.inside..]);
        let cause = captured.truncated;
        let is_met = match cause {
            None => met == theirs,
            Some(TruncatedCause::TooDeep) => {
                self.too_deep += 1;
                theirs.len() >= STEPS
            }
            // It ends anywhere.
            Some(_) => {
                self.truncated += 1;
                !is_on_own_stack() && theirs.starts_with(&met)
            }
        };
        // The whole stack where it was met, or is known to be too deep.
        let known = match cause {
            None | Some(TruncatedCause::TooDeep) => &theirs,
            Some(_) => &met,
        };
        if !is_met || ours != recorded(known, cause, self.fixture.walker.depth) {
            self.failures.push(format!(
                "{ours:x?} {cause:?}, met {met:x?}, backtrace {theirs:x?}"
            ));
        }
    }

    /// Stacks that can be guessed by now.
    pub(super) fn guesses_known(&self) -> usize {
        self.memory.guesses.known()
    }

    /// What was wrong, if anything was.
    pub(super) fn outcome(&mut self) -> Result<(), String> {
        match std::mem::take(&mut self.failures) {
            failures if failures.is_empty() => Ok(()),
            failures => Err(failures.join("\n")),
        }
    }
}

/// A stack as it is recorded, by the definition alone. Innermost first, as the stack.
fn recorded(stack: &[u64], cause: Option<TruncatedCause>, depth: usize) -> Vec<u64> {
    let outward_in = |part: &[u64]| part.iter().rev().copied().collect::<Vec<u64>>();
    let mark = cause.map(|cause| special_frame(SpecialFrame::Truncated(cause)));
    let mut path = if stack.len() >= STEPS {
        let innermost = outward_in(&stack[..depth - 1]);
        folded(mark.into_iter().chain(innermost))
    } else {
        let all = || mark.into_iter().chain(outward_in(stack));
        let mut path = Vec::new();
        let is_whole = all().all(|frame| {
            push_folded(&mut path, frame);
            path.len() <= depth
        });
        match is_whole {
            true => path,
            false => {
                let outermost = depth / 4;
                let innermost = depth - outermost - 2;
                let (inner, rest) = stack.split_at(innermost);
                let (elided, outer) = rest.split_at(rest.len() - outermost);
                let rounded = 1 << elided.len().ilog2();
                let outer = mark.into_iter().chain(outward_in(outer));
                let elided = special_frame(SpecialFrame::Elided(rounded));
                folded(outer.chain([elided]).chain(outward_in(inner)))
            }
        }
    };
    path.reverse();
    path
}

/// Runs `work` on a thread with room for deep stacks.
pub(super) fn on_large_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 << 20);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}
