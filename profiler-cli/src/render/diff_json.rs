//! `heaplens diff` for programs: `heaplens-diff-1` of `docs/json-output.md`.

use std::io::{self, Write};

use serde::Serialize;

use super::json::{self, Change, JsonFrame, JsonSource, JsonStack, Lazily, Numbers};
use crate::analysis::diff::{self, Diff, Side, State};
use crate::profile::Values;

#[derive(Serialize)]
struct Document<'a, O: Serialize, R: Serialize> {
    schema: &'static str,
    before_snapshots: Vec<JsonSource<'a>>,
    after_snapshots: Vec<JsonSource<'a>>,
    sampled: bool,
    per_process: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    work_done: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_seconds: Option<u64>,
    totals: Totals,
    owners: O,
    row_count: usize,
    rows: R,
}

#[derive(Serialize)]
struct Totals {
    #[serde(flatten)]
    numbers: Sides,
    grown_bytes: i64,
    shrunk_bytes: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_sum: Option<Numbers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_sum: Option<Numbers>,
}

#[derive(Serialize)]
struct Sides {
    before: Numbers,
    after: Numbers,
    change: Change,
}

#[derive(Serialize)]
struct Owner<'a> {
    owner: JsonFrame<'a>,
    #[serde(flatten)]
    numbers: Sides,
}

#[derive(Serialize)]
struct Row<'a> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_bytes: Option<i64>,
    #[serde(flatten)]
    numbers: Sides,
    owner: JsonFrame<'a>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    retained_type: Option<String>,
    stack: JsonStack<'a>,
}

/// Writes the first `limit` rows that changed, and all owners.
pub fn write(diff: &Diff<'_>, limit: usize, out: &mut dyn Write) -> io::Result<()> {
    let (before, after) = (diff.profile(Side::Before), diff.profile(Side::After));
    let owners = diff.owners();
    json::write(
        out,
        &Document {
            schema: "heaplens-diff-1",
            before_snapshots: json::sources(before),
            after_snapshots: json::sources(after),
            sampled: diff.is_sampled(),
            per_process: before.sums().is_some(),
            work_done: diff.work_done(),
            old_seconds: after.old_seconds(),
            totals: Totals {
                numbers: sides(diff, before.totals(), after.totals()),
                grown_bytes: diff.grown_bytes(),
                shrunk_bytes: diff.shrunk_bytes(),
                before_sum: json::sum(before),
                after_sum: json::sum(after),
            },
            owners: Lazily(|| {
                owners.iter().map(|owner| Owner {
                    owner: JsonFrame::new(diff.profile(owner.side), owner.node),
                    numbers: sides(diff, &owner.before, &owner.after),
                })
            }),
            row_count: diff.changes().count(),
            rows: Lazily(|| {
                diff.changes()
                    .take(limit)
                    .map(|(state, row)| json_row(diff, state, row))
            }),
        },
    )
}

fn json_row<'a>(diff: &Diff<'a>, state: State, row: &diff::Row) -> Row<'a> {
    let profile = diff.profile(row.side);
    Row {
        state: match state {
            State::New => "new",
            State::Grew => "grew",
            State::Shrank => "shrank",
            State::Gone => "gone",
        },
        old_bytes: diff
            .profile(Side::After)
            .old_seconds()
            .map(|_| row.after.old_bytes),
        numbers: sides(diff, &row.before, &row.after),
        owner: JsonFrame::new(profile, profile.owner(row.example)),
        retained_type: profile.retained_type(row.example),
        stack: JsonStack {
            profile,
            node: row.example,
        },
    }
}

fn sides(diff: &Diff<'_>, before: &Values, after: &Values) -> Sides {
    let has_errors = |side| diff.profile(side).has_errors();
    let error = diff.has_errors().then(|| diff.change_error(before, after));
    Sides {
        before: Numbers::new(before, has_errors(Side::Before)),
        after: Numbers::new(after, has_errors(Side::After)),
        change: Change::new(before, after, error),
    }
}
