//! Annotations of GitHub Actions: `::error file=…,line=…,title=…::…`, one line each.
//!
//! GitHub shows ten of a step, so there are no more. A value ends at `,` or `:` and a message at the end
//! of its line, so these are written as the runner reads them: `%2C`, `%3A`, `%0A`, and `%25` for
//! the percent sign itself.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::super::escape::printable;
use super::report::{Failure, Place, Report};
use crate::analysis::gate::Outcome;

/// Annotations that GitHub shows of a step.
const MOST: usize = 10;

/// Writes the annotations of a check: of all errors, then the first failure of each program, then the
/// others.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let errors = report
        .errors
        .iter()
        .map(|error| line(None, "heaplens", [error.as_str()]));
    let gaps = report
        .programs
        .iter()
        .filter(|program| program.outcome == Outcome::Unknown)
        .map(|program| {
            let what = program.gaps.first().unwrap_or(&program.verdict);
            line(None, &program.program, [what.as_str()])
        });
    let failures = |which: fn(usize) -> bool| {
        report.programs.iter().flat_map(move |program| {
            let failures = program.failures.iter().enumerate();
            failures
                .filter(move |(at, _)| which(*at))
                .map(|(_, failure)| annotation(&program.program, failure))
        })
    };
    let lines = errors
        .chain(failures(|at| at == 0))
        .chain(failures(|at| at > 0))
        .chain(gaps);
    for line in lines.take(MOST) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// One annotation for something that went wrong before anything was checked.
pub fn error(what: &str) -> String {
    line(None, "heaplens", [what])
}

fn annotation(program: &str, failure: &Failure) -> String {
    let owner = failure.owner.as_ref();
    let title = format!("{} in {program}", failure.kind.name());
    let who = owner.map_or("the whole program", |owner| owner.function.as_str());
    let first = format!("{who} {}", failure.message);
    let lines = std::iter::once(first.as_str()).chain(failure.details.iter().map(String::as_str));
    line(owner, &title, lines)
}

fn line<'a>(
    place: Option<&Place>,
    title: &str,
    message: impl IntoIterator<Item = &'a str>,
) -> String {
    let mut line = String::from("::error ");
    if let Some(place) = place
        && let Some(file) = &place.repository_file
    {
        let _ = write!(line, "file={},", property(file));
        if let Some(number) = place.line {
            let _ = write!(line, "line={number},");
        }
    }
    let message: Vec<String> = message.into_iter().map(data).collect();
    let _ = write!(line, "title={}::{}", property(title), message.join("%0A"));
    line
}

fn data(text: &str) -> String {
    printable(text).replace('%', "%25")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
