//! What snapshots say about the blocks that looks allocate, against what the looks saw.

use crate::call_shapes::is_on_own_stack;
use crate::folding::{Frame, path};
use crate::spy::stack_of_allocation;
use heaplens::snapshot::{Limits, SPECIAL_MODULE, Snapshot, SpecialFrame, TruncatedCause};
use std::collections::HashMap;
use std::hint::black_box;

/// Size of the blocks, which are never touched. All else that is allocated between two snapshots is
/// less: so it does not matter where a stack that ended early has company.
const SIZE: u64 = 64 << 20;

/// What one thread's looks saw.
#[derive(Default)]
pub(crate) struct Looks {
    /// Addresses of the calls around an allocation, innermost first.
    on_own_stack: Vec<Vec<u64>>,
    on_other_stacks: Vec<Vec<u64>>,
}

impl Looks {
    /// Allocates, and frees at once.
    #[inline(never)]
    pub(crate) fn look(&mut self) {
        let (block, seen) =
            stack_of_allocation(|| Vec::<u8>::with_capacity(black_box(SIZE as usize)));
        drop(black_box(block));
        match is_on_own_stack() {
            true => self.on_own_stack.push(seen),
            false => self.on_other_stacks.push(seen),
        }
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.on_own_stack.append(&mut other.on_own_stack);
        self.on_other_stacks.append(&mut other.on_other_stacks);
    }

    pub(crate) fn len(&self) -> usize {
        self.on_own_stack.len() + self.on_other_stacks.len()
    }
}

/// A recorded stack: addresses in memory and marks, innermost first.
type Stack = Vec<Frame>;

/// The snapshots so far.
pub(crate) struct Recorded {
    depth: usize,
    /// Bytes that each stack has ever allocated.
    known: HashMap<Stack, u64>,
    /// Frames inside the allocation function, which are heaplens' and the spy's.
    inside: Option<usize>,
    /// Most frames of a stack.
    pub(crate) deepest: usize,
    /// Blocks on other stacks than a thread's own whose stacks ended early.
    pub(crate) truncated: usize,
}

impl Recorded {
    pub(crate) fn new() -> Self {
        let snapshot = take();
        Self {
            depth: snapshot.header.recorder.depth as usize,
            known: stacks(&snapshot),
            inside: None,
            deepest: 0,
            truncated: 0,
        }
    }

    /// Compares what was recorded since the last call with what was seen.
    pub(crate) fn compare(&mut self, looks: &Looks) -> Result<(), String> {
        let snapshot = take();
        let now = stacks(&snapshot);
        let before = std::mem::replace(&mut self.known, now);
        let news: Vec<(&Stack, u64)> = self
            .known
            .iter()
            .map(|(stack, &bytes)| (stack, (bytes - before.get(stack).unwrap_or(&0)) / SIZE))
            .filter(|&(_, count)| count > 0)
            .collect();
        let count: u64 = news.iter().map(|(_, count)| count).sum();
        if count != looks.len() as u64 {
            return Err(format!("{count} recorded, {} seen", looks.len()));
        }
        let inside = self
            .inside
            .or_else(|| frames_inside(&news, looks, self.depth));
        let Some(inside) = inside else {
            return Err("not one stack is recorded as it was seen".into());
        };
        self.inside = Some(inside);
        let mut expected: HashMap<Stack, u64> = HashMap::new();
        for seen in &looks.on_own_stack {
            self.deepest = self.deepest.max(seen.len() - inside);
            *expected
                .entry(path(&seen[inside..], None, self.depth))
                .or_default() += 1;
        }
        // Stacks that nobody has seen from their own thread's stack, as often as they are.
        let mut rest: Vec<&Stack> = Vec::new();
        for (stack, count) in news {
            let expected = expected.remove(stack).unwrap_or(0);
            if expected > count {
                return Err(format!(
                    "recorded {count} times, seen {expected}: {stack:x?}"
                ));
            }
            rest.extend((expected..count).map(|_| stack));
        }
        if let Some(stack) = expected.keys().next() {
            return Err(format!("seen, but not recorded: {stack:x?}"));
        }
        let is_truncated = |stack: &&&Stack| truncated(stack).is_some();
        self.truncated += rest.iter().filter(is_truncated).count();
        let seen = looks.on_other_stacks.iter().map(|seen| &seen[inside..]);
        match pairs(&rest, &seen.collect::<Vec<_>>(), self.depth) {
            Ok(()) => Ok(()),
            Err(stack) => Err(format!("recorded, but never seen: {stack:x?}")),
        }
    }

    /// Takes what was recorded so far as known, whatever it is.
    pub(crate) fn skip(&mut self) {
        self.known = stacks(&take());
    }
}

