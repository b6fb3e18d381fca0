//! `heaplens diff` for people: the paths that grew most, then what is new and what is gone.

use std::io::{self, Write};

use super::heading::{behind, build, distance, mean, mode, when};
use super::place::named;
use super::{escape::printable, path_text, units};
use crate::analysis::diff::{Diff, OwnerChange, Row, Side, State};
use crate::profile::NodeId;

/// Owners that the summary names.
const OWNERS: usize = 3;
/// Files that the summary names of a side.
const FILES: usize = 4;

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
            "{label}  {}{later}{}: {} live in {} blocks, {}{}",
            when(profile),
            behind(build(diff, side)),
            units::bytes(totals.live_bytes),
            units::count(totals.live_count),
            mode(profile.is_sampled()),
            behind(mean(profile)),
        )?;
        let sources = profile.sources();
        for source in sources.iter().take(FILES) {
            writeln!(out, "        {}", printable(&source.file))?;
        }
        if let Some(more @ 1..) = sources.len().checked_sub(FILES) {
            writeln!(out, "        and {more} more")?;
        }
    }
    if diff.profile(Side::Before).sums().is_some() {
        writeln!(out, "MEANS   all numbers are means per process")?;
    }
    write!(out, "CHANGE  {} net", units::change(diff.change()))?;
    if diff.has_errors() {
        let (before, after) = (
            diff.profile(Side::Before).totals(),
            diff.profile(Side::After).totals(),
        );
        write!(out, " {}", units::error(diff.change_error(before, after)))?;
    }
    writeln!(
        out,
        ": grew {}, shrank {}{}",
        units::bytes(diff.grown_bytes()),
        units::bytes(diff.shrunk_bytes().saturating_neg()),
        match diff.work_done() {
            None => String::new(),
            Some(work) => format!(
                ", {} for each of {} units of work",
                units::change(diff.change() / i64::try_from(work).unwrap_or(i64::MAX)),
                units::unsigned_count(work),
            ),
        },
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
    if diff.has_errors() {
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
    if let Some(seconds) = diff.profile(Side::After).old_seconds()
        && row.change() > 0
    {
        write!(
            out,
            ", {} older than {}",
            units::share(row.after.old_bytes, row.after.live_bytes),
            units::span(seconds * 1000),
        )?;
    }
    if let Some(retained) = profile.retained_type(row.example) {
        write!(out, ", {}", printable(&retained))?;
    }
    writeln!(out)?;
    path_text::write(profile, row.example, out)?;
    writeln!(out)
}
