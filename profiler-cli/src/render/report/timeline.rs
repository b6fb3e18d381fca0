//! The run as a whole: resident memory, live memory and the owners that matter, snapshot by snapshot,
//! as a chart and as a table.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::chart::{self, Scale};
use super::html::{Name, Text};
use crate::analysis::suspects::program::limit_bytes;
use crate::analysis::suspects::{Class, Series, Suspects};
use crate::profile::Source;
use crate::render::{palette, units};

/// Owners with a line of their own: leaks first, then the largest.
const OWNERS: usize = palette::LINES.len();
/// In pixels: of the chart, of what stands above and below its lines.
const HEIGHT: f64 = 280.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 24.0;
const INNER: f64 = HEIGHT - TOP - BOTTOM;
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
        let last = suspects.used.last().and_then(|&at| line.values[at]);
        write!(
            out,
            "<li><svg class=\"swatch\" aria-hidden=\"true\"><line class=\"{}\" x2=\"100%\" y1=\"50%\" \
             y2=\"50%\"/></svg>{} <b>{}</b></li>",
            line.class,
            line.name,
            last.map_or(String::new(), units::bytes),
        )?;
    }
    if warm_up(suspects).is_some() {
        write!(
            out,
            "<li><i class=\"key warm-up\"></i>warm-up, which is not judged</li>"
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
    // The first colour is that of a leak.
    let first = usize::from(suspects.of(Class::Leak).next().is_none());
    for (colour, finding) in (first..OWNERS).zip(owners) {
        let owner = |series: &&Series| series.node == finding.node;
        let Some(series) = history.owners.iter().find(owner) else {
            continue;
        };
        let points = series.points.iter();
        lines.push(Line {
            class: format!("line owner-{colour}"),
            name: Name(history.profile.name(finding.node)).to_string(),
            values: points.map(|point| Some(point.values.live_bytes)).collect(),
        });
    }
    lines
}

/// Where things stand in the chart: in percent from the left, in pixels from the top.
struct Frame {
    x: Scale,
    y: Scale,
    limit: Option<f64>,
}

impl Frame {
    fn new(suspects: &Suspects<'_>, given_limit: Option<u64>, lines: &[Line]) -> Self {
        let values = lines.iter().flat_map(|line| line.values.iter().flatten());
        let y = Scale::from_zero(values.map(|&value| value as f64));
        let limit = limit_bytes(suspects, given_limit).map(|bytes| bytes as f64);
        let limit = limit.filter(|&bytes| bytes <= y.high() * NEAR);
        Self {
            x: Scale::over(suspects.history.seconds()),
            y: y.up_to(limit.unwrap_or(0.0)),
            limit,
        }
    }

    fn left(&self, time: f64) -> f64 {
        self.x.part(time) * 100.0
    }

    fn top(&self, bytes: f64) -> f64 {
        TOP + (1.0 - self.y.part(bytes)) * INNER
    }
}

fn chart(
    suspects: &Suspects<'_>,
    given_limit: Option<u64>,
    lines: &[Line],
    out: &mut dyn Write,
) -> io::Result<()> {
    let frame = Frame::new(suspects, given_limit, lines);
    write!(
        out,
        "<div class=\"chart\" id=\"chart\" tabindex=\"0\" role=\"group\" aria-label=\"Memory over time; \
         arrow keys go from snapshot to snapshot, a table follows\"><svg height=\"{HEIGHT}\" \
         aria-hidden=\"true\">"
    )?;
    if let Some(end) = warm_up(suspects) {
        let width = frame.left(end);
        write!(
            out,
            "<rect class=\"warm-up\" y=\"{TOP}\" width=\"{width:.3}%\" height=\"{INNER}\"/>"
        )?;
    }
    axes(&frame, out)?;
    since(suspects, &frame, out)?;
    write!(
        out,
        "<svg y=\"{TOP}\" width=\"100%\" height=\"{INNER}\" viewBox=\"0 0 1000 1000\" \
         preserveAspectRatio=\"none\" overflow=\"visible\">"
    )?;
    let times = suspects.history.seconds();
    for line in lines.iter().rev() {
        let known = times.iter().zip(&line.values);
        let known = known.filter_map(|(&time, value)| Some((time, (*value)? as f64)));
        let points = chart::points(frame.x, frame.y, known);
        write!(
            out,
            "<polyline class=\"{}\" points=\"{points}\"/>",
            line.class
        )?;
    }
    writeln!(
        out,
        "</svg></svg><div id=\"cursor\" hidden></div><div id=\"values\" role=\"status\" hidden></div></div>"
    )
}

fn axes(frame: &Frame, out: &mut dyn Write) -> io::Result<()> {
    let (x, y) = (frame.x, frame.y);
    let powers = (0..63).map(|power| 2_f64.powi(power));
    for tick in y.ticks(chart::step(y.high() - y.low(), AMOUNTS, powers)) {
        let top = frame.top(tick);
        write!(
            out,
            "<line class=\"grid\" x2=\"100%\" y1=\"{top:.1}\" y2=\"{top:.1}\"/>"
        )?;
        // Lines begin at zero, and it needs no name.
        if tick != 0.0 {
            let text = units::bytes(tick as i64);
            write!(
                out,
                "<text class=\"note\" x=\"6\" y=\"{:.1}\">{text}</text>",
                top - 4.0
            )?;
        }
    }
    for tick in x.ticks(chart::step(x.high() - x.low(), TIMES, STEPS)) {
        let left = frame.left(tick);
        let anchor = match left {
            ..4.0 => "start",
            ..=96.0 => "middle",
            _ => "end",
        };
        write!(
            out,
            "<text x=\"{left:.3}%\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            HEIGHT - 6.0,
            units::span((tick.max(0.0) * 1_000.0) as u64),
        )?;
    }
    if let Some(limit) = frame.limit {
        let top = frame.top(limit);
        write!(
            out,
            "<line class=\"limit\" x2=\"100%\" y1=\"{top:.1}\" y2=\"{top:.1}\"/>\
             <text class=\"note\" x=\"100%\" y=\"{:.1}\" text-anchor=\"end\">limit</text>",
            top + 14.0,
        )?;
    }
    Ok(())
}

/// A mark where the first leak begins to grow.
fn since(suspects: &Suspects<'_>, frame: &Frame, out: &mut dyn Write) -> io::Result<()> {
    let leak = suspects.growing().next();
    let at = leak.and_then(|leak| suspects.grows_since(leak));
    let Some(&time) = at.and_then(|at| suspects.times.get(at)) else {
        return Ok(());
    };
    let left = frame.left(time);
    // On the side where there is room.
    let (anchor, shift) = if left > 60.0 {
        ("end", -6)
    } else {
        ("start", 6)
    };
    write!(
        out,
        "<line class=\"since\" x1=\"{left:.3}%\" x2=\"{left:.3}%\" y1=\"2\" y2=\"{}\"/>\
         <svg x=\"{left:.3}%\" overflow=\"visible\"><text x=\"{shift}\" y=\"13\" \
         text-anchor=\"{anchor}\">leaks since here</text></svg>",
        HEIGHT - BOTTOM,
    )
}

/// When the warm-up ends, in seconds since the start, if some of the run counts as that.
fn warm_up(suspects: &Suspects<'_>) -> Option<f64> {
    let end = suspects.times.get(suspects.warm_up)?;
    (suspects.warm_up > 0).then_some(*end)
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
