//! `heaplens leaks` for programs: `heaplens-leaks-1` of `docs/json-output.md`.

use std::io::{self, Write};

use heaplens::snapshot::graph::{LeftOut, Role, Scan};
use serde::Serialize;

use super::graph_words::{UNSEEN, title};
use super::json::{self, JsonFrame, JsonSource, JsonStack, Lazily};
use crate::analysis::heap_graph::reach::{Amount, Reach, Verdict};
use crate::analysis::heap_graph::shapes::{Member, Shape};
use crate::analysis::heap_graph::{HeapGraph, OwnerReach};
use crate::profile::{NodeId, Profile};

#[derive(Serialize)]
struct Document<'a, R: Serialize> {
    schema: &'static str,
    snapshot: JsonSource<'a>,
    scan: &'a Scan,
    unseen: &'static str,
    totals: JsonReach,
    owners: Vec<Owner<'a>>,
    left_out: &'a LeftOut,
    row_count: usize,
    rows: R,
}

/// Blocks by verdict.
#[derive(Serialize)]
pub(super) struct JsonReach {
    held: JsonAmount,
    foreign: JsonAmount,
    unreached: JsonAmount,
}

impl JsonReach {
    pub(super) fn new(reach: &Reach) -> Self {
        let amount = |verdict| JsonAmount::new(reach.of(verdict));
        Self {
            held: amount(Verdict::Held),
            foreign: amount(Verdict::Foreign),
            unreached: amount(Verdict::Unreached),
        }
    }
}

/// Some blocks.
#[derive(Serialize)]
pub(super) struct JsonAmount {
    bytes: u64,
    blocks: u64,
}

impl JsonAmount {
    pub(super) fn new(amount: Amount) -> Self {
        let Amount { blocks, bytes } = amount;
        Self { bytes, blocks }
    }
}

#[derive(Serialize)]
struct Owner<'a> {
    owner: JsonFrame<'a>,
    #[serde(flatten)]
    reach: JsonReach,
}

#[derive(Serialize)]
struct Row<'a> {
    title: String,
    kind: &'static str,
    instances: u64,
    #[serde(flatten)]
    amount: JsonAmount,
    members: Vec<JsonMember<'a>>,
    links: Vec<JsonLink>,
}

#[derive(Serialize)]
struct JsonMember<'a> {
    role: Role,
    #[serde(flatten)]
    amount: JsonAmount,
    owner: JsonFrame<'a>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    retained_type: Option<&'a str>,
    stacks: Vec<Path<'a>>,
}

#[derive(Serialize)]
struct Path<'a> {
    #[serde(flatten)]
    amount: JsonAmount,
    stack: JsonStack<'a>,
}

#[derive(Serialize)]
struct JsonLink {
    from: usize,
    to: usize,
    offset: Option<u64>,
    count: u64,
}

/// Writes the totals and at most `rows` shapes.
pub fn write(
    profile: &Profile,
    graph: &HeapGraph,
    rows: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let owner = |owner: &OwnerReach| Owner {
        owner: JsonFrame::new(profile, owner.node),
        reach: JsonReach::new(&owner.reach),
    };
    json::write(
        out,
        &Document {
            schema: "heaplens-leaks-1",
            snapshot: JsonSource::new(&graph.source),
            scan: &graph.scan,
            unseen: UNSEEN,
            totals: JsonReach::new(&graph.totals),
            owners: graph.owners(profile).iter().map(owner).collect(),
            left_out: &graph.left_out,
            row_count: graph.shapes.len(),
            rows: Lazily(|| {
                graph
                    .shapes
                    .iter()
                    .take(rows)
                    .map(|shape| row(profile, shape))
            }),
        },
    )
}

fn row<'a>(profile: &'a Profile, shape: &'a Shape) -> Row<'a> {
    Row {
        title: title(profile, shape),
        kind: match shape.is_cycle {
            true => "cycle",
            false => "forgotten",
        },
        instances: shape.instances,
        amount: JsonAmount::new(shape.amount),
        members: shape
            .members
            .iter()
            .map(|one| member(profile, one))
            .collect(),
        links: shape
            .links
            .iter()
            .map(|link| JsonLink {
                from: link.from,
                to: link.to,
                offset: link.offset,
                count: link.count,
            })
            .collect(),
    }
}

fn member<'a>(profile: &'a Profile, member: &'a Member) -> JsonMember<'a> {
    let path = |&(node, amount): &(NodeId, Amount)| Path {
        amount: JsonAmount::new(amount),
        stack: JsonStack { profile, node },
    };
    JsonMember {
        role: member.role,
        amount: JsonAmount::new(member.amount),
        owner: JsonFrame::new(profile, member.label.owner),
        retained_type: member.label.retained.as_deref(),
        stacks: member.sites.iter().map(path).collect(),
    }
}
