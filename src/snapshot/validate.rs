//! What a snapshot must hold beyond its types, so that its readers need no checks of their own:
//! columns of one length, a tree without cycles, indices in range, sums that fit.
//!
//! This does not judge whether the numbers make sense, only whether it is safe to work with them.

use super::model::{Sites, Snapshot, Stacks, Symbols};
use std::fmt;

mod graph;

/// Sums of a column stay below this in magnitude, so that the difference of two fits an `i64`.
const SUM_BOUND: i128 = 1 << 62;

/// The first thing found wrong in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Which column, by its path in the file: `sites.stack`.
    pub column: &'static str,
    /// Which row of it, from 0, where one row is to blame.
    pub row: Option<usize>,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row {
            Some(row) => write!(f, "{}[{row}] {}", self.column, self.problem),
            None => write!(f, "{} {}", self.column, self.problem),
        }
    }
}

impl std::error::Error for Invalid {}

/// Checks everything that readers of a snapshot rely on.
///
/// # Errors
///
/// The first violation, with its column and row.
pub fn validate(snapshot: &Snapshot) -> Result<(), Invalid> {
    let modules = snapshot.modules.len();
    check_stacks(&snapshot.stacks, modules)?;
    let frames = snapshot.stacks.parent.len();
    check_sites(&snapshot.sites, frames)?;
    if let Some(graph) = &snapshot.graph {
        graph::check_graph(graph, snapshot.sites.stack.len(), modules)?;
    }
    if let Some(symbols) = &snapshot.symbols {
        check_symbols(symbols, frames, modules)?;
    }
    check_totals(snapshot)
}

fn check_stacks(stacks: &Stacks, modules: usize) -> Result<(), Invalid> {
    let rows = stacks.parent.len();
    same_length("stacks.module", stacks.module.len(), "stacks.parent", rows)?;
    same_length(
        "stacks.address",
        stacks.address.len(),
        "stacks.parent",
        rows,
    )?;
    parents("stacks.parent", &stacks.parent)?;
    indices("stacks.module", &stacks.module, "modules", modules)
}

fn check_sites(sites: &Sites, frames: usize) -> Result<(), Invalid> {
    let rows = sites.stack.len();
    for (column, length) in [
        ("sites.live_bytes", sites.live_bytes.len()),
        ("sites.live_count", sites.live_count.len()),
        ("sites.total_bytes", sites.total_bytes.len()),
        ("sites.total_count", sites.total_count.len()),
    ] {
        same_length(column, length, "sites.stack", rows)?;
    }
    for (column, length) in [
        ("sites.live_samples", sites.live_samples.len()),
        ("sites.total_samples", sites.total_samples.len()),
        ("sites.live_bytes_variance", sites.live_bytes_variance.len()),
        (
            "sites.total_bytes_variance",
            sites.total_bytes_variance.len(),
        ),
    ] {
        if length != 0 {
            same_length(column, length, "sites.stack", rows)?;
        }
    }
    indices("sites.stack", &sites.stack, "stacks", frames)?;

    let bounds = &sites.ages.bounds_seconds;
    if let Some(row) = bounds.windows(2).position(|pair| pair[0] >= pair[1]) {
        let problem = "is not above the bound before it".to_owned();
        return Err(at("sites.ages.bounds_seconds", row + 1, problem));
    }
    let classes = sites.ages.live_bytes.len();
    if !(classes == bounds.len() + 1 || (classes == 0 && bounds.is_empty())) {
        let problem = format!(
            "has {classes} classes, but {} bounds make {}",
            bounds.len(),
            bounds.len() + 1
        );
        return Err(whole("sites.ages.live_bytes", problem));
    }
    for class in &sites.ages.live_bytes {
        same_length("sites.ages.live_bytes", class.len(), "sites.stack", rows)?;
        signed_sum("sites.ages.live_bytes", class)?;
    }

    signed_sum("sites.live_bytes", &sites.live_bytes)?;
    signed_sum("sites.live_count", &sites.live_count)?;
    unsigned_sum("sites.total_bytes", &sites.total_bytes)?;
    unsigned_sum("sites.total_count", &sites.total_count)?;
    unsigned_sum("sites.live_samples", &sites.live_samples)?;
    unsigned_sum("sites.total_samples", &sites.total_samples)?;
    variances("sites.live_bytes_variance", &sites.live_bytes_variance)?;
    variances("sites.total_bytes_variance", &sites.total_bytes_variance)
}

fn check_symbols(symbols: &Symbols, frames: usize, modules: usize) -> Result<(), Invalid> {
    let distinct = symbols.function.len();
    for (column, length) in [
        ("symbols.file", symbols.file.len()),
        ("symbols.line", symbols.line.len()),
        ("symbols.inlined", symbols.inlined.len()),
    ] {
        same_length(column, length, "symbols.function", distinct)?;
    }
    if !symbols.generics.is_empty() {
        let length = symbols.generics.len();
        same_length("symbols.generics", length, "symbols.function", distinct)?;
    }
    let strings = symbols.strings.len();
    indices(
        "symbols.function",
        &symbols.function,
        "symbols.strings",
        strings,
    )?;
    for (column, texts) in [
        ("symbols.file", &symbols.file),
        ("symbols.generics", &symbols.generics),
    ] {
        for (row, &text) in texts.iter().enumerate() {
            if text < -1 || text >= strings as i64 {
                let problem = format!("is {text}, but symbols.strings has {strings} rows");
                return Err(at(column, row, problem));
            }
        }
    }
    indices(
        "symbols.frame",
        &symbols.frame,
        "symbols.function",
        distinct,
    )?;

    first_rows(
        "symbols.first_frame",
        &symbols.first_frame,
        ("stacks", frames),
        ("symbols.frame", symbols.frame.len()),
    )?;
    same_length("symbols.sources", symbols.sources.len(), "modules", modules)
}

