//! Compares captures where they are made.

use super::call_shapes::is_on_own_stack;
use super::full_unwind::full_unwind;
use super::*;
use crate::stack::modules::Modules;
use crate::stack::rules::RuleCache;

/// What threads share.
pub(super) struct Fixture {
    pub(super) modules: Modules,
    rules: RuleCache,
    bounds: StackBounds,
    pub(super) tree: SiteTree,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let fixture = Self {
            modules: Modules::new(),
            rules: RuleCache::new(),
            bounds: StackBounds::new(),
            tree: SiteTree::new(1 << 20),
        };
        fixture.modules.refresh();
        fixture.bounds.calibrate();
        fixture
    }

    pub(super) fn walker(&self, depth: usize) -> Walker<'_> {
        Walker {
            stepper: Stepper {
                modules: &self.modules,
                rules: &self.rules,
            },
            bounds: &self.bounds,
            tree: &self.tree,
            depth,
        }
    }

    /// Frames of a node, innermost first.
    pub(super) fn frames(&self, mut node: NodeId) -> Vec<u64> {
        let mut frames = Vec::new();
        while let Some((parent, frame)) = self.tree.get(node) {
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
    depth: usize,
    memory: &'static mut Memory,
    no_memory: &'static mut Memory,
    theirs: Vec<u64>,
    /// Frames of the oracle's own, this type's included.
    inside: usize,
    pub(super) captures: usize,
    /// Most frames of a stack.
    pub(super) deepest: usize,
    /// Stacks that ended early, which only those on other stacks may.
    pub(super) truncated: usize,
    /// Kept rather than panicked with: a call tree may catch panics.
    failures: Vec<String>,
}

impl<'a> Probe<'a> {
    pub(super) fn new(fixture: &'a Fixture, depth: usize) -> Self {
        let mut probe = Self {
            fixture,
            depth: 256,
            memory: memory(),
            no_memory: memory(),
            theirs: Vec::with_capacity(1 << 16),
            inside: 0,
            captures: 0,
            deepest: 0,
            truncated: 0,
            failures: Vec::new(),
        };
        // The first of all, on a shallow stack, shows how many frames are the oracle's own.
        probe.check();
        probe.depth = depth;
        probe.memory.forget();
        probe
    }

    /// Captures here, and compares.
    #[inline(never)]
    pub(super) fn check(&mut self) {
        let here = Registers::here();
        let walker = self.fixture.walker(self.depth);
        let captured = walker.capture(self.memory, here, 0);
        self.no_memory.forget();
        let fresh = walker.capture(self.no_memory, here, 0);
        self.theirs.clear();
        full_unwind(&mut self.theirs);
        self.compare(captured, fresh);
    }

    fn compare(&mut self, captured: Captured, fresh: Captured) {
        if self.failures.len() > 3 {
            return;
        }
        let ours = self.fixture.frames(captured.node);
        if fresh != captured {
            let fresh = self.fixture.frames(fresh.node);
            self.failures
                .push(format!("{ours:x?}, without memory {fresh:x?}"));
        }
        if self.captures == 0 {
            self.inside = self.theirs.len() - (ours.len() - 1);
            assert!((1..=16).contains(&self.inside), "{}", self.inside);
        }
        self.captures += 1;
        self.deepest = self.deepest.max(ours.len());
        // Of this function there is one frame, but at two addresses.
        let mut theirs = vec![ours[0]];
        theirs.extend(&self.theirs[self.inside..]);
        let is_equal = match captured.truncated {
            None => ours == cut(&theirs, self.depth),
            Some(_) if is_on_own_stack() => false,
            Some(cause) => {
                self.truncated += 1;
                let [known @ .., mark] = &ours[..] else {
                    unreachable!("a stack has a frame")
                };
                // It ends anywhere, and may be deep all the same.
                let elided = known.iter().find_map(|&frame| {
                    match SpecialFrame::from_code(special_code(frame)?) {
                        Some(SpecialFrame::Elided(frames)) => Some(frames as usize),
                        _ => None,
                    }
                });
                let len = elided.map_or(known.len(), |elided| self.depth + elided);
                let theirs = theirs.get(..len);
                *mark == special_frame(SpecialFrame::Truncated(cause))
                    && theirs.is_some_and(|theirs| known == cut(theirs, self.depth))
            }
        };
        if !is_equal {
            let cause = captured.truncated;
            self.failures
                .push(format!("{ours:x?} {cause:?}, backtrace {theirs:x?}"));
        }
    }

    /// What was wrong, if anything was.
    pub(super) fn outcome(&mut self) -> Result<(), String> {
        match std::mem::take(&mut self.failures) {
            failures if failures.is_empty() => Ok(()),
            failures => Err(failures.join("\n")),
        }
    }
}

/// A stack as it is kept: the innermost three quarters of the depth, a mark, the outermost quarter.
fn cut(stack: &[u64], depth: usize) -> Vec<u64> {
    if stack.len() <= depth {
        return stack.to_vec();
    }
    let outermost = depth / 4;
    let mark = SpecialFrame::Elided((stack.len() - depth) as u32);
    let mut kept = stack[..depth - outermost].to_vec();
    kept.push(special_frame(mark));
    kept.extend(&stack[stack.len() - outermost..]);
    kept
}

/// Runs `work` on a thread with room for deep stacks.
pub(super) fn on_large_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 << 20);
        thread.spawn_scoped(scope, work).unwrap().join().unwrap()
    })
}
