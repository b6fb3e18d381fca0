//! What pointers lead to, where a snapshot has a graph of the heap: how much by verdict, and what is lost,
//! drawn.

use std::io::{self, Write};

use super::html::{Name, Place, Text};
use super::shape;
use super::suspects::stack;
use crate::analysis::heap_graph::HeapGraph;
use crate::analysis::heap_graph::reach::{Amount, Verdict};
use crate::analysis::heap_graph::shapes::{Member, Shape};
use crate::profile::Profile;
use crate::render::graph_words::{self as words, UNSEEN};
use crate::render::{place, units};

/// Shapes that are drawn, and those that are named beside.
const DRAWN: usize = 6;
const NAMED: usize = 40;
/// Members in the table of a shape.
const MEMBERS: usize = 20;
/// What the bar measures, and the least part of it that is seen.
const BAR: f64 = 1_000.0;
const LEAST: f64 = 4.0;

/// Writes the section; nothing without a graph.
pub(super) fn write(
    profile: &Profile,
    graph: Option<&HeapGraph>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(graph) = graph else { return Ok(()) };
    let (verdict, meaning) = words::verdict(graph);
    writeln!(
        out,
        "<section id=\"pointers\" aria-labelledby=\"pointers-title\">\n\
         <h2 id=\"pointers-title\">What pointers lead to</h2>\n\
         <p><b>{}</b> {}.</p>",
        Text(sentence(verdict)),
        Text(meaning)
    )?;
    bar(graph, out)?;
    writeln!(
        out,
        "<p class=\"process\">Of the snapshot of {}: {}.</p>",
        Text(units::time(&graph.source.header.taken)),
        Text(words::scan(&graph.scan))
    )?;
    for shape in graph.shapes.iter().take(DRAWN) {
        self::shape(profile, shape, out)?;
    }
    more(profile, graph, out)?;
    writeln!(
        out,
        "<details><summary>What no scan can see</summary><p>{}</p></details>\n</section>",
        Text(UNSEEN)
    )
}

/// Of words in capitals, only the first letter.
fn sentence(words: &str) -> String {
    let lower = words.to_lowercase();
    let mut letters = lower.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "held",
        Verdict::Foreign => "foreign",
        Verdict::Unreached => "unreached",
    }
}

/// Bytes by verdict.
fn bar(graph: &HeapGraph, out: &mut dyn Write) -> io::Result<()> {
    let all = graph.totals.all();
    let parts = Verdict::ALL.map(|verdict| (verdict, graph.totals.of(verdict)));
    let label = |(verdict, amount): (Verdict, Amount)| {
        let amount_text = words::amount(amount);
        format!(
            "{}: {amount_text}, {}",
            verdict.name(),
            words::share(amount, all)
        )
    };
    write!(
        out,
        "<svg class=\"reach\" viewBox=\"0 0 {BAR} 10\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{}\">",
        Text(parts.map(label).join("; "))
    )?;
    let mut left = 0.0;
    for (verdict, amount) in parts {
        if amount.bytes == 0 {
            continue;
        }
        let part = amount.bytes as f64 / all.bytes.max(1) as f64 * BAR;
        // What is little is seen, and the bar ends at its end.
        let width = part.max(LEAST).min(BAR - left);
        let left_at = left.min(BAR - LEAST);
        write!(
            out,
            "<rect class=\"{}\" x=\"{left_at:.1}\" y=\"0\" width=\"{:.1}\" height=\"10\"/>",
            class(verdict),
            width.max(LEAST)
        )?;
        left += width;
    }
    write!(out, "</svg><ul class=\"legend\">")?;
    for (verdict, amount) in parts {
        write!(
            out,
            "<li><i class=\"key {}\"></i>{}</li>",
            class(verdict),
            Text(label((verdict, amount)))
        )?;
    }
    writeln!(out, "</ul>")
}

fn shape(profile: &Profile, shape: &Shape, out: &mut dyn Write) -> io::Result<()> {
    let kind = if shape.is_cycle { "cycle" } else { "forgotten" };
    let title = words::title(profile, shape);
    let title = title
        .split_once(": ")
        .map_or(title.as_str(), |(_, rest)| rest);
    writeln!(
        out,
        "<article><header><span class=\"badge leak\">{kind}</span> <h3>{}</h3></header>",
        Text(title)
    )?;
    let (picture, left_out) = shape::svg(profile, shape);
    writeln!(out, "<div class=\"picture\">{picture}</div>")?;
    if left_out > 0 {
        writeln!(
            out,
            "<p>and {left_out} more kinds of blocks that are not drawn</p>"
        )?;
    }
    writeln!(
        out,
        "<details><summary>Where they are allocated</summary><div class=\"scroll\"><table><thead><tr>\
         <th scope=\"col\">bytes</th><th scope=\"col\">blocks</th><th scope=\"col\">part</th><th \
         scope=\"col\">what and where</th></tr></thead><tbody>"
    )?;
    for member in shape.members.iter().take(MEMBERS) {
        row(profile, member, out)?;
    }
    writeln!(out, "</tbody></table></div>")?;
    for member in shape.heads() {
        let Some(&(node, amount)) = member.sites.first() else {
            continue;
        };
        writeln!(
            out,
            "<p class=\"path\">{}: {} by the path</p>",
            Text(words::label(profile, &member.label)),
            words::amount(amount)
        )?;
        stack(profile, node, out)?;
    }
    writeln!(out, "</details></article>")
}

fn row(profile: &Profile, member: &Member, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>",
        units::unsigned_bytes(member.amount.bytes),
        units::unsigned_count(member.amount.blocks),
        words::role(member.role),
    )?;
    if let Some(retained) = &member.label.retained {
        write!(out, "{} by ", Name(retained))?;
    }
    write!(out, "{}", Name(profile.name(member.label.owner)))?;
    if let Some(place) = place::at(profile, member.label.owner) {
        write!(out, " {}", Place(place))?;
    }
    writeln!(out, "</td></tr>")
}

/// The shapes that are not drawn.
fn more(profile: &Profile, graph: &HeapGraph, out: &mut dyn Write) -> io::Result<()> {
    let rest = graph.shapes.get(DRAWN..).unwrap_or_default();
    let left_out = words::left_out(&graph.left_out);
    if rest.is_empty() && left_out.is_none() {
        return Ok(());
    }
    write!(out, "<ul class=\"more\">")?;
    for shape in rest.iter().take(NAMED) {
        write!(out, "<li>{}</li>", Text(words::title(profile, shape)))?;
    }
    if let Some(more @ 1..) = rest.len().checked_sub(NAMED) {
        write!(
            out,
            "<li>{more} more are in <code>heaplens leaks -n 0</code></li>"
        )?;
    }
    if let Some(left_out) = left_out {
        write!(out, "<li>{}</li>", Text(left_out))?;
    }
    writeln!(out, "</ul>")
}
