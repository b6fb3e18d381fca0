//! The suspects with their reasons and stacks, and all owners that were judged.

use std::io::{self, Write};

use super::chart::sparkline;
use super::html::{Name, Place, Text};
use crate::analysis::suspects::{Class, Finding, Suspects};
use crate::profile::{NodeId, Profile};
use crate::render::path_text::{self, Line};
use crate::render::reasons::reasons;
use crate::render::words::{growth_a_day, retained};
use crate::render::{graph_words, place, units};

/// Suspects that are explained, and paths of each.
const EXPLAINED: usize = 8;
const PATHS: usize = 3;
/// Owners in the table.
const ROWS: usize = 40;

/// Writes the suspects, the weightiest first, and the table of all owners.
pub(super) fn write(suspects: &Suspects<'_>, out: &mut dyn Write) -> io::Result<()> {
    let explained = |finding: &&Finding| matches!(finding.class, Class::Leak | Class::TooLittle);
    let mut any = false;
    for finding in suspects.findings.iter().filter(explained).take(EXPLAINED) {
        any = true;
        suspect(suspects, finding, out)?;
    }
    if !any {
        writeln!(out, "<p>Nobody is suspected.</p>")?;
    }
    table(suspects, out)
}

fn suspect(suspects: &Suspects<'_>, finding: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let profile = &suspects.history.profile;
    writeln!(
        out,
        "<article><header>{} <h3>{}</h3> {}</header>",
        badge(finding.class),
        Name(profile.name(finding.node)),
        show_button(profile, finding.node),
    )?;
    write!(out, "<p class=\"at\">")?;
    if let Some(place) = place::at(profile, finding.node) {
        write!(out, "{}", Place(place))?;
    }
    if let Some(retained) = retained(profile, finding.site()) {
        write!(
            out,
            " <span class=\"keeps\">keeps</span> {}",
            Name(retained)
        )?;
    }
    writeln!(
        out,
        "</p><div class=\"course\">{}</div>",
        line(suspects, finding)
    )?;
    write!(out, "<ul class=\"reasons\">")?;
    for reason in reasons(suspects, finding) {
        write!(out, "<li>{}</li>", Text(reason))?;
    }
    writeln!(out, "</ul>")?;
    let lost = finding.lost_sites();
    if finding.paths.is_empty() && lost.is_empty() {
        stack(profile, finding.node, out)?;
    }
    for path in finding.paths.iter().take(PATHS) {
        write!(
            out,
            "<p class=\"path\">{} by the path",
            units::rate(path.rate.rate)
        )?;
        if let Some(retained) = retained(profile, path.node) {
            write!(out, ", {}", Name(retained))?;
        }
        writeln!(out, "</p>")?;
        stack(profile, path.node, out)?;
    }
    for &(node, amount) in lost.iter().take(PATHS) {
        let amount = graph_words::amount(amount);
        writeln!(out, "<p class=\"path\">{amount} by the path</p>")?;
        stack(profile, node, out)?;
    }
    let paths = finding.paths.len().max(lost.len());
    if let Some(more @ 1..) = paths.checked_sub(PATHS) {
        writeln!(out, "<p>and {more} more paths</p>")?;
    }
    writeln!(out, "</article>")
}

/// Its live bytes over the snapshots that count, and from where to where they went.
fn line(suspects: &Suspects<'_>, finding: &Finding) -> String {
    let live = |at: Option<&i64>| units::bytes(at.copied().unwrap_or(0));
    let class = if finding.class == Class::Leak {
        "leak"
    } else {
        ""
    };
    format!(
        "<span>{}</span>{}<span>{}</span>",
        live(finding.live.first()),
        sparkline(&suspects.times, &finding.live, class),
        live(finding.live.last()),
    )
}

fn badge(class: Class) -> String {
    let style = match class {
        Class::Leak => "leak",
        Class::TooLittle => "unsure",
        Class::Sawtooth | Class::Warming | Class::Stable => "fine",
    };
    format!("<span class=\"badge {style}\">{}</span>", class.name())
}

/// Looks for a function in the flamegraph.
fn show_button(profile: &Profile, node: NodeId) -> String {
    format!(
        "<button type=\"button\" data-function=\"{}\">Show in the flamegraph</button>",
        Text(profile.name(node))
    )
}

/// The frames around the owner of a stack.
pub(super) fn stack(profile: &Profile, node: NodeId, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "<ol class=\"stack\">")?;
    for line in path_text::lines(profile, node) {
        match line {
            Line::More { count, of } => write!(out, "<li class=\"more\">… {count} {of}</li>")?,
            Line::Frame {
                node,
                calls,
                is_owner,
            } => {
                let class = if is_owner { " class=\"owner\"" } else { "" };
                write!(out, "<li{class}>{}", Name(profile.name(node)))?;
                if calls > 1 {
                    write!(out, " ×{calls}")?;
                }
                if let Some(place) = place::at(profile, node) {
                    write!(out, " {}", Place(place))?;
                }
                write!(out, "</li>")?;
            }
        }
    }
    writeln!(out, "</ol>")
}

fn table(suspects: &Suspects<'_>, out: &mut dyn Write) -> io::Result<()> {
    let profile = &suspects.history.profile;
    if suspects.findings.is_empty() {
        return writeln!(
            out,
            "<p>None of {} owners moved or holds much.</p>",
            suspects.quiet
        );
    }
    writeln!(
        out,
        "<h3>All owners that moved or hold much</h3><div class=\"scroll\"><table id=\"owners\"><thead>\
         <tr><th scope=\"col\">verdict</th><th scope=\"col\">growth a day</th><th \
         scope=\"col\">live</th><th scope=\"col\">course</th><th scope=\"col\">owner</th></tr></thead>\
         <tbody>"
    )?;
    for finding in suspects.findings.iter().take(ROWS) {
        let class = if finding.class == Class::Leak {
            "leak"
        } else {
            ""
        };
        write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}",
            badge(finding.class),
            growth_a_day(finding),
            units::bytes(finding.live.last().copied().unwrap_or(0)),
            sparkline(&suspects.times, &finding.live, class),
            Name(profile.name(finding.node)),
        )?;
        if let Some(place) = place::at(profile, finding.node) {
            write!(out, " {}", Place(place))?;
        }
        writeln!(out, "</td></tr>")?;
    }
    write!(out, "</tbody></table></div><p>")?;
    if let Some(more @ 1..) = suspects.findings.len().checked_sub(ROWS) {
        write!(
            out,
            "{more} more are in <code>heaplens suspects -n 0</code>. "
        )?;
    }
    writeln!(
        out,
        "{} more owners did not move and hold little.</p>",
        suspects.quiet
    )
}
