//! `heaplens diff` for people: the paths that grew most, then what is new and what is gone.

use std::io::{self, Write};

use super::flamegraph::{distance, mode, when};
use super::place::{at, named};
use super::{escape::printable, units};
use crate::analysis::diff::{Diff, OwnerChange, Row, Side, State};
use crate::profile::{NodeId, Origin, Profile};

/// Frames shown inside the owner, and callers shown of it.
const INNER_FRAMES: usize = 3;
const CALLERS: usize = 4;
/// Owners that the summary names.
const OWNERS: usize = 3;

/// Writes the summary and at most `limit` paths of each kind.
pub fn write(diff: &Diff<'_>, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    summary(diff, out)?;
    let grown = |(state, _): &(State, &Row)| matches!(state, State::Grew | State::New);
    section(
        diff,
        "Growing paths",
        diff.changes().filter(grown),
        limit,
        out,
    )?;
    // New paths that stand above already are only counted here.
    let shown: Vec<NodeId> = diff
        .changes()
        .filter(grown)
        .take(limit)
        .map(|(_, row)| row.node)
        .collect();
    let new = diff.changes().filter(|(state, _)| *state == State::New);
    let (above, below): (Vec<_>, Vec<_>) = new.partition(|(_, row)| shown.contains(&row.node));
    if !above.is_empty() || !below.is_empty() {
        let bytes = |rows: &[(State, &Row)]| {
            rows.iter()
                .map(|(_, row)| row.change())
                .fold(0, i64::saturating_add)
        };
        writeln!(
            out,
            "New paths: {} with {}, {} of them above\n",
            above.len() + below.len(),
            units::bytes(bytes(&above).saturating_add(bytes(&below))),
            above.len(),
        )?;
        paths(diff, below.into_iter(), limit, out)?;
    }
    let shrank = diff
        .changes()
        .rev()
        .filter(|(state, _)| *state == State::Shrank);
    section(diff, "Shrinking paths", shrank, limit, out)?;
    let gone = diff
        .changes()
        .rev()
        .filter(|(state, _)| *state == State::Gone);
    section(diff, "Gone paths", gone, limit, out)
}

fn summary(diff: &Diff<'_>, out: &mut dyn Write) -> io::Result<()> {
    for side in [Side::Before, Side::After] {
        let profile = diff.profile(side);
        let (label, later) = match side {
            Side::Before => ("BEFORE", String::new()),
            Side::After => (
                "AFTER ",
                distance(diff)
                    .map(|d| format!(" ({d})"))
                    .unwrap_or_default(),
            ),
        };
        let totals = profile.totals();
        writeln!(
            out,
            "{label}  {}{later}: {} live in {} blocks, {}",
            when(profile),
            units::bytes(totals.live_bytes),
            units::count(totals.live_count),
            mode(profile.is_sampled()),
        )?;
        for source in profile.sources() {
            writeln!(out, "        {}", printable(&source.file))?;
        }
    }
    write!(out, "CHANGE  {} net", units::change(diff.change()))?;
    if diff.is_sampled() {
        let (before, after) = (
            diff.profile(Side::Before).totals(),
            diff.profile(Side::After).totals(),
        );
        write!(out, " {}", units::error(diff.change_error(before, after)))?;
    }
    writeln!(
        out,
        ": grew {}, shrank {}",
        units::bytes(diff.grown_bytes()),
        units::bytes(diff.shrunk_bytes().saturating_neg()),
    )?;
    let owners: Vec<OwnerChange> = diff
        .owners()
        .into_iter()
        .filter(|owner| owner.change() > 0)
        .take(OWNERS)
        .collect();
    for (at, owner) in owners.iter().enumerate() {
        writeln!(
            out,
            "{}  {}  {}",
            if at == 0 { "OWNERS" } else { "      " },
            units::change(owner.change()),
            named(diff.profile(owner.side), owner.node),
        )?;
    }
    writeln!(out)
}

fn section<'a>(
    diff: &Diff<'_>,
    title: &str,
    rows: impl Iterator<Item = (State, &'a Row)> + Clone,
    limit: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let count = rows.clone().count();
    if count == 0 {
        return Ok(());
    }
    let bytes = rows
        .clone()
        .map(|(_, row)| row.change())
        .fold(0, i64::saturating_add);
    writeln!(out, "{title}: {count} with {}\n", units::change(bytes))?;
    paths(diff, rows, limit, out)
}

fn paths<'a>(
    diff: &Diff<'_>,
    rows: impl Iterator<Item = (State, &'a Row)> + Clone,
    limit: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let more = rows.clone().count().saturating_sub(limit);
    for (state, row) in rows.take(limit) {
        path(diff, state, row, out)?;
    }
    match more {
        0 => Ok(()),
        more => writeln!(out, "  {more} more: -n 0 shows all\n"),
    }
}

fn path(diff: &Diff<'_>, state: State, row: &Row, out: &mut dyn Write) -> io::Result<()> {
    let blocks = row.after.live_count.saturating_sub(row.before.live_count);
    write!(out, "  {}", units::change(row.change()))?;
    if diff.is_sampled() {
        write!(
            out,
            " {}",
            units::error(diff.change_error(&row.before, &row.after))
        )?;
    }
    let plus = if blocks > 0 { "+" } else { "" };
    write!(out, ", {plus}{} blocks", units::count(blocks))?;
    match state {
        State::New => write!(out, ", new")?,
        State::Gone => write!(out, ", gone")?,
        State::Grew | State::Shrank => write!(
            out,
            ", {} -> {}",
            units::bytes(row.before.live_bytes),
            units::bytes(row.after.live_bytes),
        )?,
    }
    if row.change() > 0 {
        write!(
            out,
            ", {} of growth",
            units::share(row.change(), diff.grown_bytes())
        )?;
    }
    let profile = diff.profile(row.side);
    if let Some(retained) = profile.retained_type(row.example) {
        write!(out, ", {}", printable(&retained))?;
    }
    writeln!(out)?;
    stack(profile, row.example, out)?;
    writeln!(out)
}

/// The frames around the owner of a stack, innermost first. A function that calls itself is one
/// line.
fn stack(profile: &Profile, node: NodeId, out: &mut dyn Write) -> io::Result<()> {
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
