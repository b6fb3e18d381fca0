//! What a graph must hold beyond its types.

use super::{Invalid, at, distinct, first_rows, indices, same_length, unsigned_sum, whole};
use crate::snapshot::graph::{
    Dominators, Edges, Graph, Groups, Links, MANY_OFFSETS, Members, Roots, Verdicts,
};

/// Checks a graph of a snapshot with so many rows of sites and of modules.
pub(super) fn check_graph(graph: &Graph, sites: usize, modules: usize) -> Result<(), Invalid> {
    check_verdicts(&graph.sites, sites)?;
    check_groups(&graph.groups, sites)?;
    let mut roots = 0;
    if let Some(table) = &graph.roots {
        roots = table.kind.len();
        check_roots(table, modules)?;
    }
    if let Some(edges) = &graph.edges {
        check_edges(edges, sites, roots)?;
    }
    match &graph.dominators {
        Some(dominators) => check_dominators(dominators, sites, roots),
        None => Ok(()),
    }
}

fn check_verdicts(verdicts: &Verdicts, sites: usize) -> Result<(), Invalid> {
    indices("graph.sites.site", &verdicts.site, "sites", sites)?;
    distinct("graph.sites.site", &verdicts.site, sites)?;
    for (column, values) in [
        ("graph.sites.held_bytes", &verdicts.held_bytes),
        ("graph.sites.held_count", &verdicts.held_count),
        ("graph.sites.foreign_bytes", &verdicts.foreign_bytes),
        ("graph.sites.foreign_count", &verdicts.foreign_count),
        ("graph.sites.unreached_bytes", &verdicts.unreached_bytes),
        ("graph.sites.unreached_count", &verdicts.unreached_count),
    ] {
        let rows = verdicts.site.len();
        numbers(column, values, "graph.sites.site", rows)?;
    }
    Ok(())
}

fn check_groups(groups: &Groups, sites: usize) -> Result<(), Invalid> {
    let rows = groups.cycle.len();
    for (column, values) in [
        ("graph.groups.instances", &groups.instances),
        ("graph.groups.blocks", &groups.blocks),
        ("graph.groups.bytes", &groups.bytes),
    ] {
        numbers(column, values, "graph.groups.cycle", rows)?;
    }
    check_members(&groups.members, sites)?;
    let members = groups.members.site.len();
    first_rows(
        "graph.groups.first_member",
        &groups.first_member,
        ("graph.groups.cycle", rows),
        ("graph.groups.members", members),
    )?;
    check_links(&groups.links, members)?;
    first_rows(
        "graph.groups.first_link",
        &groups.first_link,
        ("graph.groups.cycle", rows),
        ("graph.groups.links", groups.links.from.len()),
    )?;
    let own = |group: usize, member: u32| {
        (groups.first_member[group]..groups.first_member[group + 1]).contains(&member)
    };
    for group in 0..rows {
        for link in groups.first_link[group] as usize..groups.first_link[group + 1] as usize {
            for (column, member) in [
                ("graph.groups.links.from", groups.links.from[link]),
                ("graph.groups.links.to", groups.links.to[link]),
            ] {
                if !own(group, member) {
                    let problem = format!("is {member}, a member of another shape");
                    return Err(at(column, link, problem));
                }
            }
        }
    }
    let left_out = &groups.left_out;
    amounts(&[
        ("graph.groups.left_out.shapes", left_out.shapes),
        ("graph.groups.left_out.instances", left_out.instances),
        ("graph.groups.left_out.blocks", left_out.blocks),
        ("graph.groups.left_out.bytes", left_out.bytes),
    ])
}

