//! `heaplens suspects` for people: the verdict, a table, and for each suspect its reasons.

use std::io::{self, Write};

use super::place::named;
use super::reasons::{losses, reasons};
use super::words::{self, SECONDS_A_DAY, growth_a_day, no_leak};
use super::{escape::printable, graph_words, path_text, table, units};
use crate::analysis::suspects::program::{limit, program};
use crate::analysis::suspects::{Class, Finding, Suspects};
use crate::profile::{NodeId, Profile};

/// Leaks that the verdict names.
const NAMED: usize = 3;
/// Paths shown of each suspect.
const PATHS: usize = 2;

/// Writes the verdict and at most `rows` owners. `given_limit` is a memory limit in bytes.
pub fn write(
    suspects: &Suspects<'_>,
    given_limit: Option<u64>,
    rows: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    verdict(suspects, out)?;
    let program = program(suspects);
    if let Some(limit) = limit(suspects, program.as_ref(), given_limit) {
        let (used, reached) = words::limit(&limit);
        let reached = reached.map_or(String::new(), |reached| format!("; {reached}"));
        writeln!(out, "Limit: {used}{reached}.")?;
    }
    if let Some(program) = &program {
        writeln!(out, "Process: {}.", words::program(program))?;
    }
    if let Some(graph) = words::graph(suspects) {
        writeln!(out, "Pointers: {graph}; `heaplens leaks` shows more.")?;
    }
    writeln!(out)?;
    if let Some(about) = words::about(suspects) {
        writeln!(out, "{about}")?;
    }
    for loss in losses(suspects) {
        writeln!(out, "Lost: {loss}.")?;
    }
    owners(suspects, rows, out)?;
    let explained = |finding: &&Finding| matches!(finding.class, Class::Leak | Class::TooLittle);
    for finding in suspects.findings.iter().take(rows).filter(explained) {
        suspect(suspects, finding, out)?;
    }
    Ok(())
}

fn verdict(suspects: &Suspects<'_>, out: &mut dyn Write) -> io::Result<()> {
    let profile = &suspects.history.profile;
    let leaks = suspects.of(Class::Leak);
    for finding in leaks.clone().take(NAMED) {
        let rate = format!(
            "{}, {} a day",
            units::rate(finding.rate.rate),
            units::bytes((finding.rate.rate * SECONDS_A_DAY) as i64),
        );
        writeln!(
            out,
            "LEAK  {}{}: {}",
            printable(profile.name(finding.node)),
            retained(profile, finding.site()),
            words::how_much(suspects, finding, &rate),
        )?;
    }
    match leaks.count().saturating_sub(NAMED) {
        0 => {}
        more => writeln!(out, "      and {more} more")?,
    }
    match no_leak(suspects) {
        Some((verdict, meaning)) => writeln!(out, "{verdict}  {meaning}"),
        None => Ok(()),
    }
}

fn owners(suspects: &Suspects<'_>, rows: usize, out: &mut dyn Write) -> io::Result<()> {
    let profile = &suspects.history.profile;
    if suspects.findings.is_empty() {
        return writeln!(
            out,
            "\nNone of {} owners moved or holds much.",
            suspects.quiet
        );
    }
    let mut lines = vec![
        ["class", "growth a day", "live", "course", "owner"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for finding in suspects.findings.iter().take(rows) {
        lines.push(vec![
            finding.class.name().to_owned(),
            growth_a_day(finding),
            units::bytes(finding.live.last().copied().unwrap_or(0)),
            units::sparkline(&finding.live),
            named(profile, finding.node),
        ]);
    }
    writeln!(out)?;
    table::write(&lines, out)?;
    if let Some(more @ 1..) = suspects.findings.len().checked_sub(rows) {
        writeln!(out, "{more} more: -n 0 shows all")?;
    }
    writeln!(
        out,
        "{} more owners did not move and hold little",
        suspects.quiet
    )
}

fn suspect(suspects: &Suspects<'_>, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let profile = &suspects.history.profile;
    writeln!(
        out,
        "\n{}: {}",
        finding.class.name(),
        named(profile, finding.node)
    )?;
    for reason in reasons(suspects, finding) {
        writeln!(out, "  {reason}")?;
    }
    for path in finding.paths.iter().take(PATHS) {
        writeln!(
            out,
            "\n  {} by the path{}",
            units::rate(path.rate.rate),
            retained(profile, path.node),
        )?;
        path_text::write(profile, path.node, out)?;
    }
    for &(node, amount) in finding.lost_sites().iter().take(PATHS) {
        writeln!(
            out,
            "\n  {} by the path{}",
            graph_words::amount(amount),
            retained(profile, node),
        )?;
        path_text::write(profile, node, out)?;
    }
    let paths = finding.paths.len().max(finding.lost_sites().len());
    match paths.saturating_sub(PATHS) {
        0 => Ok(()),
        more => writeln!(out, "\n  and {more} more paths"),
    }
}

/// The type that a site retains, behind what it is said of.
fn retained(profile: &Profile, site: NodeId) -> String {
    let retained = words::retained(profile, site);
    retained.map_or(String::new(), |retained| format!(", {retained}"))
}
