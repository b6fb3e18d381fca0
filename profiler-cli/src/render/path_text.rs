//! A stack for people: the owner, what it calls, and who calls it.

use std::io::{self, Write};

use super::escape::printable;
use super::place::at;
use crate::profile::{NodeId, Origin, Profile};

/// Frames shown inside the owner, and callers shown of it.
const INNER_FRAMES: usize = 3;
const CALLERS: usize = 4;

/// The frames around the owner of a stack, innermost first. A function that calls itself is one
/// line.
pub(super) fn write(profile: &Profile, node: NodeId, out: &mut dyn Write) -> io::Result<()> {
    let owner = profile.owner(node);
    let inner = profile.tree().stack(node).take_while(|&node| node != owner);
    let inner = runs(profile, inner);
    for run in inner.iter().take(INNER_FRAMES) {
        frame(profile, ' ', run, out)?;
    }
    if inner.len() > INNER_FRAMES {
        writeln!(out, "      … {} functions", inner.len() - INNER_FRAMES)?;
    }
    // Callers in the runtime say nothing about the path.
    let is_shown =
        |&node: &NodeId| profile.frames().origin(profile.frame(node).function) != Origin::Runtime;
    let callers = profile.tree().stack(owner).skip(1).filter(is_shown);
    let outer = runs(profile, std::iter::once(owner).chain(callers));
    for (at, run) in outer.iter().take(1 + CALLERS).enumerate() {
        frame(profile, if at == 0 { '>' } else { ' ' }, run, out)?;
    }
    match outer.len().saturating_sub(1 + CALLERS) {
        0 => Ok(()),
        more => writeln!(out, "      … {more} callers"),
    }
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

fn frame(profile: &Profile, mark: char, run: &Run, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "    {mark} {}", printable(profile.name(run.node)))?;
    if run.calls > 1 {
        write!(out, " ×{}", run.calls)?;
    }
    match at(profile, run.node) {
        Some(place) => writeln!(out, "  {place}"),
        None => writeln!(out),
    }
}
