//! `heaplens suspects` for people: the verdict, a table, and for each suspect its reasons.

use std::io::{self, Write};

use super::heading::mode;
use super::place::named;
use super::reasons::{confidence, losses, percent, reasons};
use super::{escape::printable, path_text, table, units};
use crate::analysis::suspects::judge::LEAST_SNAPSHOTS;
use crate::analysis::suspects::program::{Diagnosis, Limit, Program, Quantity, limit, program};
use crate::analysis::suspects::{Class, Finding, Suspects};
use crate::profile::{NodeId, Profile, is_imported};

/// Leaks that the verdict names.
const NAMED: usize = 3;
/// Paths shown of each suspect.
const PATHS: usize = 2;
const SECONDS_A_DAY: f64 = 86_400.0;

/// Writes the verdict and at most `rows` owners. `given_limit` is a memory limit in bytes.
pub fn write(
    suspects: &Suspects<'_>,
    given_limit: Option<u64>,
    rows: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    verdict(suspects, out)?;
    if let Some(limit) = limit(suspects, given_limit) {
        writeln!(out, "{}", limit_line(&limit))?;
    }
    if let Some(program) = program(suspects) {
        writeln!(out, "{}", program_line(&program))?;
    }
    writeln!(out)?;
    about(suspects, out)?;
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
        writeln!(
            out,
            "LEAK  {}{}: {}, {} a day, {} sure",
            printable(profile.name(finding.node)),
            retained(profile, finding.site()),
            units::rate(finding.rate.rate),
            units::bytes((finding.rate.rate * SECONDS_A_DAY) as i64),
            percent(confidence(suspects, finding)),
        )?;
    }
    match leaks.count().saturating_sub(NAMED) {
        0 => {}
        more => writeln!(out, "      and {more} more")?,
    }
    let count = |class| suspects.of(class).count();
    if count(Class::Leak) > 0 {
        return Ok(());
    }
    let snapshots = suspects.times.len();
    if snapshots < LEAST_SNAPSHOTS {
        return writeln!(
            out,
            "TOO LITTLE DATA  {snapshots} of the {LEAST_SNAPSHOTS} snapshots of one run that the \
             least certain verdict needs; 8 make a good one"
        );
    }
    match count(Class::TooLittle) {
        0 => writeln!(out, "NO LEAK  nothing grows steadily without being freed"),
        few => writeln!(
            out,
            "NO LEAK SO FAR  {few} {} growing, and the snapshots are too few to tell",
            if few == 1 { "owner is" } else { "owners are" }
        ),
    }
}

fn limit_line(limit: &Limit) -> String {
    let room = format!(
        "{} of {}",
        units::unsigned_bytes(limit.used),
        units::unsigned_bytes(limit.bytes)
    );
    match limit.reached_in_seconds {
        _ if limit.used >= limit.bytes => format!("Limit: {room} is used, so it is reached."),
        None => format!("Limit: {room} is used."),
        Some(seconds) if seconds > 1000.0 * SECONDS_A_DAY => {
            format!("Limit: {room} is used; not reached within 1,000 days at this rate.")
        }
        Some(seconds) => format!(
            "Limit: {room} is used; reached {} after the newest snapshot at this rate.",
            units::span((seconds * 1000.0) as u64)
        ),
    }
}

fn program_line(program: &Program) -> String {
    let what = match program.diagnosis {
        Diagnosis::Leak => "leak: live memory of the code above grows",
        Diagnosis::LeakOrCache => {
            "leak or cache: live memory grows, and it is too early to tell which"
        }
        Diagnosis::Cache => "cache: live memory grows, and nothing of it leaks",
        Diagnosis::Fragmentation => {
            "fragmentation: the allocator keeps more and more, live memory does not grow"
        }
        Diagnosis::Untracked => {
            "untracked: resident memory grows beside the allocator (C libraries, mappings, stacks)"
        }
        Diagnosis::FragmentationOrUntracked => {
            "fragmentation or untracked memory: resident memory grows, live memory does not"
        }
        Diagnosis::Steady => "steady: memory does not grow",
    };
    let quantity = |name: &str, quantity: &Quantity| {
        format!(
            ", {name} {} ({})",
            units::bytes(quantity.last),
            units::rate(quantity.rate)
        )
    };
    let allocator = program.allocator.as_ref();
    let resident = program.resident.as_ref();
    format!(
        "Process: {what}; tracked {} ({}){}{}.",
        units::bytes(program.live.last),
        units::rate(program.live.rate),
        allocator.map_or(String::new(), |q| quantity("kept by the allocator", q)),
        resident.map_or(String::new(), |q| quantity("resident", q)),
    )
}

fn about(suspects: &Suspects<'_>, out: &mut dyn Write) -> io::Result<()> {
    let history = suspects.history;
    let Some(newest) = history.snapshots.last() else {
        return Ok(());
    };
    let program = &newest.header.program;
    let span = match suspects.times.as_slice() {
        [first, .., last] => units::span(((last - first) * 1000.0) as u64),
        _ => "no time".to_owned(),
    };
    let left_out = match suspects.warm_up {
        0 => String::new(),
        few => format!(", the first {few} left out as warm-up"),
    };
    let at_end = match history.snapshots.len() - suspects.used.len() {
        0 => String::new(),
        few => format!(", {few} at the end of the program left out"),
    };
    let name = printable(program.executable.rsplit('/').next().unwrap_or_default());
    let run = match is_imported(&newest.header) {
        true => format!("{name}, if all are of one process"),
        false => format!("{name} pid {} on {}", program.pid, printable(&program.host)),
    };
    writeln!(
        out,
        "{run}: {} snapshots over {span}{left_out}{at_end}, {}",
        suspects.times.len(),
        mode(history.profile.is_sampled()),
    )
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
        let grows = matches!(finding.class, Class::Leak | Class::TooLittle);
        lines.push(vec![
            finding.class.name().to_owned(),
            if grows {
                units::change((finding.rate.rate * SECONDS_A_DAY) as i64)
            } else {
                "-".to_owned()
            },
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
    match finding.paths.len().saturating_sub(PATHS) {
        0 => Ok(()),
        more => writeln!(out, "\n  and {more} more paths"),
    }
}

/// The type that a site retains, behind what it is said of.
fn retained(profile: &Profile, site: NodeId) -> String {
    profile
        .retained_type(site)
        .map(|retained| format!(", {}", printable(&retained)))
        .unwrap_or_default()
}
