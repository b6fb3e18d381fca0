//! `heaplens top` for people.

use std::io::{self, Write};

use super::heading::{behind, mean, mode, when};
use super::place::named;
use super::{escape::printable, table, units};
use crate::analysis::top::{By, Sort, TopRow};
use crate::profile::{Profile, Values};

/// Writes the first `limit` rows of a ranking as a table.
pub fn write(
    profile: &Profile,
    rows: &[TopRow<'_>],
    by: By,
    sort: Sort,
    limit: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let totals = profile.totals();
    let sampled = profile.is_sampled();
    writeln!(
        out,
        "{}, {}{}",
        when(profile),
        mode(sampled),
        behind(mean(profile))
    )?;
    write!(out, "live {}", units::bytes(totals.live_bytes))?;
    let has_errors = profile.has_errors();
    if has_errors {
        write!(out, " {}", units::error(totals.live_bytes_error()))?;
    }
    writeln!(
        out,
        " in {} blocks, ever allocated {} in {} blocks{}\n",
        units::count(totals.live_count),
        units::unsigned_bytes(totals.total_bytes),
        units::unsigned_count(totals.total_count),
        match profile.work_done() {
            0 => String::new(),
            work => format!(", for {} units of work", units::unsigned_count(work)),
        },
    )?;
    if rows.is_empty() {
        return writeln!(out, "Nothing was recorded.");
    }

    let with_base = rows.iter().any(|row| row.base.is_some());
    let whole = whole(profile, rows, sort);
    let rows_shown = &rows[..rows.len().min(limit)];
    let types: Vec<Option<String>> = rows_shown
        .iter()
        .map(|row| row.profile.retained_type(row.example))
        .collect();
    let with_types = types.iter().any(Option::is_some);
    let mut lines = vec![heading(profile, by, sort, with_base, with_types)];
    for (row, retained) in rows_shown.iter().zip(&types) {
        let values = &row.values;
        let measure = sort.measure(values, row.base.as_ref());
        let mut line = vec![
            units::share(measure, whole),
            units::bytes(values.live_bytes),
        ];
        if has_errors {
            line.push(units::error(values.live_bytes_error()));
        }
        line.push(units::count(values.live_count));
        if profile.old_seconds().is_some() {
            line.push(units::share(values.old_bytes, values.live_bytes));
        }
        if with_base {
            line.push(units::change(
                Sort::Growth.measure(values, row.base.as_ref()),
            ));
        }
        if sort == Sort::Total {
            line.push(units::unsigned_bytes(values.total_bytes));
        }
        if with_types {
            let retained = retained.as_deref().unwrap_or_default();
            line.push(printable(retained).into_owned());
        }
        line.push(described(row, by));
        lines.push(line);
    }
    table::write(&lines, out)?;
    match rows.len().saturating_sub(limit) {
        0 => Ok(()),
        more => writeln!(out, "\n{more} more: -n 0 shows all"),
    }
}

/// The sum that shares are shares of.
fn whole(profile: &Profile, rows: &[TopRow<'_>], sort: Sort) -> i64 {
    match sort {
        Sort::Growth => rows
            .iter()
            .map(|row| sort.measure(&row.values, row.base.as_ref()).max(0))
            .fold(0, i64::saturating_add),
        _ => sort.measure(profile.totals(), Some(&Values::default())),
    }
}

fn heading(
    profile: &Profile,
    by: By,
    sort: Sort,
    with_base: bool,
    with_types: bool,
) -> Vec<String> {
    let old_seconds = profile.old_seconds();
    let old = old_seconds.map(|seconds| format!(">{}", units::span(seconds * 1000)));
    let mut heading = vec!["share", "live"];
    if profile.has_errors() {
        heading.push("95 %");
    }
    heading.push("blocks");
    heading.extend(old.as_deref());
    if with_base {
        heading.push("growth");
    }
    if sort == Sort::Total {
        heading.push("total");
    }
    if with_types {
        heading.push("type");
    }
    heading.push(match by {
        By::Function => "function, and its heaviest owner",
        By::Owner => "owner",
        By::Crate => "crate, and its heaviest owner",
    });
    heading.into_iter().map(str::to_owned).collect()
}

fn described(row: &TopRow<'_>, by: By) -> String {
    let owner = named(row.profile, row.owner());
    match by {
        By::Owner => owner,
        By::Function if row.owner() == row.example => owner,
        By::Function | By::Crate => format!("{}  < {owner}", printable(row.name(by))),
    }
}
