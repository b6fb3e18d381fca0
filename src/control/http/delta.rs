//! What changed between two snapshots of one run.

use crate::snapshot::{Snapshot, StackIndex};
use std::collections::HashMap;

/// The later snapshot with numbers that count from the earlier one: what has come and what has gone.
pub(super) fn between(before: &Snapshot, mut after: Snapshot) -> Snapshot {
    let after_stacks: StackIndex = StackIndex::of(&after);
    let rows = after_stacks.rows_of(before);
    let mut site_of: HashMap<u32, usize> = HashMap::new();
    for (site, &row) in after.sites.stack.iter().enumerate() {
        site_of.entry(row).or_insert(site);
    }
    for (site, &row) in before.sites.stack.iter().enumerate() {
        // A recorder forgets no stack, so the later snapshot has all that the earlier one has.
        let Some(&same) = rows[row as usize].and_then(|row| site_of.get(&row)) else {
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
