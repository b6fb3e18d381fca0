//! A check as results of tests, in the form that Ant's JUnit task began with and pipelines read.
//!
//! Each program is a suite. Its cases are the verdict and the limits, or, where these fail, a case for
//! each failure; what keeps it from passing is an error. A verdict that too few snapshots leave open is
//! skipped where limits decide.

use std::io::{self, Write};

use quick_xml::escape::escape;

use super::super::escape::printable;
use super::report::{Failure, Kind, Place, ProgramReport, Report};
use crate::analysis::gate::Outcome;

/// Writes a check.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>"
    )?;
    for (id, program) in report.programs.iter().enumerate() {
        suite(id, &Suite::of(program), out)?;
    }
    if !report.errors.is_empty() {
        let errors = Suite {
            name: "heaplens",
            package: "heaplens",
            host: "",
            taken: "",
            cases: report
                .errors
                .iter()
                .map(|error| Case::error("heaplens", error))
                .collect(),
        };
        suite(report.programs.len(), &errors, out)?;
    }
    writeln!(out, "</testsuites>")
}

struct Suite<'a> {
    name: &'a str,
    package: &'a str,
    host: &'a str,
    taken: &'a str,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    wrong: Option<Wrong>,
}

struct Wrong {
    /// `failure`, `error` or `skipped`.
    element: &'static str,
    kind: &'static str,
    message: String,
    lines: Vec<String>,
}

impl Case {
    fn passed(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            wrong: None,
        }
    }

    fn error(name: &str, what: &str) -> Self {
        Self {
            name: name.to_owned(),
            wrong: Some(Wrong {
                element: "error",
                kind: "unknown",
                message: what.to_owned(),
                lines: Vec::new(),
            }),
        }
    }

    fn skipped(name: &str, why: &str) -> Self {
        Self {
            name: name.to_owned(),
            wrong: Some(Wrong {
                element: "skipped",
                kind: "undecided",
                message: why.to_owned(),
                lines: Vec::new(),
            }),
        }
    }

    fn failed(failure: &Failure) -> Self {
        let who = failure
            .owner
            .as_ref()
            .map_or("the whole program", |owner| owner.function.as_str());
        let mut lines: Vec<String> = failure.owner.iter().map(place).collect();
        lines.extend(failure.details.iter().cloned());
        for path in &failure.paths {
            lines.push("by the path".to_owned());
            lines.extend(path.iter().map(|frame| format!("  {}", place(frame))));
        }
        Self {
            name: format!("{}: {who} {}", failure.kind.name(), failure.message),
            wrong: Some(Wrong {
                element: "failure",
                kind: failure.kind.name(),
                message: failure.message.clone(),
                lines,
            }),
        }
    }
}

impl<'a> Suite<'a> {
    fn of(program: &'a ProgramReport) -> Self {
        let mut cases: Vec<Case> = program.failures.iter().map(Case::failed).collect();
        cases.extend(program.gaps.iter().map(|gap| Case::error("evidence", gap)));
        let leaks = program
            .failures
            .iter()
            .filter(|failure| failure.kind == Kind::Leak)
            .count();
        if leaks == 0 {
            cases.push(match program.snapshots_needed {
                None => Case::passed("verdict"),
                Some(_) if program.outcome == Outcome::Unknown => {
                    Case::error("verdict", &program.verdict)
                }
                Some(_) => Case::skipped("verdict", &program.verdict),
            });
        }
        if program.limits > 0 && leaks == program.failures.len() {
            cases.push(Case::passed("limits"));
        }
        Self {
            name: &program.program,
            package: &program.package,
            host: &program.host,
            taken: &program.taken,
            cases,
        }
    }
}

fn suite(id: usize, suite: &Suite<'_>, out: &mut dyn Write) -> io::Result<()> {
    let wrong = |element| {
        let wrong = suite.cases.iter().filter_map(|case| case.wrong.as_ref());
        wrong.filter(|wrong| wrong.element == element).count()
    };
    writeln!(
        out,
        "<testsuite id=\"{id}\" name=\"{}\" package=\"{}\" hostname=\"{}\" timestamp=\"{}\" tests=\"{}\" \
         failures=\"{}\" errors=\"{}\" time=\"0\">\n<properties/>",
        token(suite.name, "program"),
        token(suite.package, "program"),
        token(suite.host, "localhost"),
        seconds(suite.taken),
        suite.cases.len(),
        wrong("failure"),
        wrong("error"),
    )?;
    for case in &suite.cases {
        write!(
            out,
            "<testcase name=\"{}\" classname=\"{}\" time=\"0\"",
            token(&case.name, "check"),
            token(suite.name, "program"),
        )?;
        match &case.wrong {
            None => writeln!(out, "/>")?,
            Some(wrong) => {
                let (element, message) = (wrong.element, safe(&wrong.message));
                let lines: Vec<String> = wrong.lines.iter().map(|line| safe(line)).collect();
                writeln!(
                    out,
                    ">\n<{element} type=\"{}\" message=\"{message}\">{}</{element}>\n</testcase>",
                    wrong.kind,
                    lines.join("\n"),
                )?;
            }
        }
    }
    writeln!(
        out,
        "<system-out></system-out>\n<system-err></system-err>\n</testsuite>"
    )
}

fn safe(text: &str) -> String {
    escape(&*printable(text)).into_owned()
}

/// Text that is not empty.
fn token(text: &str, instead: &str) -> String {
    safe(if text.trim().is_empty() {
        instead
    } else {
        text
    })
}

/// A time without its fraction and zone, which is how this form has it.
fn seconds(time: &str) -> &str {
    const SHAPE: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let fits = |(byte, shape): (u8, &u8)| match shape {
        b'd' => byte.is_ascii_digit(),
        shape => byte == *shape,
    };
    match time.get(..SHAPE.len()) {
        Some(short) if short.bytes().zip(SHAPE).all(fits) => short,
        _ => "1970-01-01T00:00:00",
    }
}

fn place(place: &Place) -> String {
    let file = place.repository_file.as_deref().or(place.file.as_deref());
    match (file, place.line) {
        (Some(file), Some(line)) => format!("{} {file}:{line}", place.function),
        (Some(file), None) => format!("{} {file}", place.function),
        (None, _) => place.function.clone(),
    }
}
