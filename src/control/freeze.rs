//! Turns the recorder's tables into a snapshot, while the program runs on.
//!
//! Reads only; never waits for a thread of the program. Does not know why the snapshot is taken
//! nor where it goes.

use super::process_memory;
use crate::platform;
use crate::recorder::ages::{AgeBins, TICK_SECONDS, class_of};
use crate::recorder::poisson::Weight;
use crate::recorder::{self, Recorder};
use crate::settings::Mode;
use crate::snapshot::{
    AGE_BOUNDS_SECONDS, AGE_CLASSES, Ages, FORMAT, FORMAT_VERSION, Header, Module, Overhead,
    SPECIAL_MODULE, Sites, Snapshot, SpecialFrame, Stacks, Totals,
};
use crate::stack::replay::special_code;
use crate::tables::counters::Sums;
use crate::tables::site_tree::{NodeId, ROOT};
use parking_lot::Mutex;
use std::time::Duration;

/// Times that a site's counters are read before a moving one is taken as it is.
const ROUNDS: usize = 8;

static AGE_BINS: Mutex<Option<AgeBins>> = Mutex::new(None);

/// Moves the recorder's clock to the time since its start, and looks for new libraries where a
/// stack has met one. Called about once a second.
pub(crate) fn tick(uptime: Duration) {
    if let Some(recorder) = recorder::global() {
        let mut bins = AGE_BINS.lock();
        recorder.advance(bins.get_or_insert_with(AgeBins::new), uptime);
    }
    recorder::refresh_modules();
}

/// Reads the tables. `header` comes filled in but for `recorder`, `totals`, `losses` and
/// `overhead`, which this function owns. Of these it takes in `losses.snapshots_failed`, and in
/// `totals.peak_live_bytes` the peak so far.
pub(crate) fn freeze(mut header: Header) -> Snapshot {
    let recorder = recorder::global();
    if let Some(settings) = recorder::settings() {
        let exact = settings.mode == Mode::Exact;
        header.recorder = crate::snapshot::Recorder {
            mode: settings.mode,
            sample_bytes: if exact { 0 } else { settings.sample_bytes },
            depth: settings.depth,
            unwinder: if cfg!(target_arch = "x86_64") {
                "eh-frame"
            } else {
                "leaf-only"
            }
            .into(),
        };
    }
    let (rows, unsettled) = match recorder {
        Some(recorder) if recorder.settings().mode == Mode::Exact => exact_rows(recorder),
        Some(recorder) => (sampled_rows(recorder), 0),
        None => (Vec::new(), 0),
    };
    let own = recorder.map_or(ROOT, Recorder::own_site);
    let own_heap = rows
        .iter()
        .find(|row| row.site == own)
        .map_or(0, |row| row.sums.live_bytes);
    let rows: Vec<Row> = rows.into_iter().filter(|row| row.site != own).collect();

    header.totals = totals(&rows, header.totals.peak_live_bytes);
    if let Some(recorder) = recorder {
        let snapshots_failed = header.losses.snapshots_failed;
        header.losses = recorder.losses.read();
        header.losses.snapshots_failed = snapshots_failed;
        header.losses.sites_unsettled = unsettled;
        header.losses.threads_unregistered = recorder.threads.refused();
        header.overhead = overhead(recorder, own_heap, header.totals.live_count);
    }
    let modules = modules(recorder);
    header.program.build_id = modules.get(1).and_then(|module| module.build_id.clone());
    let (stacks, rows_of_nodes) = stacks(recorder, &rows);
    Snapshot {
        format: FORMAT.into(),
        format_version: FORMAT_VERSION,
        header,
        modules,
        stacks,
        sites: sites(recorder, &rows, &rows_of_nodes),
        symbols: None,
        complete: false,
    }
}

/// A site with anything recorded.
#[derive(Default)]
struct Row {
    site: NodeId,
    sums: Sums,
    ages: [i64; AGE_CLASSES],
    live_samples: u64,
    total_samples: u64,
    live_variance: f64,
    total_variance: f64,
}

/// Exact mode: shared rows and threads' caches. A site whose counters were flushed in between is
/// read again. Returns how many were still moving at the last try.
fn exact_rows(recorder: &Recorder) -> (Vec<Row>, u64) {
    let mut bins = AGE_BINS.lock();
    let bins = bins.get_or_insert_with(AgeBins::new);
    let counters = &recorder.counters;
    let sites = recorder.tree.len().min(counters.len());
    let mut rows: Vec<Row> = (0..sites)
        .map(|site| Row {
            site: site as NodeId,
            ..Row::default()
        })
        .collect();
    let mut moving: Vec<usize> = (0..sites).collect();
    let mut is_moving = vec![true; sites];
    for _ in 0..ROUNDS {
        let mut before = Vec::with_capacity(moving.len());
        for &site in &moving {
            before.push(counters.settled(site));
            let (sums, by_bin) = counters.read(site);
            rows[site].sums = sums;
            rows[site].ages = bins.classes(&by_bin);
        }
        for cache in recorder.threads.caches() {
            cache.read(|site, birth, delta| {
                let Some(row) = rows
                    .get_mut(site as usize)
                    .filter(|_| is_moving[site as usize])
                else {
                    return;
                };
                row.sums.add(&delta);
                let class = &mut row.ages[bins.class_of_bin(recorder.ages.bin(birth))];
                *class = class.wrapping_add(delta.live_bytes());
            });
        }
        moving = moving
            .into_iter()
            .zip(before)
            .filter(|&(site, before)| before.is_none() || counters.settled(site) != before)
            .map(|(site, _)| site)
            .collect();
        if moving.is_empty() {
            break;
        }
        is_moving.fill(false);
        for &site in &moving {
            is_moving[site] = true;
        }
    }
    let unsettled = moving.len() as u64;
    rows.retain(|row| row.sums != Sums::default());
    (rows, unsettled)
}

