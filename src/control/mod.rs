//! Everything that is not the hook: settings, the keeper's thread, files, the end of the process.
//!
//! This is ordinary code, which may allocate, lock and wait; its memory is counted as heaplens' own.
//! What an allocation does is not here, and nothing here runs inside one. Nothing here keeps the
//! program from running: what fails is said in one line, or returned to who asked.

mod clock;
mod config;
mod environment;
mod error;
mod exit;
mod failures;
mod files;
pub(crate) mod freeze;
#[cfg(feature = "http")]
pub mod http;
mod keeper;
mod marks;
mod process_memory;
mod program;
mod requests;
mod rotation;
mod run_settings;
mod sampling;
pub(crate) mod scans;
mod schedule;
#[cfg(feature = "testing")]
pub(crate) mod scope_files;
mod signal;
#[cfg(feature = "http")]
mod snapshot_folder;
#[cfg(feature = "http")]
mod status;
mod stderr;
mod store;
mod termination;
mod triggers;
mod wake;

#[cfg(feature = "internals")]
pub use clock::set_uptime;
pub use config::Config;
pub use error::{ChangeError, SnapshotError, StartError};
pub use marks::{iterate, mark};
pub use sampling::{set_mode, set_sample_bytes};
#[cfg(feature = "internals")]
pub use scans::scan_within;
pub use signal::Signal;

use crate::graph;
use crate::recorder;
use crate::settings::{Mode, Settings};
use crate::snapshot::{Reason, Snapshot};
use environment::Environment;
use keeper::Keeper;
use once_cell::sync::OnceCell;
use requests::{Answer, REQUESTS, Wanted};
use run_settings::RunSettings;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Once};
use std::time::Duration;

/// Longest time that a call of [`snapshot`] waits.
const SNAPSHOT_CAP: Duration = Duration::from_secs(30);
/// The same of [`snapshot_graph`], for which the process is copied twice.
const GRAPH_CAP: Duration = Duration::from_secs(90);

/// What became of the one start that a process has.
static STARTED: OnceCell<Started> = OnceCell::new();

enum Started {
    Recording,
    Off,
}

/// Keeps the profiler running. When it is dropped, the last snapshot is taken, and the drop waits
/// until it is written, 10 seconds at most.
///
/// Kept in a variable of `main` that was declared first, it is dropped last, and the last snapshot
/// shows what outlives all others.
#[derive(Debug)]
#[must_use = "the profiler ends when this is dropped"]
pub struct Profiler {
    /// Only [`start`] makes one.
    _started: (),
}

impl Drop for Profiler {
    fn drop(&mut self) {
        if matches!(STARTED.get(), Some(Started::Recording)) {
            exit::end();
        }
    }
}

/// Starts the profiler. Once in a process, and outside of it nothing is recorded but totals.
///
/// Settings of the environment (`HEAPLENS_*`) override the config. Each of them that makes no sense
/// is told in one line on stderr and otherwise ignored.
///
/// # Errors
///
/// If the program does not allocate through heaplens, if the profiler has been started before, or
/// if a value in the config is not allowed or was fixed before `main`.
pub fn start(config: Config) -> Result<Profiler, StartError> {
    if exit::is_forked_child() {
        return Err(StartError::ForkedChild);
    }
    let mut first = false;
    recorder::as_own(|| {
        STARTED.get_or_try_init(|| {
            first = true;
            start_once(&config)
        })
    })?;
    if first {
        Ok(Profiler { _started: () })
    } else {
        Err(StartError::AlreadyStarted)
    }
}

fn start_once(config: &Config) -> Result<Started, StartError> {
    let recorded = recorded_with().ok_or(StartError::NoAllocator)?;
    let (environment, warnings) = Environment::of_process();
    for warning in &warnings {
        stderr::line(warning);
    }
    let settings = RunSettings::resolve(config, &environment, recorded)?;
    if recorded.mode == Mode::Off {
        return Ok(Started::Off);
    }
    if !recorder::has_tables() {
        stderr::line(
            "the system has not enough address space for the tables (about 300 MiB in exact mode, \
             1.2 GiB in sampled mode, hardly any of it resident) and as much again for the program: \
             allocations are not recorded. Is there a limit, such as `ulimit -v`?",
        );
    }
    record_stacks();
    graph::note_main_thread();
    let signal = settings.signal;
    let on_term = settings.on_term;
    let listen = settings.listen.clone();
    let scans_by_itself = matches!(settings.graph, scans::When::OnLeak | scans::When::Every(_));
    let is_triggered = settings.interval.is_some()
        || scans_by_itself
        || signal != Signal::None
        || on_term
        || settings.asks_for_triggers;
    // Before the thread, whose name tells from outside which signal it is.
    let installed = signal::install(signal);
    if let Err(reason) = &installed {
        stderr::line(&format!(
            "signal {} takes no snapshots: {reason}. HEAPLENS_SIGNAL names another one, or none",
            signal.name()
        ));
    }
    let keeper = Keeper::new(settings, installed.map_or(Signal::None, |()| signal));
    if is_triggered {
        keeper.spawn().map_err(StartError::Thread)?;
    } else {
        keeper.wait();
    }
    exit::watch();
    if on_term {
        for (name, reason) in termination::install() {
            stderr::line(&format!(
                "signal {name} takes no last snapshot, though HEAPLENS_ON_TERM is set: {reason}"
            ));
        }
    }
    if let Some(listen) = listen {
        #[cfg(feature = "http")]
        http::start(&listen);
        #[cfg(not(feature = "http"))]
        stderr::line(&format!(
            "not listening on {}: this program was built without the feature `http` of heaplens",
            listen.address
        ));
    }
    Ok(Started::Recording)
}

