//! The results as text, in columns.

use crate::bounds::{Outcome, Verdict};
use crate::results::{Line, Lines};
use measure::Workload;
use measure::statistics::Median;
use std::fmt::Write as _;

/// What the columns of [`row`] are called.
pub(crate) const HEAD: [&str; 10] = [
    "contender",
    "base",
    "CPU time",
    "ratio",
    "95 %",
    "elapsed, ratio",
    "p99, ratio",
    "peak MiB",
    "peak, ratio",
    "",
];

/// What the columns of [`verdict`] are called.
pub(crate) const VERDICT_HEAD: [&str; 6] = ["workload", "what", "measured", "95 %", "at most", ""];

/// All tables: one for each workload, and the bounds.
pub(crate) fn render(lines: &Lines, verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for workload in lines.workloads() {
        writeln!(text, "{}\n", title(workload)).expect("a string takes every text");
        let rows: Vec<_> = of_workload(lines, workload)
            .map(|line| row(lines, line))
            .collect();
        columns(&mut text, &HEAD, &rows);
    }
    if !verdicts.is_empty() {
        text.push_str("bounds\n\n");
        let rows: Vec<_> = verdicts.iter().map(verdict).collect();
        columns(&mut text, &VERDICT_HEAD, &rows);
    }
    text
}

/// The workload, what it does, and what the CPU time is of.
pub(crate) fn title(workload: Workload) -> String {
    format!(
        "{}: {} (CPU time of a {})",
        workload.name(),
        workload.summary(),
        workload.operation()
    )
}

/// The lines of a workload.
pub(crate) fn of_workload(lines: &Lines, workload: Workload) -> impl Iterator<Item = &Line> {
    lines.0.iter().filter(move |line| line.workload == workload)
}

/// One line of results.
pub(crate) fn row(lines: &Lines, line: &Line) -> [String; HEAD.len()] {
    let value = |median: Option<Median>| median.map_or_else(dash, |median| ratio(median.value));
    let base = match line.is_control() {
        true => "itself".to_owned(),
        false => line.base.clone(),
    };
    let note = match (&line.failure, lines.void(line)) {
        (Some(failure), _) => format!("failed: {failure}"),
        (None, Some(reason)) => format!("void: {reason}"),
        (None, None) => String::new(),
    };
    [
        line.contender.clone(),
        base,
        line.nanoseconds().map_or_else(dash, time),
        value(line.cpu()),
        line.cpu().map_or_else(dash, interval),
        value(line.wall()),
        value(line.p99()),
        line.mebibytes()
            .map_or_else(dash, |mebibytes| format!("{mebibytes:.1}")),
        value(line.rss()),
        note,
    ]
}

/// One bound.
pub(crate) fn verdict(verdict: &Verdict) -> [String; VERDICT_HEAD.len()] {
    let limit = match &verdict.because {
        Some(because) => format!("{}: {because}", ratio(verdict.limit)),
        None => ratio(verdict.limit),
    };
    [
        verdict.workload.name().to_owned(),
        verdict.what.clone(),
        ratio(verdict.value.value),
        interval(verdict.value),
        limit,
        match &verdict.outcome {
            Outcome::Holds => "holds".to_owned(),
            Outcome::Missed => "missed".to_owned(),
            Outcome::Void(reason) => format!("void: {reason}"),
        },
    ]
}

fn dash() -> String {
    "–".to_owned()
}

/// A ratio with the digits that mean something.
pub(crate) fn ratio(ratio: f64) -> String {
    match ratio {
        // Beyond that the third decimal is noise.
        ..2.0 => format!("{ratio:.3}"),
        2.0..20.0 => format!("{ratio:.2}"),
        _ => format!("{ratio:.0}"),
    }
}

fn interval(median: Median) -> String {
    match median.interval {
        Some((low, high)) => format!("{}–{}", ratio(low), ratio(high)),
        None => dash(),
    }
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ..1e3 => format!("{nanoseconds:.1} ns"),
        1e3..1e6 => format!("{:.2} µs", nanoseconds / 1e3),
        1e6..1e9 => format!("{:.2} ms", nanoseconds / 1e6),
        _ => format!("{:.2} s", nanoseconds / 1e9),
    }
}

/// Left-aligned columns, as wide as their widest cell.
fn columns<const N: usize>(text: &mut String, head: &[&str; N], rows: &[[String; N]]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(head[column].chars().count())
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut print = |cells: [&str; N]| {
        let line: String = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("  {cell:<width$}"))
            .collect();
        writeln!(text, "{}", line.trim_end()).expect("a string takes every text");
    };
    print(*head);
    for row in rows {
        print(std::array::from_fn(|column| row[column].as_str()));
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::judge;
    use crate::results::tests::line;

    #[test]
    fn columns_are_aligned_and_void_lines_say_why() {
        let lines = Lines(vec![
            line(Workload::Json, "system", "system", &[1.0; 3]),
            line(Workload::Json, "exact-system", "system", &[1.5; 3]),
        ]);
        let text = render(&lines, &judge(&lines));
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[0].starts_with("json: "), "{text}");
        let column = rows[2].find("base").unwrap();
        assert_eq!(&rows[3][column..column + 6], "itself");
        assert!(
            rows[4].contains("1.500") && rows[4].ends_with("void: 3 pairs"),
            "{text}"
        );
        assert!(text.contains("bounds") && !text.contains("holds"), "{text}");
    }

    #[test]
    fn numbers_have_the_digits_that_mean_something() {
        assert_eq!(
            [1.0123, 2.345, 92.7].map(ratio),
            ["1.012", "2.35", "93"].map(str::to_owned)
        );
        assert_eq!(
            [12.34, 4_567.0, 3.2e6, 2e9].map(time),
            ["12.3 ns", "4.57 µs", "3.20 ms", "2.00 s"].map(str::to_owned)
        );
    }
}
