//! Who holds what, as the columns of a snapshot: roots, pointers by site, and the tree of dominators.

use crate::graph::{self as scan, Holder, Holding};
use crate::snapshot::graph::{Dominators, Edges, MANY_OFFSETS, NoRoom, RootKind, Roots};
use crate::tables::site_tree::NodeId;

/// Sites become the numbers of their rows. Roots that point at none of the program's blocks are left out, and
/// what has to do with sites without a row counts among what had no room.
pub(super) fn columns(
    holding: &Holding,
    row_of: impl Fn(NodeId) -> Option<u32>,
) -> (Roots, Edges, Dominators) {
    let (roots, places) = roots(holding);
    let holder_of = |holder: Holder| match holder.get() {
        Ok(site) => row_of(site).map(i64::from),
        // −1 − row.
        Err(root) => places.get(root).copied().flatten().map(|row| !row),
    };
    let edges = edges(holding, holder_of, &row_of);
    (roots, edges, dominators(holding, holder_of))
}

/// The roots, and for each of those that were told its row.
fn roots(holding: &Holding) -> (Roots, Vec<Option<i64>>) {
    let points = |root: &scan::Root| root.direct.count > 0;
    let mut is_told: Vec<bool> = holding.roots.iter().map(points).collect();
    for row in &holding.rows {
        if let Err(root) = row.holder.get() {
            is_told[root] = true;
        }
    }
    let mut columns = Roots::default();
    let places = holding.roots.iter().zip(is_told).map(|(root, is_told)| {
        if !is_told {
            return None;
        }
        columns.kind.push(match root.kind {
            scan::RootKind::Global => RootKind::Global,
            scan::RootKind::Stack => RootKind::Stack,
            scan::RootKind::ThreadLocal => RootKind::ThreadLocal,
            scan::RootKind::Register => RootKind::Register,
            scan::RootKind::Moving => RootKind::Moving,
            scan::RootKind::Foreign => RootKind::Foreign,
        });
        columns.module.push(root.module);
        columns.address.push(root.address);
        columns.count.push(root.direct.count);
        columns.bytes.push(root.direct.bytes);
        Some(columns.kind.len() as i64 - 1)
    });
    let places = places.collect();
    (columns, places)
}

fn edges(
    holding: &Holding,
    holder_of: impl Fn(Holder) -> Option<i64>,
    row_of: impl Fn(NodeId) -> Option<u32>,
) -> Edges {
    let mut sorted = holding.edges.clone();
    sorted.sort_unstable_by_key(|edge| (edge.holder, edge.held, edge.offset));
    let mut columns = Edges {
        left_out: no_room(holding.edges_left_out),
        ..Edges::default()
    };
    for edge in &sorted {
        let Some((holder, held)) = holder_of(edge.holder).zip(row_of(edge.held)) else {
            add(&mut columns.left_out, edge.pointers);
            continue;
        };
        columns.holder.push(holder);
        columns.offset.push(match edge.offset {
            scan::MANY_OFFSETS => MANY_OFFSETS,
            offset => offset.cast_signed(),
        });
        columns.held.push(held);
        columns.count.push(edge.pointers.count);
        columns.bytes.push(edge.pointers.bytes);
    }
    columns
}

fn dominators(holding: &Holding, holder_of: impl Fn(Holder) -> Option<i64>) -> Dominators {
    let mut columns = Dominators {
        left_out: no_room(holding.rows_left_out),
        ..Dominators::default()
    };
    // For each row where it has gone, or where those below it go; −1 for nowhere.
    let mut places: Vec<i64> = Vec::with_capacity(holding.rows.len());
    for row in &holding.rows {
        let parent = row.parent().map_or(-1, |parent| places[parent]);
        let Some(holder) = holder_of(row.holder) else {
            let own = scan::Sum {
                count: row.count,
                bytes: row.own_bytes,
            };
            add(&mut columns.left_out, own);
            places.push(parent);
            continue;
        };
        places.push(columns.parent.len() as i64);
        columns.parent.push(parent);
        columns.holder.push(holder);
        columns.count.push(row.count);
        columns.own_bytes.push(row.own_bytes);
        columns.retained_bytes.push(row.retained_bytes);
    }
    columns
}

fn no_room(sum: scan::Sum) -> NoRoom {
    NoRoom {
        count: sum.count,
        bytes: sum.bytes,
    }
}

fn add(left_out: &mut NoRoom, more: scan::Sum) {
    left_out.count += more.count;
    left_out.bytes += more.bytes;
}
