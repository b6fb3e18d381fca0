//! Turns the recorder's tables into a snapshot, while the program runs on.
//!
//! Reads only; never waits for a thread of the program. Does not know why the snapshot is taken
//! nor where it goes.

mod columns;
mod graph;
mod holders;
#[cfg(feature = "testing")]
mod part;
mod rows;

use super::{process_memory, sampling};
use crate::graph::Found;
use crate::platform;
use crate::recorder::ages::AgeBins;
use crate::recorder::{self, Recorder};
use crate::settings::Mode;
use crate::snapshot::{FORMAT, FORMAT_VERSION, Header, Losses, Module, Overhead, Snapshot, Totals};
use crate::tables::site_tree::ROOT;
use parking_lot::Mutex;
#[cfg(feature = "testing")]
pub(crate) use part::freeze_sites;
use rows::Row;
use std::io;
use std::time::Duration;

static AGE_BINS: Mutex<Option<AgeBins>> = Mutex::new(None);

/// Moves the recorder's clock to the time since its start, and looks for new libraries where a
/// stack has met one. Called about once a second.
pub(crate) fn tick(uptime: Duration) {
    if let Some(recorder) = recorder::global() {
        recorder.advance(&mut AGE_BINS.lock(), uptime);
    }
    recorder::refresh_modules();
}

/// Makes sure of the address space that must be left before a snapshot is begun: a little more than it takes,
/// reading and writing, since a lack of it in the midst ends the process. `tests/snapshot_memory.rs` holds it
/// to that.
pub(crate) fn ensure_room() -> io::Result<()> {
    const BESIDE: usize = 4 << 20;
    const FOR_EACH_NODE: usize = 128;
    let nodes = recorder::global().map_or(0, |recorder| recorder.walker.tree.len());
    let wanted = BESIDE + nodes * FOR_EACH_NODE;
    if platform::has_address_space(wanted) {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::OutOfMemory,
        format!(
            "it takes {} MiB of memory, which are not left",
            wanted >> 20
        ),
    ))
}

/// The totals alone, without a peak: without waiting for counters that move, and without a list of
/// sites. `None` if nothing is recorded.
pub(crate) fn totals_now() -> Option<Totals> {
    let recorder = recorder::global()?;
    Some(match recorder.settings().mode {
        Mode::Exact => rows::totals_exact(recorder),
        _ => rows::totals_sampled(recorder),
    })
}

/// The build id of the program.
#[cfg(feature = "http")]
pub(crate) fn build_id() -> Option<String> {
    let executable = recorder::global()?.walker.stepper.modules.iter().next()?;
    executable.identity.build_id.clone()
}

/// What was lost, and what heaplens itself takes with so many live blocks. `None` if nothing is recorded.
#[cfg(feature = "http")]
pub(crate) fn losses_and_overhead(live_count: i64) -> Option<(Losses, Overhead)> {
    let recorder = recorder::global()?;
    let own = recorder.own_site();
    let own_heap = match recorder.settings().mode {
        Mode::Exact => recorder.counters.read(own as usize).0.live_bytes,
        _ => 0,
    };
    let overhead = overhead(recorder, own_heap, live_count);
    Some((losses(recorder), overhead))
}

