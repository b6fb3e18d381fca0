//! `heaplens retained` for programs: `heaplens-retained-1` of `docs/json-output.md`.

use std::io::{self, Write};

use heaplens::snapshot::graph::RootKind;
use serde::Serialize;

use super::json::{self, JsonFrame, JsonSource, JsonStack, Lazily};
use super::leaks_json::{JsonAmount, JsonReach};
use crate::analysis::heap_graph::Held;
use crate::analysis::heap_graph::retained::{Holder, Pointer, Retained, Step};

#[derive(Serialize)]
struct Document<'a, R: Serialize> {
    schema: &'static str,
    snapshot: JsonSource<'a>,
    totals: JsonReach,
    left_out: JsonAmount,
    row_count: usize,
    rows: R,
}

/// A root or blocks; neither where a filter leaves them out.
#[derive(Serialize)]
struct JsonHolder<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<JsonRoot<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<JsonFrame<'a>>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    retained_type: Option<&'a str>,
}

#[derive(Serialize)]
struct JsonRoot<'a> {
    kind: RootKind,
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    holder: JsonHolder<'a>,
    retained_bytes: u64,
    own: JsonAmount,
    path: Vec<JsonStep<'a>>,
}

#[derive(Serialize)]
struct JsonStep<'a> {
    #[serde(flatten)]
    holder: JsonHolder<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stack: Option<JsonStack<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<JsonPointer>,
}

#[derive(Serialize)]
struct JsonPointer {
    offset: Option<u64>,
    count: u64,
}

/// Writes at most `rows` holders.
pub fn write(held: &Held, ranked: &[Retained], rows: usize, out: &mut dyn Write) -> io::Result<()> {
    json::write(
        out,
        &Document {
            schema: "heaplens-retained-1",
            snapshot: JsonSource::new(&held.graph.source),
            totals: JsonReach::new(&held.graph.totals),
            left_out: JsonAmount::new(held.retention.left_out),
            row_count: ranked.len(),
            rows: Lazily(|| ranked.iter().take(rows).map(|one| row(held, one))),
        },
    )
}

fn row<'a>(held: &'a Held, one: &Retained) -> Row<'a> {
    let path = held.retention.path(one);
    Row {
        holder: holder(held, one.holder),
        retained_bytes: one.retained_bytes,
        own: JsonAmount::new(one.own),
        path: path.iter().map(|one| step(held, one)).collect(),
    }
}

fn step<'a>(held: &'a Held, step: &Step) -> JsonStep<'a> {
    let profile = &held.profile;
    let pointer = |Pointer { offset, count }| JsonPointer { offset, count };
    JsonStep {
        holder: holder(held, step.holder),
        stack: step.site.map(|node| JsonStack { profile, node }),
        pointer: step.pointer.map(pointer),
    }
}

fn holder(held: &Held, holder: Holder) -> JsonHolder<'_> {
    let mut json = JsonHolder {
        root: None,
        owner: None,
        retained_type: None,
    };
    match holder {
        Holder::Root(root) => {
            let root = &held.retention.roots[root];
            json.root = Some(JsonRoot {
                kind: root.kind,
                name: root.name.as_deref(),
            });
        }
        Holder::Blocks(label) => {
            let label = &held.retention.labels[label as usize];
            json.owner = Some(JsonFrame::new(&held.profile, label.owner));
            json.retained_type = label.retained.as_deref();
        }
        Holder::LeftOut => {}
    }
    json
}