/// Amounts of what is in no row: small enough to add those that are.
fn amounts(values: &[(&'static str, u64)]) -> Result<(), Invalid> {
    match values.iter().find(|(_, value)| *value >= 1 << 62) {
        Some((column, _)) => Err(whole(column, "is 2^62 or more".to_owned())),
        None => Ok(()),
    }
}

fn check_members(members: &Members, sites: usize) -> Result<(), Invalid> {
    let rows = members.site.len();
    let of = "graph.groups.members.site";
    indices(of, &members.site, "sites", sites)?;
    same_length("graph.groups.members.role", members.role.len(), of, rows)?;
    numbers("graph.groups.members.count", &members.count, of, rows)?;
    numbers("graph.groups.members.bytes", &members.bytes, of, rows)
}

fn check_links(links: &Links, members: usize) -> Result<(), Invalid> {
    let rows = links.from.len();
    let of = "graph.groups.links.from";
    let target = "graph.groups.members";
    indices(of, &links.from, target, members)?;
    same_length("graph.groups.links.to", links.to.len(), of, rows)?;
    indices("graph.groups.links.to", &links.to, target, members)?;
    offsets("graph.groups.links.offset", &links.offset, of, rows)?;
    numbers("graph.groups.links.count", &links.count, of, rows)
}

fn check_roots(roots: &Roots, modules: usize) -> Result<(), Invalid> {
    let rows = roots.kind.len();
    let of = "graph.roots.kind";
    same_length("graph.roots.module", roots.module.len(), of, rows)?;
    indices("graph.roots.module", &roots.module, "modules", modules)?;
    same_length("graph.roots.address", roots.address.len(), of, rows)?;
    numbers("graph.roots.count", &roots.count, of, rows)?;
    numbers("graph.roots.bytes", &roots.bytes, of, rows)
}

fn check_edges(edges: &Edges, sites: usize, roots: usize) -> Result<(), Invalid> {
    let rows = edges.holder.len();
    let of = "graph.edges.holder";
    holders(of, &edges.holder, sites, roots)?;
    offsets("graph.edges.offset", &edges.offset, of, rows)?;
    same_length("graph.edges.held", edges.held.len(), of, rows)?;
    indices("graph.edges.held", &edges.held, "sites", sites)?;
    numbers("graph.edges.count", &edges.count, of, rows)?;
    numbers("graph.edges.bytes", &edges.bytes, of, rows)?;
    amounts(&[
        ("graph.edges.left_out.count", edges.left_out.count),
        ("graph.edges.left_out.bytes", edges.left_out.bytes),
    ])
}

fn check_dominators(tree: &Dominators, sites: usize, roots: usize) -> Result<(), Invalid> {
    let rows = tree.parent.len();
    let of = "graph.dominators.parent";
    super::parents(of, &tree.parent)?;
    same_length("graph.dominators.holder", tree.holder.len(), of, rows)?;
    holders("graph.dominators.holder", &tree.holder, sites, roots)?;
    numbers("graph.dominators.count", &tree.count, of, rows)?;
    numbers("graph.dominators.own_bytes", &tree.own_bytes, of, rows)?;
    amounts(&[
        ("graph.dominators.left_out.count", tree.left_out.count),
        ("graph.dominators.left_out.bytes", tree.left_out.bytes),
    ])?;
    // What a row retains is in the rows above it too, so these do not add up.
    let column = "graph.dominators.retained_bytes";
    same_length(column, tree.retained_bytes.len(), of, rows)?;
    match tree
        .retained_bytes
        .iter()
        .position(|bytes| *bytes >= 1 << 62)
    {
        Some(row) => Err(at(column, row, "is 2^62 or more".to_owned())),
        None => Ok(()),
    }
}

/// A column of amounts, as long as the others of its table.
fn numbers(column: &'static str, values: &[u64], other: &str, rows: usize) -> Result<(), Invalid> {
    same_length(column, values.len(), other, rows)?;
    unsigned_sum(column, values)
}

fn offsets(column: &'static str, values: &[i64], other: &str, rows: usize) -> Result<(), Invalid> {
    same_length(column, values.len(), other, rows)?;
    match values.iter().position(|&offset| offset < MANY_OFFSETS) {
        None => Ok(()),
        Some(row) => {
            let problem = format!("is {}, but an offset is -1 or more", values[row]);
            Err(at(column, row, problem))
        }
    }
}

/// Rows of sites, or of roots as −1 − row.
fn holders(
    column: &'static str,
    values: &[i64],
    sites: usize,
    roots: usize,
) -> Result<(), Invalid> {
    let fits = |&holder: &i64| match usize::try_from(holder) {
        Ok(site) => site < sites,
        Err(_) => (!holder as u64) < roots as u64,
    };
    match values.iter().position(|holder| !fits(holder)) {
        None => Ok(()),
        Some(row) => {
            let holder = values[row];
            let problem = format!("is {holder}, but there are {sites} sites and {roots} roots");
            Err(at(column, row, problem))
        }
    }
}

#[cfg(test)]
mod tests;
