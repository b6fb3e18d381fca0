//! Turns the recorder's tables into a snapshot.

use crate::snapshot::{Header, Snapshot};

/// Reads the tables. `header` comes filled in but for `recorder`, `totals`, `losses` and
/// `overhead`, which this function owns (`losses.snapshots_failed` and `totals.peak_live_bytes`
/// apart).
pub(crate) fn freeze(_header: Header) -> Snapshot {
    todo!()
}
