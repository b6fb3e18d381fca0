//! What a scan of the heap has found, as the columns of a snapshot.

use super::holders;
use super::rows::Row;
use crate::control::clock;
use crate::graph::{self as scan, Found, Shape};
use crate::snapshot::graph::{
    Graph, Groups, LeftOut, Links, MANY_OFFSETS, Members, Role, Scan, Verdicts,
};
use crate::tables::site_tree::NodeId;

/// Sites become the numbers of their rows, which are in the order of sites. What has no row is left out: it
/// came into being while the heap was scanned.
pub(super) fn graph(found: &Found, rows: &[Row]) -> Graph {
    let row_of = |site: NodeId| {
        let row = rows.binary_search_by_key(&site, |row| row.site).ok()?;
        u32::try_from(row).ok()
    };
    let mut groups = Groups::default();
    for shape in &found.shapes {
        add_shape(&mut groups, shape, row_of);
    }
    let (shapes, instances, blocks) = found.left_out;
    groups.left_out = LeftOut {
        shapes,
        instances,
        blocks: blocks.count,
        bytes: blocks.bytes,
    };
    let (roots, edges, dominators) = match &found.holding {
        Some(holding) => {
            let (roots, edges, dominators) = holders::columns(holding, row_of);
            (Some(roots), Some(edges), Some(dominators))
        }
        None => (None, None, None),
    };
    Graph {
        scan: Scan {
            taken_unix_ms: clock::unix_ms(),
            scans: found.scans,
            pause_us: found.pause.as_micros() as u64,
            scan_ms: found.duration.as_millis() as u64,
            child_peak_bytes: found.child_peak_bytes,
            blocks: found.blocks.count,
            bytes: found.blocks.bytes,
            registers: found.registers,
            interrupted_calls: found.interrupted,
            skipped_bytes: found.skipped_bytes,
            holders_left_out: found.holding.is_none(),
        },
        sites: verdicts(found, row_of),
        groups,
        roots,
        edges,
        dominators,
    }
}

fn verdicts(found: &Found, row_of: impl Fn(NodeId) -> Option<u32>) -> Verdicts {
    let mut columns = Verdicts::default();
    for (site, verdict) in &found.verdicts {
        let Some(row) = row_of(*site) else {
            continue;
        };
        columns.site.push(row);
        columns.held_bytes.push(verdict.held.bytes);
        columns.held_count.push(verdict.held.count);
        columns.foreign_bytes.push(verdict.foreign.bytes);
        columns.foreign_count.push(verdict.foreign.count);
        columns.unreached_bytes.push(verdict.unreached.bytes);
        columns.unreached_count.push(verdict.unreached.count);
    }
    columns
}

fn add_shape(groups: &mut Groups, shape: &Shape, row_of: impl Fn(NodeId) -> Option<u32>) {
    groups.cycle.push(shape.is_cycle);
    groups.instances.push(shape.instances);
    groups.blocks.push(shape.blocks.count);
    groups.bytes.push(shape.blocks.bytes);
    let Members {
        site,
        role,
        count,
        bytes,
    } = &mut groups.members;
    let members: Vec<Option<u32>> = shape
        .members
        .iter()
        .map(|&(member, kind, sum)| {
            let row = row_of(member)?;
            site.push(row);
            role.push(match kind {
                scan::Role::Cycle => Role::Cycle,
                scan::Role::Forgotten => Role::Forgotten,
                scan::Role::Hanging => Role::Hanging,
            });
            count.push(sum.count);
            bytes.push(sum.bytes);
            Some(site.len() as u32 - 1)
        })
        .collect();
    groups.first_member.push(site.len() as u32);
    let Links {
        from,
        offset,
        to,
        count,
    } = &mut groups.links;
    for &(holder, at, held, pointers) in &shape.links {
        let member = |place: usize| members.get(place).copied().flatten();
        if let (Some(holder), Some(held)) = (member(holder), member(held)) {
            from.push(holder);
            offset.push(at.map_or(MANY_OFFSETS, u64::cast_signed));
            to.push(held);
            count.push(pointers);
        }
    }
    groups.first_link.push(from.len() as u32);
}
