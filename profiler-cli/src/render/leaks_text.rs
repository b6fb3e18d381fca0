//! `heaplens leaks` for people.

use std::io::{self, Write};

use heaplens::snapshot::graph::Role;

pub use super::graph_words::title;
use super::graph_words::{self as words, UNSEEN};
use super::{escape::printable, path_text, table, units};
use crate::analysis::heap_graph::HeapGraph;
use crate::analysis::heap_graph::reach::Verdict;
use crate::analysis::heap_graph::shapes::{Member, Shape};
use crate::profile::Profile;

/// Members of a shape in the table, and those whose stacks are shown.
const MEMBERS: usize = 8;
const STACKS: usize = 3;
/// Kinds of pointers shown.
const LINKS: usize = 6;
/// Characters in a line.
const WIDTH: usize = 100;

/// Writes the totals and at most `rows` shapes.
pub fn write(
    profile: &Profile,
    graph: &HeapGraph,
    rows: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (verdict, meaning) = words::verdict(graph);
    writeln!(out, "{verdict}  {meaning}\n")?;
    totals(graph, out)?;
    about(graph, out)?;
    for shape in graph.shapes.iter().take(rows) {
        self::shape(profile, shape, out)?;
    }
    if let Some(more @ 1..) = graph.shapes.len().checked_sub(rows) {
        writeln!(out, "\n{more} more: -n 0 shows all")?;
    }
    if let Some(left_out) = words::left_out(&graph.left_out) {
        writeln!(out, "\n{left_out}")?;
    }
    writeln!(out)?;
    for line in wrapped(UNSEEN) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn totals(graph: &HeapGraph, out: &mut dyn Write) -> io::Result<()> {
    let all = graph.totals.all();
    let mut lines = vec![
        ["share", "live", "blocks", "pointers"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for verdict in Verdict::ALL {
        let amount = graph.totals.of(verdict);
        lines.push(vec![
            words::share(amount, all),
            units::unsigned_bytes(amount.bytes),
            units::unsigned_count(amount.blocks),
            verdict.name().to_owned(),
        ]);
    }
    table::write(&lines, out)
}

/// Which program it is of, and what the scan cost.
fn about(graph: &HeapGraph, out: &mut dyn Write) -> io::Result<()> {
    let header = &graph.source.header;
    let program = &header.program;
    let name = program.executable.rsplit('/').next().unwrap_or_default();
    writeln!(
        out,
        "\n{} pid {} on {}, {}",
        printable(name),
        program.pid,
        printable(&program.host),
        units::time(&header.taken),
    )?;
    writeln!(out, "{}", words::scan(&graph.scan))
}

fn shape(profile: &Profile, shape: &Shape, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", words::title(profile, shape))?;
    let mut lines = Vec::new();
    for member in shape.members.iter().take(MEMBERS) {
        lines.push(vec![
            String::new(),
            units::unsigned_bytes(member.amount.bytes),
            units::unsigned_count(member.amount.blocks),
            words::role(member.role).to_owned(),
            words::described(profile, &member.label),
        ]);
    }
    table::write(&lines, out)?;
    if let Some(more @ 1..) = shape.members.len().checked_sub(MEMBERS) {
        writeln!(out, "  and {more} more hang on it")?;
    }
    for link in shape.links.iter().take(LINKS) {
        let label = |place: usize| words::label(profile, &shape.members[place].label);
        writeln!(
            out,
            "  {} → {}: {} {}",
            label(link.from),
            label(link.to),
            units::unsigned_count(link.count),
            words::offset(link.offset),
        )?;
    }
    // What it begins with tells most.
    let members = shape.members.iter();
    let told =
        members.filter(|member| member.role != Role::Hanging || shape.members.len() < STACKS);
    for member in told.take(STACKS) {
        stack(profile, member, out)?;
    }
    Ok(())
}

/// Where most of a member is allocated.
fn stack(profile: &Profile, member: &Member, out: &mut dyn Write) -> io::Result<()> {
    let Some(&(node, amount)) = member.sites.first() else {
        return Ok(());
    };
    let more = match member.sites.len() {
        1 => String::new(),
        paths => format!(", and {} more paths", paths - 1),
    };
    let label = words::label(profile, &member.label);
    writeln!(
        out,
        "\n  {label}, {} by the path{more}",
        words::amount(amount)
    )?;
    path_text::write(profile, node, out)
}

/// A text in lines.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        match line.chars().count() + word.chars().count() {
            0..WIDTH if !line.is_empty() => *line = format!("{line} {word}"),
            _ if line.is_empty() => line.push_str(word),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
