//! `heaplens top` for programs: `heaplens-top-1` of `docs/json-output.md`.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{self, JsonFrame, JsonSource, JsonStack, Lazily, Numbers};
use crate::analysis::top::{By, Sort, TopRow};
use crate::profile::Profile;

#[derive(Serialize)]
struct Document<'a, R: Serialize> {
    schema: &'static str,
    by: &'static str,
    sorted_by: &'static str,
    snapshots: Vec<JsonSource<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_snapshots: Option<Vec<JsonSource<'a>>>,
    sampled: bool,
    per_process: bool,
    work_done: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_seconds: Option<u64>,
    totals: Numbers,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_totals: Option<Numbers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<Numbers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_sum: Option<Numbers>,
    row_count: usize,
    rows: R,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    #[serde(flatten)]
    values: Numbers,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_bytes: Option<i64>,
    share: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<Numbers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    growth_bytes: Option<i64>,
    owner: JsonFrame<'a>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    retained_type: Option<String>,
    stack: JsonStack<'a>,
}

/// Writes the first `limit` rows of a ranking. `base` is the profile that growth counts from.
pub fn write(
    profile: &Profile,
    base: Option<&Profile>,
    rows: &[TopRow<'_>],
    (by, sort): (By, Sort),
    limit: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let has_errors = profile.has_errors();
    let base_has_errors = base.is_some_and(Profile::has_errors);
    let whole = Whole {
        live_bytes: profile.totals().live_bytes,
        has_errors,
        base_has_errors,
    };
    json::write(
        out,
        &Document {
            schema: "heaplens-top-1",
            by: match by {
                By::Function => "function",
                By::Owner => "owner",
                By::Crate => "crate",
            },
            sorted_by: match sort {
                Sort::Live => "live",
                Sort::Count => "count",
                Sort::Total => "total",
                Sort::Growth => "growth",
            },
            snapshots: json::sources(profile),
            base_snapshots: base.map(json::sources),
            sampled: profile.is_sampled(),
            per_process: profile.sums().is_some(),
            work_done: profile.work_done(),
            old_seconds: profile.old_seconds(),
            totals: Numbers::new(profile.totals(), has_errors),
            base_totals: base.map(|base| Numbers::new(base.totals(), base_has_errors)),
            sum: json::sum(profile),
            base_sum: base.and_then(json::sum),
            row_count: rows.len(),
            rows: Lazily(|| rows.iter().take(limit).map(|row| json_row(row, by, whole))),
        },
    )
}

/// What a row needs to know of all rows.
#[derive(Clone, Copy)]
struct Whole {
    live_bytes: i64,
    has_errors: bool,
    base_has_errors: bool,
}

fn json_row<'a>(row: &TopRow<'a>, by: By, whole: Whole) -> Row<'a> {
    let TopRow {
        profile,
        example,
        values,
        base,
    } = row;
    let growth = |base| Sort::Growth.measure(values, Some(base));
    let share = values.live_bytes as f64 / whole.live_bytes.max(1) as f64;
    Row {
        name: row.name(by),
        values: Numbers::new(values, whole.has_errors),
        old_bytes: profile.old_seconds().map(|_| values.old_bytes),
        share: if whole.live_bytes > 0 { share } else { 0.0 },
        base: base
            .as_ref()
            .map(|base| Numbers::new(base, whole.base_has_errors)),
        growth_bytes: base.as_ref().map(growth),
        owner: JsonFrame::new(profile, row.owner()),
        retained_type: profile.retained_type(*example),
        stack: JsonStack {
            profile,
            node: *example,
        },
    }
}