/// How many frames the stacks that were seen have more, by the first one that is found again.
fn frames_inside(news: &[(&Stack, u64)], looks: &Looks, depth: usize) -> Option<usize> {
    let seen = looks.on_own_stack.first()?;
    (1..=16.min(seen.len() - 1)).find(|&inside| {
        let path = path(&seen[inside..], None, depth);
        news.iter().any(|(stack, _)| **stack == path)
    })
}

/// Whether each stack can be a different one of those seen. As many are there on both sides.
///
/// A path may be that of many stacks, and a stack that ended early has as many paths as it may have
/// ended at: so a stack that finds all of its own taken asks those that took them to move on.
fn pairs<'a>(stacks: &[&'a Stack], seen: &[&[u64]], depth: usize) -> Result<(), &'a Stack> {
    let fits: Vec<Vec<usize>> = stacks
        .iter()
        .map(|stack| {
            let fits = |&at: &usize| is_part(stack, seen[at], depth);
            (0..seen.len()).filter(fits).collect()
        })
        .collect();
    let mut taken_by = vec![None; seen.len()];
    for (number, stack) in stacks.iter().enumerate() {
        if !find_place(number, &fits, &mut taken_by, &mut vec![false; seen.len()]) {
            return Err(stack);
        }
    }
    Ok(())
}

/// Takes one of the places that fit, where need be from another that can move on.
fn find_place(
    number: usize,
    fits: &[Vec<usize>],
    taken_by: &mut [Option<usize>],
    is_asked: &mut [bool],
) -> bool {
    fits[number].iter().any(|&place| {
        if std::mem::replace(&mut is_asked[place], true) {
            return false;
        }
        let is_free = match taken_by[place] {
            None => true,
            Some(other) => find_place(other, fits, taken_by, is_asked),
        };
        if is_free {
            taken_by[place] = Some(number);
        }
        is_free
    })
}

/// Why a stack ended early, by its mark.
fn truncated(stack: &Stack) -> Option<TruncatedCause> {
    match stack.last() {
        Some(Frame::Special(SpecialFrame::Truncated(cause))) => Some(*cause),
        _ => None,
    }
}

/// Whether a stack is all of what was seen, or its inner part and a mark.
fn is_part(stack: &Stack, seen: &[u64], depth: usize) -> bool {
    let cause = truncated(stack);
    let outermost = &stack[..stack.len() - usize::from(cause.is_some())];
    match (cause, outermost.last()) {
        (Some(TruncatedCause::TooDeep) | None, _) => *stack == path(seen, cause, depth),
        // The outermost frame is never folded away, so it tells where the walk may have ended.
        (Some(_), Some(&Frame::Code(end))) => (1..=seen.len())
            .filter(|&len| seen[len - 1] == end)
            .any(|len| *stack == path(&seen[..len], cause, depth)),
        (Some(_), _) => false,
    }
}

fn take() -> Snapshot {
    let path = heaplens::snapshot("stacks").unwrap();
    heaplens::snapshot::read(&path, &Limits::default()).unwrap()
}

/// Bytes that each stack has ever allocated.
fn stacks(snapshot: &Snapshot) -> HashMap<Stack, u64> {
    let bases = module_bases(snapshot);
    let (stacks, sites) = (&snapshot.stacks, &snapshot.sites);
    let mut bytes = HashMap::new();
    for site in 0..sites.stack.len() {
        if sites.total_bytes[site] < SIZE {
            continue;
        }
        let mut stack = Stack::new();
        let mut row = i64::from(sites.stack[site]);
        while let Ok(at) = usize::try_from(row) {
            let address = stacks.address[at];
            stack.push(match stacks.module[at] {
                SPECIAL_MODULE => Frame::Special(SpecialFrame::from_code(address).unwrap()),
                module => Frame::Code(bases[module as usize].unwrap() + address),
            });
            row = stacks.parent[at];
        }
        *bytes.entry(stack).or_default() += sites.total_bytes[site];
    }
    bytes
}

/// Where each module's file begins in memory, from the kernel's list.
fn module_bases(snapshot: &Snapshot) -> Vec<Option<u64>> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let mut bases: HashMap<&str, u64> = HashMap::new();
    for line in maps.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (low, _) = fields.next().unwrap().split_once('-').unwrap();
        if let Some(path) = fields.nth(4) {
            let low = u64::from_str_radix(low, 16).unwrap();
            bases.entry(path).or_insert(low);
        }
    }
    let base = |module: &heaplens::snapshot::Module| {
        // The dynamic linker's names may be links to what the kernel shows.
        let path = std::fs::canonicalize(&module.path).ok()?;
        bases.get(path.to_str()?).copied()
    };
    snapshot.modules.iter().map(base).collect()
}
