//! How the profiler and the process are doing, at the cost of a few sums: for who asks every second.
//!
//! What the keeper counts stands here in atomics; all else is read when it is asked for. Not a
//! snapshot: there are no sites in it.

use super::sampling::{self, Sampling};
use super::{clock, freeze, keeper, process_memory};
use crate::recorder;
use crate::settings::Settings;
use crate::snapshot::{Losses, Overhead, ProcessMemory, Totals};
use once_cell::sync::OnceCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::{Duration, Instant};

static WRITTEN: AtomicU64 = AtomicU64::new(0);
static FAILED: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);
static STARTED: OnceCell<Start> = OnceCell::new();

/// What is known of the profiler since its start.
#[derive(Debug)]
struct Start {
    folder: PathBuf,
    at: Instant,
    /// Limit of memory that somebody has given.
    limit: Option<u64>,
}

/// The profiler has started, writes to this folder, and reckons with this limit if one was given.
pub(super) fn started(folder: &Path, at: Instant, limit: Option<u64>) {
    let folder = folder.to_owned();
    // There is one start.
    let _ = STARTED.set(Start { folder, at, limit });
}

/// A snapshot has been written.
pub(super) fn written() {
    WRITTEN.fetch_add(1, Relaxed);
}

/// A snapshot could not be written.
pub(super) fn failed() {
    FAILED.fetch_add(1, Relaxed);
}

/// So many bytes were live.
pub(super) fn peak(live_bytes: i64) {
    PEAK.fetch_max(live_bytes, Relaxed);
}

/// The folder for snapshots, once the profiler has started.
pub(super) fn folder() -> Option<&'static Path> {
    STARTED.get().map(|start| &*start.folder)
}

/// What is known without looking at each site.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) settings: Settings,
    /// Sampled mode only.
    pub(super) sampling: Option<Sampling>,
    /// Build id of the program, where it has one.
    pub(crate) build_id: Option<String>,
    pub(crate) uptime: Duration,
    /// The peak is the highest that was seen so far, at snapshots and whenever anyone asked.
    pub(crate) totals: Totals,
    pub(crate) losses: Losses,
    pub(crate) overhead: Overhead,
    pub(crate) memory: ProcessMemory,
    /// The limit that was given, or else the control group's.
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) snapshots_written: u64,
    pub(crate) work_done: u64,
}

/// Looks at everything now. `None` before the profiler has started, or if it is switched off.
pub(crate) fn status() -> Option<Status> {
    let start = STARTED.get()?;
    recorder::as_own(|| {
        let mut totals = freeze::totals_now()?;
        peak(totals.live_bytes);
        totals.peak_live_bytes = PEAK.load(Relaxed);
        let (mut losses, overhead) = freeze::losses_and_overhead(totals.live_count)?;
        losses.snapshots_failed = FAILED.load(Relaxed);
        let memory = process_memory::of_process();
        Some(Status {
            settings: recorder::settings()?,
            sampling: sampling::now(),
            build_id: freeze::build_id(),
            uptime: clock::uptime(start.at),
            totals,
            losses,
            overhead,
            limit_bytes: start.limit.or(memory.cgroup_limit_bytes),
            memory,
            snapshots_written: WRITTEN.load(Relaxed),
            work_done: keeper::WORK_DONE.load(Relaxed),
        })
    })
}
