//! A check for people.
//!
//! No line begins with a name: GitHub Actions takes a line that begins with `::` for an order, and one
//! with `##[` anywhere in it.

use std::io::{self, Write};

use super::super::escape;
use super::super::place::short;
use super::super::{table, units};
use super::report::{Place, ProgramReport, Report, Row};
use crate::analysis::gate::Outcome;

/// Owners in the table.
const ROWS: usize = 5;

/// Writes a check.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for program in &report.programs {
        self::program(program, out)?;
    }
    for error in &report.errors {
        writeln!(out, "ERROR  {}", printable(error))?;
    }
    match &report.budget {
        Some(file) => writeln!(out, "budget: {}", printable(file))?,
        None => writeln!(out, "no budget")?,
    }
    let counts: Vec<String> = [
        (Outcome::Fail, "failed"),
        (Outcome::Unknown, "cannot be told"),
        (Outcome::Pass, "passed"),
    ]
    .into_iter()
    .filter_map(|(outcome, word)| match report.count(outcome) {
        0 => None,
        count => Some(format!("{count} {word}")),
    })
    .collect();
    if report.programs.len() > 1 {
        writeln!(
            out,
            "{} programs: {}",
            report.programs.len(),
            counts.join(", ")
        )?;
    }
    Ok(())
}

fn program(program: &ProgramReport, out: &mut dyn Write) -> io::Result<()> {
    let word = match program.outcome {
        Outcome::Pass => "PASS",
        Outcome::Unknown => "UNKNOWN",
        Outcome::Fail => "FAIL",
    };
    let broken = program
        .failures
        .iter()
        .filter(|failure| failure.limit.is_some());
    let limits = match (program.limits, broken.count()) {
        (0, _) => String::new(),
        (all, 0) => format!("; {all} limits held"),
        (all, broken) => format!("; {broken} of {all} limits broken"),
    };
    let name = printable(&program.program);
    writeln!(
        out,
        "{word}  {name}: {}{limits}",
        printable(&program.verdict)
    )?;
    for gap in &program.gaps {
        writeln!(out, "  cannot pass: {}", printable(gap))?;
    }
    for failure in &program.failures {
        let place = failure
            .owner
            .as_ref()
            .map_or("the whole program".to_owned(), place);
        let kind = failure.kind.name();
        writeln!(
            out,
            "\n  {kind}: {place}\n    {}",
            printable(&failure.message)
        )?;
        for detail in &failure.details {
            writeln!(out, "    - {}", printable(detail))?;
        }
        for path in &failure.paths {
            writeln!(out, "    by the path")?;
            for frame in path {
                writeln!(out, "      | {}", self::place(frame))?;
            }
        }
    }
    if program.outcome != Outcome::Pass {
        rows(program, out)?;
    }
    for known in &program.suppressed {
        let pattern = printable(&known.pattern);
        writeln!(
            out,
            "  suppressed by leak:{pattern}: {}",
            place(&known.owner)
        )?;
    }
    for note in &program.notes {
        writeln!(out, "  note: {}", printable(note))?;
    }
    Ok(())
}

fn rows(program: &ProgramReport, out: &mut dyn Write) -> io::Result<()> {
    let mut lines = vec![
        ["before", "after", "change", "live bytes of"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let moved = |row: &&Row| row.change() != 0;
    let owners = program.owners.iter().filter(moved).take(ROWS);
    for row in std::iter::once(&program.total).chain(owners) {
        lines.push(vec![
            units::bytes(row.before),
            units::bytes(row.after),
            units::change(row.change()),
            row.owner
                .as_ref()
                .map_or("the whole program".to_owned(), place),
        ]);
    }
    writeln!(out)?;
    table::write(&lines, out)?;
    writeln!(out)
}

fn printable(text: &str) -> String {
    escape::printable(text).replace("##[", "\\u{23}#[")
}

fn place(place: &Place) -> String {
    let function = printable(&place.function);
    let file = place
        .repository_file
        .as_deref()
        .or_else(|| place.file.as_deref().map(short));
    match (file, place.line) {
        (Some(file), Some(line)) => format!("{function}  {}:{line}", printable(file)),
        (Some(file), None) => format!("{function}  {}", printable(file)),
        (None, _) => function,
    }
}
