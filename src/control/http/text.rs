//! A profile as text, for a look with nothing but `curl`: the totals, and the heaviest stacks as
//! addresses, which `addr2line` and `heaplens` name.

use crate::settings::Mode;
use crate::snapshot::Snapshot;
use std::cmp::Reverse;
use std::fmt::Write;

/// Stacks that are listed.
const MOST: usize = 100;

pub(super) fn profile(snapshot: &Snapshot) -> String {
    let (header, sites) = (&snapshot.header, &snapshot.sites);
    let totals = &header.totals;
    let mut text = String::new();
    let how = match header.recorder.mode {
        Mode::Sampled => format!(
            "estimated from one sample in {} B",
            header.recorder.sample_bytes
        ),
        _ => "exact".to_owned(),
    };
    let _ = writeln!(
        text,
        "heap of {} at {}, {how}\n{} B live in {} blocks, {} B in {} blocks allocated",
        header.program.executable,
        header.taken,
        totals.live_bytes,
        totals.live_count,
        totals.total_bytes,
        totals.total_count,
    );
    let mut order: Vec<usize> = (0..sites.stack.len()).collect();
    order.sort_by_key(|&site| Reverse(sites.live_bytes[site].unsigned_abs()));
    for site in order.into_iter().take(MOST) {
        let _ = writeln!(
            text,
            "\n{} B live in {} blocks, {} B in {} blocks allocated",
            sites.live_bytes[site],
            sites.live_count[site],
            sites.total_bytes[site],
            sites.total_count[site],
        );
        let mut row = Some(sites.stack[site] as usize);
        while let Some(at) = row {
            let stacks = &snapshot.stacks;
            let module = snapshot.modules.get(stacks.module[at] as usize);
            let path = module.map_or("?", |module| &module.path);
            let _ = writeln!(text, "    {path}+{:#x}", stacks.address[at]);
            row = usize::try_from(stacks.parent[at]).ok();
        }
    }
    text
}