/// Sampled mode: the weights of the live samples, and of all ever taken.
fn sampled_rows(recorder: &Recorder) -> Vec<Row> {
    let sites = recorder.tree.len();
    let mut rows: Vec<Row> = (0..sites)
        .map(|site| {
            let totals = recorder.samples.totals(site as NodeId);
            let sums = Sums {
                total_bytes: totals.bytes,
                total_count: totals.count,
                ..Sums::default()
            };
            Row {
                site: site as NodeId,
                sums,
                total_samples: totals.samples,
                total_variance: totals.variance,
                ..Row::default()
            }
        })
        .collect();
    let mut counts = vec![0.0f64; sites];
    let now = recorder.ages.now();
    for sample in recorder.samples.live() {
        // A site newer than the length read above belongs to the next snapshot.
        let Some(row) = rows.get_mut(sample.site as usize) else {
            continue;
        };
        let weight = Weight::of(sample.size, sample.mean);
        let bytes = weight.bytes.round() as i64;
        let ticks = now.saturating_sub(sample.birth).saturating_sub(1);
        row.sums.live_bytes += bytes;
        row.ages[class_of(u64::from(ticks) * TICK_SECONDS)] += bytes;
        row.live_samples += 1;
        row.live_variance += weight.variance;
        counts[sample.site as usize] += weight.count;
    }
    for (row, count) in rows.iter_mut().zip(counts) {
        row.sums.live_count = count.round() as i64;
    }
    rows.retain(|row| row.total_samples > 0 || row.live_samples > 0);
    rows
}

fn totals(rows: &[Row], peak_so_far: i64) -> Totals {
    let mut totals = Totals::default();
    for row in rows {
        totals.live_bytes = totals.live_bytes.saturating_add(row.sums.live_bytes);
        totals.live_count = totals.live_count.saturating_add(row.sums.live_count);
        totals.total_bytes = totals.total_bytes.saturating_add(row.sums.total_bytes);
        totals.total_count = totals.total_count.saturating_add(row.sums.total_count);
        totals.live_bytes_variance += row.live_variance;
    }
    totals.peak_live_bytes = totals.live_bytes.max(peak_so_far);
    totals
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
        .flat_map(|recorder| recorder.modules.iter());
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

/// The stacks of the rows, and each node's row in them.
fn stacks(recorder: Option<&Recorder>, rows: &[Row]) -> (Stacks, Vec<u32>) {
    let mut stacks = Stacks::default();
    let Some(recorder) = recorder else {
        return (stacks, Vec::new());
    };
    let len = rows
        .iter()
        .map(|row| row.site as usize + 1)
        .max()
        .unwrap_or(0);
    let mut is_used = vec![false; len];
    for row in rows {
        let mut node = row.site;
        while node != ROOT && !is_used[node as usize] {
            is_used[node as usize] = true;
            node = recorder.tree.get(node).map_or(ROOT, |(parent, _)| parent);
        }
    }
    // A node is made after its parent, so ids ascend from parents to children.
    let mut rows_of_nodes = vec![0u32; len];
    for node in (0..len).filter(|&node| is_used[node]) {
        let Some((parent, frame)) = recorder.tree.get(node as NodeId) else {
            continue;
        };
        rows_of_nodes[node] = stacks.parent.len() as u32;
        let (module, address) = place(recorder, frame);
        stacks.parent.push(match parent {
            ROOT => -1,
            parent => i64::from(rows_of_nodes[parent as usize]),
        });
        stacks.module.push(module);
        stacks.address.push(address);
    }
    (stacks, rows_of_nodes)
}

/// A frame as module and address within it.
fn place(recorder: &Recorder, frame: u64) -> (u32, u64) {
    if let Some(code) = special_code(frame) {
        return (SPECIAL_MODULE, code);
    }
    match recorder.modules.find(frame) {
        Some((index, module)) => (index as u32 + 1, frame.wrapping_sub(module.identity.bias)),
        None => (SPECIAL_MODULE, SpecialFrame::UnknownCode.code()),
    }
}

fn sites(recorder: Option<&Recorder>, rows: &[Row], rows_of_nodes: &[u32]) -> Sites {
    let is_sampled = recorder.is_some_and(|recorder| recorder.settings().mode == Mode::Sampled);
    let sampled = if is_sampled { rows } else { &[] };
    Sites {
        stack: rows
            .iter()
            .map(|row| rows_of_nodes[row.site as usize])
            .collect(),
        live_bytes: rows.iter().map(|row| row.sums.live_bytes).collect(),
        live_count: rows.iter().map(|row| row.sums.live_count).collect(),
        total_bytes: rows.iter().map(|row| row.sums.total_bytes).collect(),
        total_count: rows.iter().map(|row| row.sums.total_count).collect(),
        ages: Ages {
            bounds_seconds: AGE_BOUNDS_SECONDS.to_vec(),
            live_bytes: (0..AGE_CLASSES)
                .map(|class| rows.iter().map(|row| row.ages[class]).collect())
                .collect(),
        },
        live_samples: sampled.iter().map(|row| row.live_samples).collect(),
        total_samples: sampled.iter().map(|row| row.total_samples).collect(),
        live_bytes_variance: sampled.iter().map(|row| row.live_variance).collect(),
        total_bytes_variance: sampled.iter().map(|row| row.total_variance).collect(),
    }
}