fn check_totals(snapshot: &Snapshot) -> Result<(), Invalid> {
    let totals = &snapshot.header.totals;
    for (column, value) in [
        ("header.totals.live_bytes", i128::from(totals.live_bytes)),
        ("header.totals.live_count", i128::from(totals.live_count)),
        ("header.totals.total_bytes", i128::from(totals.total_bytes)),
        ("header.totals.total_count", i128::from(totals.total_count)),
        (
            "header.totals.peak_live_bytes",
            i128::from(totals.peak_live_bytes),
        ),
    ] {
        if value.abs() >= SUM_BOUND {
            return Err(whole(column, "is 2^62 or more".to_owned()));
        }
    }
    let variance = totals.live_bytes_variance;
    variances("header.totals.live_bytes_variance", &[variance])
}

fn same_length(
    column: &'static str,
    length: usize,
    other: &str,
    expected: usize,
) -> Result<(), Invalid> {
    if length == expected {
        return Ok(());
    }
    Err(whole(
        column,
        format!("has {length} rows, but {other} has {expected}"),
    ))
}

fn indices(
    column: &'static str,
    values: &[u32],
    target: &str,
    length: usize,
) -> Result<(), Invalid> {
    match values.iter().position(|&index| index as usize >= length) {
        None => Ok(()),
        Some(row) => {
            let problem = format!("is {}, but {target} has {length} rows", values[row]);
            Err(at(column, row, problem))
        }
    }
}

/// No index stands twice. All are below `length`.
fn distinct(column: &'static str, values: &[u32], length: usize) -> Result<(), Invalid> {
    let mut seen = vec![false; length];
    for (row, &index) in values.iter().enumerate() {
        if std::mem::replace(&mut seen[index as usize], true) {
            return Err(at(column, row, format!("is {index}, as a row before")));
        }
    }
    Ok(())
}

/// Rows that a tree's rows hang on: a parent before its child rules cycles out.
fn parents(column: &'static str, parents: &[i64]) -> Result<(), Invalid> {
    for (row, &parent) in parents.iter().enumerate() {
        if parent < -1 || parent >= row as i64 {
            let problem = format!("is {parent}, but a parent stands in a row before, or is -1");
            return Err(at(column, row, problem));
        }
    }
    Ok(())
}

/// Where each row's part of another table begins, and behind the last one that table's length.
fn first_rows(
    column: &'static str,
    first: &[u32],
    (rows_of, rows): (&str, usize),
    (target, length): (&str, usize),
) -> Result<(), Invalid> {
    if first.len() != rows + 1 {
        let (found, needed) = (first.len(), rows + 1);
        let problem = format!("has {found} rows, but {rows} rows of {rows_of} need {needed}");
        return Err(whole(column, problem));
    }
    if first[0] != 0 {
        return Err(at(column, 0, format!("is {}, not 0", first[0])));
    }
    if let Some(row) = first.windows(2).position(|pair| pair[0] > pair[1]) {
        let problem = "is below the row before it".to_owned();
        return Err(at(column, row + 1, problem));
    }
    if first[rows] as usize != length {
        let problem = format!("is {}, but {target} has {length} rows", first[rows]);
        return Err(at(column, rows, problem));
    }
    Ok(())
}

/// Magnitudes are summed: then every sum of some of the rows fits too, such as a subtree's.
fn signed_sum(column: &'static str, values: &[i64]) -> Result<(), Invalid> {
    let magnitudes = values.iter().map(|value| i128::from(*value).abs());
    sum(column, magnitudes)
}

fn unsigned_sum(column: &'static str, values: &[u64]) -> Result<(), Invalid> {
    sum(column, values.iter().map(|value| i128::from(*value)))
}

fn sum(column: &'static str, magnitudes: impl Iterator<Item = i128>) -> Result<(), Invalid> {
    let mut sum = 0;
    for (row, magnitude) in magnitudes.enumerate() {
        sum += magnitude;
        if sum >= SUM_BOUND {
            return Err(at(
                column,
                row,
                "brings the column's sum to 2^62 or more".to_owned(),
            ));
        }
    }
    Ok(())
}

fn variances(column: &'static str, values: &[f64]) -> Result<(), Invalid> {
    let valid = |value: &f64| value.is_finite() && *value >= 0.0;
    match values.iter().position(|value| !valid(value)) {
        None => Ok(()),
        Some(row) => {
            let problem = format!(
                "is {}, but a variance is a finite number from 0",
                values[row]
            );
            Err(at(column, row, problem))
        }
    }
}

fn at(column: &'static str, row: usize, problem: String) -> Invalid {
    Invalid {
        column,
        row: Some(row),
        problem,
    }
}

fn whole(column: &'static str, problem: String) -> Invalid {
    Invalid {
        column,
        row: None,
        problem,
    }
}

#[cfg(test)]
mod tests;
