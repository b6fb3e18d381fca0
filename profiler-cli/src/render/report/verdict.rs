//! The first screen: what leaks, how much, since when, which code, which type, and when the limit is
//! reached; or that nothing is accused.

use std::io::{self, Write};

use rustc_hash::FxHashSet;

use super::html::{Name, Place, Text};
use crate::analysis::suspects::program::{Limit, limit, program};
use crate::analysis::suspects::{Class, Finding, Suspects};
use crate::profile::{FunctionId, NodeId, Origin};
use crate::render::reasons::{confidence, losses, percent};
use crate::render::words::{self, SECONDS_A_DAY};
use crate::render::{place, units};

/// Leaks that are named beside the first one.
const MORE_LEAKS: usize = 4;

/// Writes the verdict.
pub(super) fn write(
    suspects: &Suspects<'_>,
    given_limit: Option<u64>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let program = program(suspects);
    let limit = limit(suspects, program.as_ref(), given_limit);
    match words::no_leak(suspects) {
        None => leaks(suspects, limit.as_ref(), out)?,
        Some((verdict, meaning)) => {
            let class = if verdict == "NO LEAK" {
                "fine"
            } else {
                "unsure"
            };
            writeln!(
                out,
                "<p class=\"word {class}\">{verdict}</p><h1>{}</h1>",
                sentence(&meaning)
            )?;
            writeln!(out, "<dl class=\"facts\">")?;
            held(suspects, out)?;
            if let Some(limit) = &limit {
                limit_fact(limit, out)?;
            }
            writeln!(out, "</dl>")?;
        }
    }
    if let Some(program) = &program {
        let text = words::program(program);
        writeln!(out, "<p class=\"process\">Process: {}.</p>", Text(text))?;
    }
    for loss in losses(suspects) {
        writeln!(out, "<p class=\"loss\">Lost: {}.</p>", Text(loss))?;
    }
    Ok(())
}

fn leaks(suspects: &Suspects<'_>, limit: Option<&Limit>, out: &mut dyn Write) -> io::Result<()> {
    let profile = &suspects.history.profile;
    let mut leaks = suspects.of(Class::Leak);
    let Some(first) = leaks.next() else {
        return Ok(());
    };
    write!(
        out,
        "<p class=\"word leak\">LEAK</p><h1>{}",
        Name(profile.name(first.node))
    )?;
    if let Some(retained) = words::retained(profile, first.site()) {
        write!(
            out,
            " <span class=\"keeps\">keeps</span> {}",
            Name(retained)
        )?;
    }
    writeln!(out, "</h1>")?;
    if let Some(place) = place::at(profile, first.node) {
        writeln!(out, "<p class=\"at\">{}</p>", Place(place))?;
    }
    writeln!(out, "<dl class=\"facts\">")?;
    if !first.is_by_graph_alone {
        fact(
            out,
            "Leaks",
            &units::rate(first.rate.rate),
            &format!(
                "{} a day",
                units::bytes((first.rate.rate * SECONDS_A_DAY) as i64)
            ),
        )?;
        since(suspects, first, out)?;
        fact(
            out,
            "Confidence",
            &percent(confidence(suspects, first)),
            &format!("{} snapshots", suspects.times.len()),
        )?;
    }
    lost(suspects, first, out)?;
    if let Some(limit) = limit {
        limit_fact(limit, out)?;
    }
    writeln!(out, "</dl>")?;
    let more: Vec<&Finding> = leaks.collect();
    if !more.is_empty() {
        together(suspects, out)?;
        write!(out, "<ul class=\"more\">")?;
        for leak in more.iter().take(MORE_LEAKS) {
            let retained = words::retained(profile, leak.site());
            let rate = units::rate(leak.rate.rate);
            write!(
                out,
                "<li>also {}{}: {}</li>",
                Name(profile.name(leak.node)),
                retained.map_or(String::new(), |retained| format!(
                    " keeps {}",
                    Name(retained)
                )),
                Text(words::how_much(suspects, leak, &rate)),
            )?;
        }
        if let Some(more @ 1..) = more.len().checked_sub(MORE_LEAKS) {
            write!(out, "<li>and {more} more</li>")?;
        }
        writeln!(out, "</ul>")?;
    }
    Ok(())
}

/// Several owners that leak are often one mistake further out.
fn together(suspects: &Suspects<'_>, out: &mut dyn Write) -> io::Result<()> {
    let profile = &suspects.history.profile;
    write!(out, "<p>{} owners leak", suspects.of(Class::Leak).count())?;
    if suspects.growing().nth(1).is_some() {
        write!(out, " {} together", units::rate(suspects.leak_rate()))?;
    }
    if let Some(caller) = common_caller(suspects) {
        write!(out, ", all of it through {}", Name(profile.name(caller)))?;
        if let Some(place) = place::at(profile, caller) {
            write!(out, " {}", Place(place))?;
        }
    }
    writeln!(out, ".</p>")
}

