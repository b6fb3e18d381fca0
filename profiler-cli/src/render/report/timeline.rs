//! The run as a whole: resident memory, live memory and the owners that matter, snapshot by snapshot,
//! as a chart and as a table.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::chart::{self, Scale};
use super::html::{Name, Text};
use crate::analysis::suspects::program::limit;
use crate::analysis::suspects::{Class, Suspects};
use crate::profile::Source;
use crate::render::{palette, units};

/// Owners with a line of their own: leaks first, then the largest.
const OWNERS: usize = palette::LINES.len();
/// In pixels: of the chart, of what stands above and below its lines.
const HEIGHT: f64 = 280.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;
/// Times on the axis, at most, and amounts.
const TIMES: f64 = 5.0;
const AMOUNTS: f64 = 5.0;
/// Seconds between times on the axis.
const STEPS: [f64; 20] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
    10_800.0, 21_600.0, 43_200.0, 86_400.0, 172_800.0, 604_800.0,
];
/// How far above everything else a limit may be to be drawn.
const NEAR: f64 = 1.6;

/// A line of the chart.
struct Line {
    /// Of the style sheet.
    class: String,
    /// HTML.
    name: String,
    /// One for each snapshot; none where the system did not tell.
    values: Vec<Option<i64>>,
}

/// Writes the chart, its legend and its table.
pub(super) fn write(
    suspects: &Suspects<'_>,
    given_limit: Option<u64>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let history = suspects.history;
    if history.snapshots.len() < 2 {
        return writeln!(
            out,
            "<p>One snapshot has no course: two or more show one.</p>"
        );
    }
    let lines = lines(suspects);
    write!(out, "<ul class=\"legend\">")?;
    for line in &lines {
        let last = line.values.iter().rev().find_map(|value| *value);
        write!(
            out,
            "<li><svg class=\"swatch\" aria-hidden=\"true\"><line class=\"{}\" x2=\"100%\" y1=\"50%\" \
             y2=\"50%\"/></svg>{} <b>{}</b></li>",
            line.class,
            line.name,
            last.map_or(String::new(), units::bytes),
        )?;
    }
    writeln!(out, "</ul>")?;
    chart(suspects, given_limit, &lines, out)?;
    table(suspects, &lines, out)
}

fn lines(suspects: &Suspects<'_>) -> Vec<Line> {
    let history = suspects.history;
    let of = |value: fn(&Source) -> Option<i64>| history.snapshots.iter().map(value).collect();
    let resident: Vec<Option<i64>> =
        of(|source| i64::try_from(source.header.memory.rss_bytes?).ok());
    let live = of(|source| Some(source.header.totals.live_bytes));
    let mut lines = Vec::new();
    if resident.iter().any(Option::is_some) {
        lines.push(Line {
            class: "line resident".to_owned(),
            name: "resident memory (RSS)".to_owned(),
            values: resident,
        });
    }
    lines.push(Line {
        class: "line live".to_owned(),
        name: "live memory, all".to_owned(),
        values: live,
    });
    let mut owners: Vec<_> = suspects.findings.iter().collect();
    owners.sort_by_key(|finding| {
        let largest = finding.live.iter().max().copied().unwrap_or(0);
        // Leaks keep their order.
        match finding.class {
            Class::Leak => (0, 0),
            _ => (1, -i128::from(largest)),
        }
    });
    for (at, finding) in owners.into_iter().take(OWNERS).enumerate() {
        let owner = |series: &&crate::analysis::suspects::Series| series.node == finding.node;
        let Some(series) = history.owners.iter().find(owner) else {
            continue;
        };
        let points = series.points.iter();
        lines.push(Line {
            class: format!("line owner-{at}"),
            name: Name(history.profile.name(finding.node)).to_string(),
            values: points.map(|point| Some(point.values.live_bytes)).collect(),
        });
    }
    lines
}

