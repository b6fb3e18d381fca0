//! `heaplens retained` for people.

use std::io::{self, Write};

use super::graph_words::{self as words, holder};
use super::heading::when;
use super::{table, units};
use crate::analysis::heap_graph::Held;
use crate::analysis::heap_graph::reach::Amount;
use crate::analysis::heap_graph::retained::{Holder, Retained, Retention};
use crate::profile::Profile;

/// Holders whose way is shown.
const PATHS: usize = 3;
/// Steps of a way that are shown, from its start and from its end.
const STEPS: usize = 12;

/// Writes at most `rows` holders, and the ways to the first of them.
pub fn write(held: &Held, ranked: &[Retained], rows: usize, out: &mut dyn Write) -> io::Result<()> {
    let Held {
        profile,
        graph,
        retention,
    } = held;
    let all = graph.totals.all();
    writeln!(
        out,
        "{}, {} that the scan found\n",
        when(profile),
        words::amount(all)
    )?;
    if ranked.is_empty() {
        return writeln!(out, "Nobody of such a name holds anything.");
    }
    let heading = ["share", "retained", "own", "blocks", "holder"];
    let mut lines = vec![heading.map(str::to_owned).to_vec()];
    for one in ranked.iter().take(rows) {
        let retained = Amount {
            blocks: 0,
            bytes: one.retained_bytes,
        };
        lines.push(vec![
            words::share(retained, all),
            units::unsigned_bytes(one.retained_bytes),
            units::unsigned_bytes(one.own.bytes),
            units::unsigned_count(one.own.blocks),
            described(profile, retention, one.holder),
        ]);
    }
    table::write(&lines, out)?;
    if let Some(more @ 1..) = ranked.len().checked_sub(rows) {
        writeln!(out, "{more} more: -n 0 shows all")?;
    }
    for one in ranked.iter().take(rows.min(PATHS)) {
        path(held, one, out)?;
    }
    Ok(())
}

/// A holder with its place.
fn described(profile: &Profile, retention: &Retention, who: Holder) -> String {
    match who {
        Holder::Blocks(label) => words::described(profile, &retention.labels[label as usize]),
        Holder::Root(_) | Holder::LeftOut => holder(profile, retention, who),
    }
}

/// The way from a root to the heaviest blocks of a holder.
fn path(held: &Held, one: &Retained, out: &mut dyn Write) -> io::Result<()> {
    let Held {
        profile, retention, ..
    } = held;
    writeln!(
        out,
        "\n{}, retains {}",
        holder(profile, retention, one.holder),
        units::unsigned_bytes(one.retained_bytes)
    )?;
    let steps = retention.path(one);
    for (at, step) in steps.iter().enumerate() {
        let from_end = steps.len() - at;
        if at == STEPS && from_end > STEPS {
            writeln!(out, "    … {} more", steps.len() - 2 * STEPS)?;
        }
        if at >= STEPS && from_end > STEPS {
            continue;
        }
        let pointer = match step.pointer {
            None if at == 0 => String::new(),
            None => "→ ".to_owned(),
            Some(pointer) => format!("{} → ", words::offset(pointer.offset)),
        };
        let what = described(profile, retention, step.holder);
        writeln!(out, "    {pointer}{what}")?;
    }
    Ok(())
}
