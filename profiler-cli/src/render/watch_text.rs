//! `heaplens watch`: one look as lines of text.

use heaplens::snapshot::rfc3339;

use super::escape::printable;
use super::place::named;
use super::{table, units};
use crate::analysis::watch::{Growth, View};

/// The lines of a look, with at most `rows` owners. All are safe to show.
pub fn lines(view: &View<'_>, rows: usize) -> Vec<String> {
    let mut lines = vec![program(view)];
    if let Some(up) = view.restarted_after_ms {
        lines.push(format!(
            "STARTED AGAIN: the run before was up for {}; growth counts from the first look at this one",
            units::span(up)
        ));
    }
    lines.extend(memory(view));
    lines.push(String::new());
    lines.extend(owners(view, rows));
    lines
}

/// A line for a look that has failed.
pub fn failure(error: &str, since_unix_ms: u64) -> String {
    let since = units::time(&rfc3339(since_unix_ms));
    format!("NOT SEEN since {since}: {error}")
}

fn program(view: &View<'_>) -> String {
    let (header, program) = (view.header, &view.header.program);
    let name = program.executable.rsplit('/').next().unwrap_or_default();
    let mut text = match name.is_empty() {
        true => "program".to_owned(),
        false => printable(name).into_owned(),
    };
    if program.pid > 0 {
        text += &format!(" pid {} on {}", program.pid, printable(&program.host));
    }
    text += &format!(", up {}", units::span(header.uptime_ms));
    if header.taken_unix_ms > 0 {
        text += &format!(", seen {}", units::time(&header.taken));
    }
    text
}

fn memory(view: &View<'_>) -> Vec<String> {
    let (header, rates) = (view.header, &view.rates);
    let (totals, memory) = (&header.totals, &header.memory);
    let rate = |rate: Option<f64>| rate.map_or(String::new(), units::rate);
    let line = |what: &str, bytes: String, rate: String, more: String| {
        format!("{what:<10} {bytes:>11}  {rate:>16}  {more}")
            .trim_end()
            .to_owned()
    };
    let mut lines = vec![
        line(
            "live",
            units::bytes(totals.live_bytes),
            rate(rates.map(|rates| rates.live)),
            format!("in {} blocks", units::count(totals.live_count)),
        ),
        line(
            "allocated",
            units::unsigned_bytes(totals.total_bytes),
            rate(rates.map(|rates| rates.allocated)),
            String::new(),
        ),
    ];
    if let Some(resident) = memory.rss_bytes {
        lines.push(line(
            "resident",
            units::unsigned_bytes(resident),
            rate(rates.and_then(|rates| rates.resident)),
            String::new(),
        ));
    }
    if let (Some(usage), Some(limit)) = (memory.cgroup_usage_bytes, memory.cgroup_limit_bytes) {
        let number = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        let share = units::share(number(usage), number(limit));
        lines.push(line(
            "limit",
            units::unsigned_bytes(limit),
            String::new(),
            format!("{} used, {share}", units::unsigned_bytes(usage)),
        ));
    }
    lines
}

fn owners(view: &View<'_>, rows: usize) -> Vec<String> {
    let watched = units::span(view.watched_ms);
    if view.watched_ms == 0 {
        return vec!["Owners that grow show from the second look on.".to_owned()];
    }
    if view.owners.is_empty() {
        return vec![format!("No owner has grown in {watched}.")];
    }
    let growing = format!("growth in {watched}");
    let mut cells = vec![
        [&*growing, "rate", "live", "owner"]
            .map(str::to_owned)
            .to_vec(),
    ];
    cells.extend(view.owners.iter().take(rows).map(|owner: &Growth| {
        vec![
            units::change(owner.growth_bytes),
            units::rate(owner.bytes_per_second),
            units::bytes(owner.live_bytes),
            named(view.profile, owner.node),
        ]
    }));
    let mut text = Vec::new();
    // Writing to memory does not fail.
    let _ = table::write(&cells, &mut text);
    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Some(more @ 1..) = view.owners.len().checked_sub(rows) {
        lines.push(format!("{more} more owners have grown"));
    }
    lines
}