fn chart(
    suspects: &Suspects<'_>,
    given_limit: Option<u64>,
    lines: &[Line],
    out: &mut dyn Write,
) -> io::Result<()> {
    let times = suspects.history.seconds();
    let x = Scale::over(times.iter().copied());
    let values = || lines.iter().flat_map(|line| line.values.iter().flatten());
    let mut y = Scale::from_zero(values().map(|&value| value as f64));
    let limit = limit(suspects, given_limit).map(|limit| limit.bytes as f64);
    let limit = limit.filter(|&bytes| bytes <= y.high() * NEAR);
    y = y.up_to(limit.unwrap_or(0.0));
    let inner = HEIGHT - TOP - BOTTOM;
    let top = |value: f64| TOP + (1.0 - y.part(value)) * inner;
    let left = |time: f64| x.part(time) * 100.0;

    write!(
        out,
        "<div class=\"chart\" id=\"chart\" tabindex=\"0\" role=\"group\" aria-label=\"Memory over time; \
         arrow keys go from snapshot to snapshot, a table follows\"><svg height=\"{HEIGHT}\" \
         aria-hidden=\"true\">"
    )?;
    if let Some(&end) = suspects
        .times
        .get(suspects.warm_up)
        .filter(|_| suspects.warm_up > 0)
    {
        write!(
            out,
            "<rect class=\"warm-up\" y=\"{TOP}\" width=\"{:.3}%\" height=\"{inner}\"/>\
             <text class=\"note\" x=\"6\" y=\"{}\">warm-up</text>",
            left(end),
            HEIGHT - BOTTOM - 8.0,
        )?;
    }
    let bytes = (0..63).map(|power| 2_f64.powi(power));
    for tick in y.ticks(chart::step(y.high() - y.low(), AMOUNTS, bytes)) {
        let at = top(tick);
        write!(
            out,
            "<line class=\"grid\" x2=\"100%\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"amount\" x=\"100%\" y=\"{:.1}\">{}</text>",
            at - 4.0,
            units::bytes(tick as i64),
        )?;
    }
    for tick in x.ticks(chart::step(x.high() - x.low(), TIMES, STEPS)) {
        let at = left(tick);
        let anchor = if at < 4.0 {
            "start"
        } else if at > 96.0 {
            "end"
        } else {
            "middle"
        };
        write!(
            out,
            "<text class=\"time\" x=\"{at:.3}%\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            HEIGHT - 6.0,
            units::span((tick.max(0.0) * 1_000.0) as u64),
        )?;
    }
    if let Some(limit) = limit {
        let at = top(limit);
        write!(
            out,
            "<line class=\"limit\" x2=\"100%\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"note\" x=\"6\" y=\"{:.1}\">limit</text>",
            at + 14.0,
        )?;
    }
    if let Some(since) = since(suspects) {
        let at = left(since);
        write!(
            out,
            "<line class=\"since\" x1=\"{at:.3}%\" x2=\"{at:.3}%\" y1=\"{TOP}\" y2=\"{}\"/>",
            HEIGHT - BOTTOM,
        )?;
        // On the side where there is room.
        let (anchor, shift) = if at > 70.0 { ("end", -6) } else { ("start", 6) };
        write!(
            out,
            "<svg x=\"{at:.3}%\" overflow=\"visible\"><text class=\"note\" x=\"{shift}\" y=\"{}\" \
             text-anchor=\"{anchor}\">grows since here</text></svg>",
            TOP + 12.0,
        )?;
    }
    write!(
        out,
        "<svg y=\"{TOP}\" width=\"100%\" height=\"{inner}\" viewBox=\"0 0 1000 1000\" \
         preserveAspectRatio=\"none\" overflow=\"visible\">"
    )?;
    for line in lines.iter().rev() {
        let known = times.iter().zip(&line.values);
        let known = known.filter_map(|(&time, value)| Some((time, (*value)? as f64)));
        write!(
            out,
            "<polyline class=\"{}\" points=\"{}\"/>",
            line.class,
            chart::points(x, y, known)
        )?;
    }
    writeln!(
        out,
        "</svg></svg><div id=\"cursor\" hidden></div><div id=\"values\" role=\"status\" hidden></div></div>"
    )
}

/// Since when the first leak grows, in seconds since the start.
fn since(suspects: &Suspects<'_>) -> Option<f64> {
    let leak = suspects.of(Class::Leak).next()?;
    suspects.times.get(suspects.grows_since(leak)?).copied()
}

/// The same numbers; the script shows them beside the cursor.
fn table(suspects: &Suspects<'_>, lines: &[Line], out: &mut dyn Write) -> io::Result<()> {
    let history = suspects.history;
    let times = history.seconds();
    let x = Scale::over(times.iter().copied());
    let mut head = String::new();
    for line in lines {
        let _ = write!(head, "<th scope=\"col\">{}</th>", line.name);
    }
    writeln!(
        out,
        "<details><summary>As a table: {} snapshots</summary><div class=\"scroll\"><table \
         id=\"timeline-table\"><thead><tr><th scope=\"col\">taken</th><th scope=\"col\">after \
         start</th>{head}</tr></thead><tbody>",
        times.len(),
    )?;
    for (at, source) in history.snapshots.iter().enumerate() {
        write!(
            out,
            "<tr data-part=\"{:.5}\"><th scope=\"row\">{}</th><td>{}</td>",
            x.part(times[at]),
            Text(units::time(&source.header.taken)),
            units::span(source.header.uptime_ms),
        )?;
        for line in lines {
            let value = line.values[at].map_or("-".to_owned(), units::bytes);
            write!(out, "<td>{value}</td>")?;
        }
        writeln!(out, "</tr>")?;
    }
    writeln!(out, "</tbody></table></div></details>")
}
