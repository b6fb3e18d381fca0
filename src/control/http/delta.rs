//! What changed between two snapshots of one run.
//!
//! Stacks are compared address by address, which within a run is exact.

use crate::snapshot::{Module, Snapshot, Stacks};
use std::collections::HashMap;

/// The later snapshot with numbers that count from the earlier one: what has come and what has gone.
pub(super) fn between(before: &Snapshot, mut after: Snapshot) -> Snapshot {
    let rows = rows_in(&before.stacks, &before.modules, &after);
    let mut site_of: HashMap<u32, usize> = HashMap::new();
    for (site, &row) in after.sites.stack.iter().enumerate() {
        site_of.entry(row).or_insert(site);
    }
    for (site, &row) in before.sites.stack.iter().enumerate() {
        // A recorder forgets no stack, so the later snapshot has all that the earlier one has.
        let Some(same) = rows
            .get(row as usize)
            .copied()
            .flatten()
            .and_then(|row| site_of.get(&row).copied())
        else {
            continue;
        };
        let (from, to) = (&before.sites, &mut after.sites);
        to.live_bytes[same] = to.live_bytes[same].saturating_sub(from.live_bytes[site]);
        to.live_count[same] = to.live_count[same].saturating_sub(from.live_count[site]);
        to.total_bytes[same] = to.total_bytes[same].saturating_sub(from.total_bytes[site]);
        to.total_count[same] = to.total_count[same].saturating_sub(from.total_count[site]);
    }
    let (from, to) = (&before.header.totals, &mut after.header.totals);
    to.live_bytes = to.live_bytes.saturating_sub(from.live_bytes);
    to.live_count = to.live_count.saturating_sub(from.live_count);
    to.total_bytes = to.total_bytes.saturating_sub(from.total_bytes);
    to.total_count = to.total_count.saturating_sub(from.total_count);
    after
}

/// For each row of `stacks` the row of the same stack in `after`.
fn rows_in(stacks: &Stacks, modules: &[Module], after: &Snapshot) -> Vec<Option<u32>> {
    let module_of: Vec<Option<u32>> = modules
        .iter()
        .map(|module| Some(after.modules.iter().position(|known| known == module)? as u32))
        .collect();
    let theirs = &after.stacks;
    let known: HashMap<(i64, u32, u64), u32> = (0..theirs.parent.len())
        .map(|row| {
            let key = (theirs.parent[row], theirs.module[row], theirs.address[row]);
            (key, row as u32)
        })
        .collect();
    let mut rows: Vec<Option<u32>> = Vec::with_capacity(stacks.parent.len());
    for (row, &parent) in stacks.parent.iter().enumerate() {
        let parent = match usize::try_from(parent) {
            Ok(parent) => rows[parent].map(i64::from),
            Err(_) => Some(-1),
        };
        let module = module_of[stacks.module[row] as usize];
        let found = parent
            .zip(module)
            .and_then(|(parent, module)| known.get(&(parent, module, stacks.address[row])));
        rows.push(found.copied());
    }
    rows
}
