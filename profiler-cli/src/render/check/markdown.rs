//! A check as Markdown, for the summary of a job or a comment on a pull request: one text, however many
//! packages.
//!
//! Names stand in `<code>`, with everything that Markdown or HTML could take for its own as a number of
//! a character.

use std::fmt::{self, Display, Write as _};
use std::io::{self, Write};

use super::super::escape::printable;
use super::super::units;
use super::report::{Failure, Place, ProgramReport, Report, Row};
use crate::analysis::gate::Outcome;

/// Programs that are told of in full; GitHub takes a summary of 1 MiB and a comment of 64 KiB.
const MOST_PROGRAMS: usize = 20;
/// Failures of a program that are told of in full.
const MOST_FAILURES: usize = 5;
/// Rows of the table of programs.
const MOST_ROWS: usize = 300;

/// Writes a check.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let heading = match report.outcome() {
        Outcome::Pass => "passed",
        Outcome::Unknown => "cannot tell",
        Outcome::Fail => "failed",
    };
    writeln!(out, "## Memory: {heading}\n")?;
    for error in &report.errors {
        writeln!(out, "- {}", Plain(error))?;
    }
    if !report.errors.is_empty() {
        writeln!(out)?;
    }
    programs(report, out)?;
    let wrong = || {
        let programs = report.programs.iter();
        programs.filter(|program| program.outcome != Outcome::Pass || report.programs.len() == 1)
    };
    for program in wrong().take(MOST_PROGRAMS) {
        self::program(program, out)?;
    }
    match wrong().count().saturating_sub(MOST_PROGRAMS) {
        0 => Ok(()),
        more => writeln!(out, "{more} more programs are not told of here."),
    }
}

fn programs(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if report.programs.is_empty() {
        return Ok(());
    }
    writeln!(out, "| | program | before | after | change | verdict |")?;
    writeln!(out, "|---|---|--:|--:|--:|---|")?;
    let mut programs: Vec<_> = report.programs.iter().collect();
    programs.sort_by_key(|program| std::cmp::Reverse(program.outcome));
    for program in programs.iter().take(MOST_ROWS) {
        let mark = match program.outcome {
            Outcome::Pass => "✅",
            Outcome::Unknown => "❔",
            Outcome::Fail => "❌",
        };
        let name = Code(&program.program);
        let total = numbers(&program.total);
        let limits = program
            .failures
            .iter()
            .filter(|failure| failure.limit.is_some());
        let limits = match limits.count() {
            0 => String::new(),
            broken => format!("; {broken} of {} limits broken", program.limits),
        };
        writeln!(
            out,
            "| {mark} | {name} | {total} | {}{limits} |",
            Plain(&program.verdict)
        )?;
    }
    if let Some(more @ 1..) = programs.len().checked_sub(MOST_ROWS) {
        writeln!(out, "| | {more} more | | | | |")?;
    }
    writeln!(out)
}

fn program(program: &ProgramReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "### {}\n", Code(&program.program))?;
    for gap in &program.gaps {
        writeln!(out, "- cannot pass: {}", Plain(gap))?;
    }
    for failure in program.failures.iter().take(MOST_FAILURES) {
        self::failure(failure, out)?;
    }
    if let Some(more @ 1..) = program.failures.len().checked_sub(MOST_FAILURES) {
        writeln!(out, "- and {more} more")?;
    }
    for known in &program.suppressed {
        let (owner, pattern) = (Code(&known.owner.function), Code(&known.pattern));
        writeln!(out, "- suppressed by {pattern}: {owner}")?;
    }
    for note in &program.notes {
        writeln!(out, "- {}", Plain(note))?;
    }
    writeln!(
        out,
        "\n| live bytes of | before | after | change |\n|---|--:|--:|--:|"
    )?;
    let moved = program.owners.iter().filter(|row| row.change() != 0);
    for row in std::iter::once(&program.total).chain(moved) {
        match &row.owner {
            Some(owner) => writeln!(out, "| {} | {} |", Code(&owner.function), numbers(row))?,
            None => writeln!(out, "| the whole program | {} |", numbers(row))?,
        }
    }
    writeln!(out)
}

fn numbers(row: &Row) -> String {
    format!(
        "{} | {} | {}",
        units::bytes(row.before),
        units::bytes(row.after),
        units::change(row.change())
    )
}

fn failure(failure: &Failure, out: &mut dyn Write) -> io::Result<()> {
    let kind = failure.kind.name();
    match &failure.owner {
        Some(owner) => write!(out, "- **{kind}** in {}", At(owner))?,
        None => write!(out, "- **{kind}** of the whole program")?,
    }
    writeln!(out, ": {}", Plain(&failure.message))?;
    for detail in &failure.details {
        writeln!(out, "  - {}", Plain(detail))?;
    }
    for path in &failure.paths {
        let frames: Vec<String> = path.iter().map(|frame| At(frame).to_string()).collect();
        writeln!(out, "  - by the path<br>{}", frames.join("<br>"))?;
    }
    Ok(())
}

/// Text of others, as text.
struct Plain<'a>(&'a str);

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in printable(self.0.trim()).chars() {
            // Also what is harmless by itself: `www.` makes a link, and `:+1:` a picture.
            if c.is_ascii_punctuation() {
                write!(f, "&#{};", u32::from(c))?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// A name.
struct Code<'a>(&'a str);

impl Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<code>{}</code>", Plain(self.0))
    }
}

/// A function and its place.
struct At<'a>(&'a Place);

impl Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place {
            function,
            file,
            line,
            repository_file,
        } = self.0;
        Code(function).fmt(f)?;
        if let Some(file) = repository_file.as_ref().or(file.as_ref()) {
            write!(f, " {}", Plain(file))?;
            if let Some(line) = line {
                write!(f, ":{line}")?;
            }
        }
        Ok(())
    }
}