/// Reads the tables. `header` comes filled in but for `recorder`, `totals`, `losses` and
/// `overhead`, which this function owns. Of these it takes in `losses.snapshots_failed`, and in
/// `totals.peak_live_bytes` the peak so far. What a scan of the heap has found just before comes with it.
pub(crate) fn freeze(mut header: Header, scan: Option<&Found>) -> Snapshot {
    let recorder = recorder::global();
    let (mut rows, unsettled) = match recorder {
        Some(recorder) if recorder.settings().mode == Mode::Exact => {
            let mut bins = AGE_BINS.lock();
            let uptime = Duration::from_millis(header.uptime_ms);
            rows::exact(recorder, recorder.advance(&mut bins, uptime))
        }
        Some(recorder) => (rows::sampled(recorder), 0),
        None => (Vec::new(), 0),
    };
    let own = recorder.map_or(ROOT, Recorder::own_site);
    let mut own_heap = 0;
    rows.retain(|row| {
        let is_own = row.site == own;
        if is_own {
            own_heap = row.sums.live_bytes;
        }
        !is_own
    });

    header.totals = totals(&rows, header.totals.peak_live_bytes);
    if let Some(recorder) = recorder {
        let snapshots_failed = header.losses.snapshots_failed;
        header.losses = losses(recorder);
        header.losses.snapshots_failed = snapshots_failed;
        header.losses.sites_unsettled = unsettled;
        header.overhead = overhead(recorder, own_heap, header.totals.live_count);
    }
    let graph = scan.map(|found| graph::graph(found, &rows));
    Snapshot {
        graph,
        ..assemble(header, recorder, rows)
    }
}

/// Rows as a snapshot, with all of the header that does not depend on them.
fn assemble(mut header: Header, recorder: Option<&Recorder>, rows: Vec<Row>) -> Snapshot {
    if let Some(settings) = recorder::settings() {
        let sampling = sampling::now();
        header.recorder = crate::snapshot::Recorder {
            mode: settings.mode,
            sample_bytes: sampling.map_or(0, |sampling| sampling.sample_bytes),
            sampling_off_ms: sampling.map_or(0, |sampling| sampling.off.as_millis() as u64),
            depth: settings.depth,
            unwinder: if cfg!(target_arch = "x86_64") {
                "eh-frame"
            } else {
                "leaf-only"
            }
            .into(),
        };
    }
    let modules = modules(recorder);
    header.program.build_id = modules.get(1).and_then(|module| module.build_id.clone());
    let mut sites = columns::sites(recorder, &rows);
    // Room for the stacks, which are most of a snapshot.
    drop(rows);
    let stacks = columns::stacks(recorder, &mut sites.stack);
    Snapshot {
        format: FORMAT.into(),
        format_version: FORMAT_VERSION,
        header,
        modules,
        stacks,
        sites,
        graph: None,
        symbols: None,
        complete: false,
    }
}

fn totals(rows: &[Row], peak_so_far: i64) -> Totals {
    let mut totals = Totals::default();
    for row in rows {
        rows::add(&mut totals, &row.sums);
        totals.live_bytes_variance += row.live_variance;
    }
    totals.peak_live_bytes = totals.live_bytes.max(peak_so_far);
    totals
}

/// What the recorder has lost.
fn losses(recorder: &Recorder) -> Losses {
    Losses {
        threads_unregistered: recorder.threads.refused(),
        ..recorder.losses.read()
    }
}

fn overhead(recorder: &Recorder, own_heap: i64, live_count: i64) -> Overhead {
    let resident = |(start, len)| platform::resident_bytes(start, len);
    let block_bytes = match recorder.settings().mode {
        // A header for each block; more for the few with an alignment above 16.
        Mode::Exact => live_count.max(0) as u64 * 16,
        _ => recorder.samples.room().map_or(0, resident),
    };
    Overhead {
        tables_bytes: recorder.mappings().map(resident).sum(),
        block_bytes,
        heap_bytes: own_heap,
    }
}

fn modules(recorder: Option<&Recorder>) -> Vec<Module> {
    let special = Module {
        path: "[special]".into(),
        ..Module::default()
    };
    let executable = process_memory::executable().unwrap_or_default();
    let known = recorder
        .into_iter()
        .flat_map(|recorder| recorder.walker.stepper.modules.iter());
    let known = known.map(|module| {
        let identity = &module.identity;
        let name = identity.name.to_string_lossy();
        let path = match &*name {
            "" => executable.to_string_lossy().into_owned(),
            name if name.starts_with("linux-vdso") => "[vdso]".into(),
            name => name.into(),
        };
        Module {
            path,
            build_id: identity.build_id.clone(),
            text_hash: identity.text_hash.clone(),
        }
    });
    [special].into_iter().chain(known).collect()
}
