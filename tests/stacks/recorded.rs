//! What snapshots say about the blocks that looks allocate, against what the looks saw.

use crate::call_shapes::is_on_own_stack;
use crate::spy::stack_of_allocation;
use heaplens::snapshot::{Limits, SPECIAL_MODULE, Snapshot, SpecialFrame};
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Frame {
    Code(u64),
    Special(SpecialFrame),
}

/// The snapshots so far.
pub(crate) struct Recorded {
    depth: usize,
    /// Bytes that each stack has ever allocated.
    known: HashMap<Stack, u64>,
    /// Frames inside the allocation function, which are heaplens' and the spy's.
    inside: Option<usize>,
    /// Most frames of a stack.
    pub(crate) deepest: usize,
    /// Blocks whose stacks ended early.
    pub(crate) truncated: u64,
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
        let mut news: Vec<(&Stack, u64)> = self
            .known
            .iter()
            .map(|(stack, &bytes)| (stack, (bytes - before.get(stack).unwrap_or(&0)) / SIZE))
            .filter(|&(_, count)| count > 0)
            .collect();
        let count: u64 = news.iter().map(|(_, count)| count).sum();
        if count != looks.len() as u64 {
            return Err(format!("{count} recorded, {} seen", looks.len()));
        }
        let Some(inside) = self.inside.or_else(|| frames_inside(&news, looks)) else {
            return Err("not one stack is recorded as it was seen".into());
        };
        self.inside = Some(inside);
        let mut expected: HashMap<Stack, u64> = HashMap::new();
        for seen in &looks.on_own_stack {
            self.deepest = self.deepest.max(seen.len() - inside);
            *expected
                .entry(cut(&seen[inside..], self.depth))
                .or_default() += 1;
        }
        let mut elsewhere: Vec<&[u64]> = looks
            .on_other_stacks
            .iter()
            .map(|seen| &seen[inside..])
            .collect();
        // Longest first: what a longer one may claim, a shorter one can do without.
        news.sort_by_key(|(stack, _)| std::cmp::Reverse(stack.len()));
        for (stack, count) in news {
            let expected = expected.remove(stack).unwrap_or(0);
            if expected > count {
                return Err(format!(
                    "recorded {count} times, seen {expected}: {stack:x?}"
                ));
            }
            self.truncated += u64::from(matches!(stack[..], [.., Frame::Special(_)])) * count;
            for _ in expected..count {
                let found = elsewhere
                    .iter()
                    .position(|seen| is_part(stack, seen, self.depth));
                let Some(found) = found else {
                    return Err(format!("recorded, but never seen: {stack:x?}"));
                };
                elsewhere.swap_remove(found);
            }
        }
        match expected.keys().next() {
            Some(stack) => Err(format!("seen, but not recorded: {stack:x?}")),
            None => Ok(()),
        }
    }

    /// Takes what was recorded so far as known, whatever it is.
    pub(crate) fn skip(&mut self) {
        self.known = stacks(&take());
    }
}

/// How many frames the stacks that were seen have more, by the first one that is found again.
fn frames_inside(news: &[(&Stack, u64)], looks: &Looks) -> Option<usize> {
    let code = |stack: &Stack| -> Option<Vec<u64>> {
        stack
            .iter()
            .map(|frame| match frame {
                Frame::Code(address) => Some(*address),
                Frame::Special(_) => None,
            })
            .collect()
    };
    news.iter().find_map(|(stack, _)| {
        let stack = code(stack)?;
        let mut seen = looks.on_own_stack.iter();
        let inside = seen.find(|seen| seen.ends_with(&stack))?.len() - stack.len();
        (1..=16).contains(&inside).then_some(inside)
    })
}

/// A stack as it is kept: the innermost three quarters of the depth, a mark, the outermost quarter.
fn cut(stack: &[u64], depth: usize) -> Stack {
    let code = |part: &[u64]| part.iter().map(|&at| Frame::Code(at)).collect::<Stack>();
    if stack.len() <= depth {
        return code(stack);
    }
    let outermost = depth / 4;
    let mut kept = code(&stack[..depth - outermost]);
    let elided = SpecialFrame::Elided((stack.len() - depth) as u32);
    kept.push(Frame::Special(elided));
    kept.extend(code(&stack[stack.len() - outermost..]));
    kept
}

/// Whether a stack is all of what was seen, or its inner part and a mark.
fn is_part(stack: &Stack, seen: &[u64], depth: usize) -> bool {
    let Some((Frame::Special(SpecialFrame::Truncated(_)), known)) = stack.split_last() else {
        return *stack == cut(seen, depth);
    };
    let elided = known.iter().find_map(|frame| match frame {
        Frame::Special(SpecialFrame::Elided(frames)) => Some(*frames as usize),
        _ => None,
    });
    let len = elided.map_or(known.len(), |elided| depth + elided);
    seen.get(..len)
        .is_some_and(|seen| known == cut(seen, depth))
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
