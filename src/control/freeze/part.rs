//! A snapshot of a part of what is recorded, by somebody who knows the numbers.

use super::rows::Row;
use super::{assemble, graph, losses, totals};
use crate::graph::Found;
use crate::recorder;
use crate::snapshot::{Header, Snapshot};
use crate::tables::counters::Sums;
use crate::tables::site_tree::NodeId;

/// A snapshot of sites whose numbers are known, all of them young. `header` comes as for [`freeze`](super::freeze),
/// and without `overhead`. What a scan of the heap has found at these sites may come with it.
pub(crate) fn freeze_sites(
    mut header: Header,
    sites: impl IntoIterator<Item = (NodeId, Sums)>,
    scan: Option<&Found>,
) -> Snapshot {
    let recorder = recorder::global();
    let young = |live_bytes| std::array::from_fn(|class| if class == 0 { live_bytes } else { 0 });
    let mut rows: Vec<Row> = sites
        .into_iter()
        .map(|(site, sums)| Row {
            site,
            sums,
            ages: young(sums.live_bytes),
            ..Row::default()
        })
        .collect();
    rows.sort_by_key(|row| row.site);
    header.totals = totals(&rows, header.totals.peak_live_bytes);
    header.losses = recorder.map(losses).unwrap_or_default();
    let graph = scan.map(|found| graph::graph(found, &rows));
    Snapshot {
        graph,
        ..assemble(header, recorder, rows)
    }
}