/// The innermost function of the user's own code that all leaking paths lead through.
fn common_caller(suspects: &Suspects<'_>) -> Option<NodeId> {
    let profile = &suspects.history.profile;
    let function = |node: NodeId| profile.frame(node).function;
    let paths = suspects.of(Class::Leak).flat_map(|leak| {
        leak.sites()
            .chain((leak.site() == leak.node).then_some(leak.node))
    });
    let mut common: Option<FxHashSet<FunctionId>> = None;
    for path in paths {
        let stack: FxHashSet<FunctionId> = profile.tree().stack(path).map(function).collect();
        common = Some(match common {
            None => stack,
            Some(common) => common.intersection(&stack).copied().collect(),
        });
    }
    let common = common?;
    let first = suspects.of(Class::Leak).next()?;
    let mut callers = profile.tree().stack(first.site());
    callers.find(|&node| {
        common.contains(&function(node)) && profile.frames().origin(function(node)) == Origin::Own
    })
}

/// What no pointer was found to.
fn lost(suspects: &Suspects<'_>, leak: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let (Some(graph), Some(owner)) = (&suspects.history.graph, &leak.reach) else {
        return Ok(());
    };
    let unreached = leak.unreached();
    if unreached.blocks == 0 {
        return Ok(());
    }
    let value = units::unsigned_bytes(unreached.bytes);
    let blocks = units::unsigned_count(unreached.blocks);
    let all = units::unsigned_count(owner.reach.all().blocks);
    fact(
        out,
        "No pointer found to",
        &value,
        &format!("{blocks} of its {all} blocks"),
    )?;
    match leak.is_by_graph_alone {
        true => fact(
            out,
            "By a scan of the heap",
            &units::time(&graph.source.header.taken),
            "no trend shows it so far",
        ),
        false => Ok(()),
    }
}

fn since(suspects: &Suspects<'_>, leak: &Finding, out: &mut dyn Write) -> io::Result<()> {
    let snapshot = |at: usize| &suspects.history.snapshots[suspects.used[at]].header;
    let (Some(at), Some(last)) = (
        suspects.grows_since(leak),
        suspects.used.len().checked_sub(1),
    ) else {
        return Ok(());
    };
    let (from, to) = (snapshot(at), snapshot(last));
    let grown = leak.live[last].saturating_sub(leak.live[at]);
    let [time, newest] = [from, to].map(|header| units::time(&header.taken));
    // The day of the newest snapshot stands at the top of the page.
    let clock = match (time.split_once(' '), newest.split_once(' ')) {
        (Some((day, clock)), Some((today, _))) if day == today => clock,
        _ => &time,
    };
    fact(
        out,
        "Grows since",
        clock,
        &format!(
            "{} in {}",
            units::change(grown),
            units::span(to.uptime_ms.saturating_sub(from.uptime_ms))
        ),
    )
}

fn limit_fact(limit: &Limit, out: &mut dyn Write) -> io::Result<()> {
    let (used, reached) = words::limit(limit);
    let seconds = limit
        .reached_in_seconds
        .filter(|_| limit.used < limit.bytes);
    let Some(seconds) = seconds.filter(|&seconds| seconds < 1_000.0 * SECONDS_A_DAY) else {
        let reached = reached.unwrap_or_else(|| "nothing leaks towards it".to_owned());
        return fact(out, "Limit", &used, &reached);
    };
    let milliseconds = (seconds * 1_000.0) as u64;
    let minute = limit.taken_unix_ms.saturating_add(milliseconds) / 60_000;
    let (hour, minute) = (minute / 60 % 24, minute % 60);
    fact(
        out,
        "Limit reached in",
        &units::span(milliseconds),
        &format!("at about {hour:02}:{minute:02} UTC; {used}"),
    )
}

/// What the program holds, where nothing leaks.
fn held(suspects: &Suspects<'_>, out: &mut dyn Write) -> io::Result<()> {
    let snapshots = &suspects.history.snapshots;
    // At its end a program frees what it held.
    let newest = suspects.used.last().map(|&at| &snapshots[at]);
    let Some(newest) = newest.or(snapshots.last()) else {
        return Ok(());
    };
    let header = &newest.header;
    let blocks = format!("{} blocks", units::count(header.totals.live_count));
    fact(
        out,
        "Live memory",
        &units::bytes(header.totals.live_bytes),
        &blocks,
    )?;
    match header.memory.rss_bytes {
        Some(bytes) => fact(
            out,
            "Resident",
            &units::unsigned_bytes(bytes),
            "RSS of the process",
        ),
        None => Ok(()),
    }
}

fn fact(out: &mut dyn Write, name: &str, value: &str, more: &str) -> io::Result<()> {
    writeln!(
        out,
        "<div><dt>{}</dt><dd><b>{}</b><span>{}</span></dd></div>",
        Text(name),
        Text(value),
        Text(more)
    )
}

/// With a capital at its start.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    Text(first.chain(letters).collect::<String>()).to_string()
}
