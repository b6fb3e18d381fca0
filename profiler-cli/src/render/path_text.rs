//! A stack for people: the owner, what it calls, and who calls it.

use std::io::{self, Write};

use super::escape::printable;
use super::place::at;
use crate::profile::{NodeId, Origin, Profile};

/// Frames shown inside the owner, and callers shown of it.
const INNER_FRAMES: usize = 3;
const CALLERS: usize = 4;

/// One line of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A function, and how many of its own calls stand here.
    Frame {
        node: NodeId,
        calls: usize,
        is_owner: bool,
    },
    /// That many are left out.
    More { count: usize, of: &'static str },
}

/// The frames around the owner of a stack, innermost first. A function that calls itself is one
/// line.
pub(super) fn lines(profile: &Profile, node: NodeId) -> Vec<Line> {
    let owner = profile.owner(node);
    let inner = runs(
        profile,
        profile.tree().stack(node).take_while(|&node| node != owner),
    );
    // Callers in the runtime say nothing about the path.
    let is_shown =
        |&node: &NodeId| profile.frames().origin(profile.frame(node).function) != Origin::Runtime;
    let callers = profile.tree().stack(owner).skip(1).filter(is_shown);
    let outer = runs(profile, std::iter::once(owner).chain(callers));
    let frame = |run: &Run| Line::Frame {
        node: run.node,
        calls: run.calls,
        is_owner: run.node == owner,
    };
    let more = |length: usize, shown: usize, of| {
        let count = length.checked_sub(shown).filter(|&count| count > 0)?;
        Some(Line::More { count, of })
    };
    let shown_inner = inner.iter().take(INNER_FRAMES).map(frame);
    let shown_outer = outer.iter().take(1 + CALLERS).map(frame);
    shown_inner
        .chain(more(inner.len(), INNER_FRAMES, "functions"))
        .chain(shown_outer)
        .chain(more(outer.len(), 1 + CALLERS, "callers"))
        .collect()
}

/// Writes these lines.
pub(super) fn write(profile: &Profile, node: NodeId, out: &mut dyn Write) -> io::Result<()> {
    for line in lines(profile, node) {
        match line {
            Line::More { count, of } => writeln!(out, "      … {count} {of}")?,
            Line::Frame {
                node,
                calls,
                is_owner,
            } => {
                let mark = if is_owner { '>' } else { ' ' };
                write!(out, "    {mark} {}", printable(profile.name(node)))?;
                if calls > 1 {
                    write!(out, " ×{calls}")?;
                }
                match at(profile, node) {
                    Some(place) => writeln!(out, "  {place}")?,
                    None => writeln!(out)?,
                }
            }
        }
    }
    Ok(())
}

/// Neighbours on a stack that are in one function: the first of them, and how many they are.
struct Run {
    node: NodeId,
    calls: usize,
}

fn runs(profile: &Profile, nodes: impl Iterator<Item = NodeId>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for node in nodes {
        match runs.last_mut() {
            Some(run) if profile.name(run.node) == profile.name(node) => run.calls += 1,
            _ => runs.push(Run { node, calls: 1 }),
        }
    }
    runs
}