/// What allocations are recorded with. `None`: the program allocates without heaplens.
pub(crate) fn recorded_with() -> Option<Settings> {
    // There may have been no allocation before.
    drop(black_box(Box::new(0_u8)));
    recorder::settings()
}

/// Has stacks recorded from here on. A start that fails for lack of a thread may be tried again, this
/// may not.
pub(crate) fn record_stacks() {
    static RECORDER: Once = Once::new();
    RECORDER.call_once(|| recorder::as_own(recorder::start));
}

/// What `profile!` calls: says in one line why the profiler does not start, and lets the program run.
#[doc(hidden)]
pub fn start_from_macro(config: &Config) -> Option<Profiler> {
    match start(config.clone()) {
        Ok(profiler) => Some(profiler),
        Err(error) => {
            stderr::line(&format!("not profiling: {error}"));
            None
        }
    }
}

/// Takes a snapshot and returns its path. Waits until it is written, 30 seconds at most.
///
/// The label stands in the snapshot as it is and, reduced to `[a-z0-9-]{1,32}`, in the file's name:
/// `heaplens::snapshot("after warm-up")`.
///
/// # Errors
///
/// If the profiler does not run here, or if the file could not be written in time.
pub fn snapshot(label: &str) -> Result<PathBuf, SnapshotError> {
    ask(Reason::Request, label, Wanted::File, SNAPSHOT_CAP)
}

/// Scans the heap for what no pointer reaches, takes a snapshot that shows it, and returns its path. Waits
/// until it is written, 90 seconds at most.
///
/// In exact mode only. Two copies of the process, made some milliseconds apart, follow all pointers, and what
/// neither of them reaches counts as unreached: the program runs on meanwhile, and stands still while it is
/// copied. What such a scan cannot see is said at [`snapshot::graph`](mod@crate::snapshot::graph).
///
/// # Errors
///
/// As [`snapshot`]; and if the heap cannot be scanned, for want of memory, of exact mode, or of the system's
/// leave.
pub fn snapshot_graph() -> Result<PathBuf, SnapshotError> {
    ask(Reason::Graph, "", Wanted::File, GRAPH_CAP)
}

/// Takes a snapshot and returns it, without writing a file: for programs that send it themselves.
/// Waits 30 seconds at most.
///
/// It has the number of the last file in [`Header::sequence`](crate::snapshot::Header::sequence).
///
/// # Errors
///
/// If the profiler does not run here, or if there is no memory for it.
pub fn snapshot_in_memory(label: &str) -> Result<Snapshot, SnapshotError> {
    ask(Reason::Request, label, Wanted::Memory, SNAPSHOT_CAP)
}

fn ask<T>(
    reason: Reason,
    label: &str,
    wanted: fn(Arc<Answer<T>>) -> Wanted,
    cap: Duration,
) -> Result<T, SnapshotError> {
    if exit::is_forked_child() {
        return Err(SnapshotError::ForkedChild);
    }
    match STARTED.get() {
        None => return Err(SnapshotError::NotStarted),
        Some(Started::Off) => return Err(SnapshotError::Off),
        Some(Started::Recording) => {}
    }
    if keeper::is_current() {
        // Host code on our thread, such as a panic hook, would wait for itself.
        return Err(SnapshotError::TimedOut);
    }
    recorder::as_own(|| {
        keeper::wake_up().map_err(SnapshotError::Thread)?;
        REQUESTS.snapshot(reason, label, wanted, cap)
    })
}

/// Counts units of work that are done: requests, jobs, frames. Snapshots carry the sum, so that
/// growth can be told per unit. Never waits; costs one addition.
pub fn work_done(units: u64) {
    keeper::WORK_DONE.fetch_add(units, Ordering::Relaxed);
}
