//! Graphs of the heap that fit a snapshot, and otherwise are whatever some bytes say.

use heaplens::snapshot::graph::{
    Dominators, Edges, Graph, Groups, LeftOut, MANY_OFFSETS, Role, RootKind, Roots, Scan, Verdicts,
};

use super::Bytes;

/// The next graph of a snapshot with so many sites, if there is one.
pub(super) fn graph(bytes: &mut Bytes<'_>, sites: usize) -> Option<Graph> {
    let amount = |bytes: &mut Bytes<'_>| bytes.number().unsigned_abs();
    if bytes.byte() % 4 == 3 {
        return None;
    }
    let mut verdicts = Verdicts::default();
    for site in (0..sites as u32)
        .filter(|_| !bytes.byte().is_multiple_of(4))
        .collect::<Vec<_>>()
    {
        verdicts.site.push(site);
        for column in [
            &mut verdicts.held_bytes,
            &mut verdicts.held_count,
            &mut verdicts.foreign_bytes,
            &mut verdicts.foreign_count,
            &mut verdicts.unreached_bytes,
            &mut verdicts.unreached_count,
        ] {
            column.push(amount(bytes));
        }
    }
    let scan = Scan {
        scans: bytes.below(3) as u32,
        pause_us: amount(bytes),
        registers: bytes.byte() % 2 == 1,
        skipped_bytes: amount(bytes),
        ..Scan::default()
    };
    let groups = groups(bytes, sites);
    let roots = roots(bytes);
    let all = (sites, roots.kind.len());
    Some(Graph {
        scan,
        sites: verdicts,
        groups,
        edges: Some(edges(bytes, all)),
        dominators: Some(dominators(bytes, all)),
        roots: Some(roots),
    })
}

fn roots(bytes: &mut Bytes<'_>) -> Roots {
    const KINDS: [RootKind; 3] = [RootKind::Global, RootKind::Stack, RootKind::Foreign];
    let mut roots = Roots::default();
    for _ in 0..bytes.below(4) {
        roots.kind.push(KINDS[bytes.below(3)]);
        // There is one module at least.
        roots.module.push(0);
        roots.address.push(bytes.number() as u64);
        roots.count.push(bytes.number().unsigned_abs());
        roots.bytes.push(bytes.number().unsigned_abs());
    }
    roots
}

/// A site or a root of so many.
fn holder(bytes: &mut Bytes<'_>, (sites, roots): (usize, usize)) -> i64 {
    bytes.below(sites + roots) as i64 - roots as i64
}

fn edges(bytes: &mut Bytes<'_>, all: (usize, usize)) -> Edges {
    let mut edges = Edges::default();
    let rows = if all.0 > 0 { bytes.below(12) } else { 0 };
    for _ in 0..rows {
        edges.holder.push(holder(bytes, all));
        edges.offset.push(bytes.number().max(MANY_OFFSETS));
        edges.held.push(bytes.below(all.0) as u32);
        edges.count.push(bytes.number().unsigned_abs());
        edges.bytes.push(bytes.number().unsigned_abs());
    }
    edges
}

fn dominators(bytes: &mut Bytes<'_>, all: (usize, usize)) -> Dominators {
    let mut tree = Dominators::default();
    let rows = if all.0 + all.1 > 0 {
        bytes.below(12)
    } else {
        0
    };
    for row in 0..rows {
        tree.parent.push(bytes.below(row + 1) as i64 - 1);
        tree.holder.push(holder(bytes, all));
        tree.count.push(bytes.number().unsigned_abs());
        tree.own_bytes.push(bytes.number().unsigned_abs());
        tree.retained_bytes.push(bytes.number().unsigned_abs());
    }
    tree
}

fn groups(bytes: &mut Bytes<'_>, sites: usize) -> Groups {
    const ROLES: [Role; 3] = [Role::Cycle, Role::Forgotten, Role::Hanging];
    let amount = |bytes: &mut Bytes<'_>| bytes.number().unsigned_abs();
    let mut groups = Groups::default();
    let shapes = if sites > 0 { bytes.below(6) } else { 0 };
    for _ in 0..shapes {
        groups.cycle.push(bytes.byte() % 2 == 1);
        groups.instances.push(amount(bytes));
        groups.blocks.push(amount(bytes));
        groups.bytes.push(amount(bytes));
        let first = groups.members.site.len();
        for _ in 0..bytes.below(6) {
            let members = &mut groups.members;
            members.site.push(bytes.below(sites) as u32);
            members.role.push(ROLES[bytes.below(3)]);
            members.count.push(amount(bytes));
            members.bytes.push(amount(bytes));
        }
        let members = groups.members.site.len() - first;
        let links = if members > 0 { bytes.below(8) } else { 0 };
        for _ in 0..links {
            let member = |bytes: &mut Bytes<'_>| (first + bytes.below(members)) as u32;
            groups.links.from.push(member(bytes));
            groups.links.to.push(member(bytes));
            groups.links.offset.push(bytes.number().max(MANY_OFFSETS));
            groups.links.count.push(amount(bytes));
        }
        groups.first_member.push(groups.members.site.len() as u32);
        groups.first_link.push(groups.links.from.len() as u32);
    }
    groups.left_out = LeftOut {
        shapes: amount(bytes),
        blocks: amount(bytes),
        bytes: amount(bytes),
        ..LeftOut::default()
    };
    groups
}
