//! The thread that takes snapshots: at intervals, on request, by signal, when memory grows or nears its
//! limit, and at the end.
//!
//! It keeps to an absolute schedule on the monotonic clock, so that neither the time a snapshot
//! takes nor a change of the wall clock moves the next one. With nothing to do it wakes once a
//! second. Nothing that goes wrong here stops the program: where there is too little memory, the
//! snapshot fails; where it runs out in the midst, this thread waits until there is some.

use super::failures::Failures;
use super::requests::{REQUESTS, Wanted};
use super::run_settings::RunSettings;
use super::scans::{self, Scans};
use super::schedule::next_due;
use super::signal::{Blocked, Signal};
use super::store::Store;
use super::triggers::Triggers;
use super::{SnapshotError, clock, freeze, process_memory, program, stderr, termination};
use crate::graph::Found;
use crate::platform;
use crate::recorder;
use crate::snapshot::{Header, Losses, Program, Reason, Snapshot, Totals, reason_slug};
use parking_lot::Mutex;
use std::cell::Cell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Shortest wait after a failure without an interval.
const TICK: Duration = Duration::from_secs(1);
/// How many names that somebody else has taken are passed over in a row.
const NAMES_TRIED: usize = 16;
/// Only pages that are touched take memory. A hostile header of an earlier run needs the most.
const STACK_BYTES: usize = 512 << 10;

/// Units of work that the program has reported.
pub(super) static WORK_DONE: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_KEEPER: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is the keeper.
pub(super) fn is_current() -> bool {
    IS_KEEPER.try_with(Cell::get).unwrap_or(false)
}

/// The keeper of a program that nothing but the program itself asks for snapshots, until it does.
static WAITING: Mutex<Option<Keeper>> = Mutex::new(None);

/// Starts the keeper's thread, if it has waited for somebody to need it.
pub(super) fn wake_up() -> io::Result<()> {
    let Some(keeper) = WAITING.lock().take() else {
        return Ok(());
    };
    // Without a thread nobody is to wait for one.
    keeper.spawn().inspect_err(|_| REQUESTS.close())
}

/// Takes snapshots. Lives on its thread, and nobody else touches it.
pub(super) struct Keeper {
    interval: Option<Duration>,
    store: Store,
    program: Program,
    started: Instant,
    /// When the next regular snapshot is due.
    due: Option<Instant>,
    next_tick: Instant,
    /// Number of the last snapshot that was written.
    sequence: u64,
    peak_live_bytes: i64,
    /// Live bytes at the newest snapshot.
    live_bytes: i64,
    triggers: Triggers,
    /// Limit of memory that somebody has given.
    limit: Option<u64>,
    failures: Failures,
    scans: Scans,
    /// What a scan has found that the next snapshot is to show.
    found: Option<Found>,
    /// The signal that asks for snapshots.
    signal: Signal,
}

impl Keeper {
    /// `signal` is the one whose handler is installed.
    pub(super) fn new(settings: RunSettings, signal: Signal) -> Self {
        let (program, run) = program::of_process(clock::unix_ms());
        let started = Instant::now();
        let dir = std::path::absolute(&settings.dir).unwrap_or(settings.dir);
        #[cfg(feature = "http")]
        super::status::started(&dir, started, settings.limit);
        Self {
            interval: settings.interval,
            store: Store::new(dir, run, settings.keep, settings.max_disk),
            program,
            started,
            due: settings
                .interval
                .and_then(|interval| next_due(started, interval, started)),
            next_tick: started,
            sequence: 0,
            peak_live_bytes: i64::MIN,
            live_bytes: 0,
            triggers: Triggers::new(settings.triggers),
            limit: settings.limit,
            failures: Failures::default(),
            scans: Scans::new(settings.graph, started),
            found: None,
            signal,
        }
    }

    /// Starts the thread when [`wake_up`] is called. A program of one thread stays one until then:
    /// glibc's allocator is a good deal faster for those.
    pub(super) fn wait(self) {
        *WAITING.lock() = Some(self);
    }

    /// Starts the thread. Its name tells who looks at the process from outside whether it may be asked
    /// by signal: `heaplens snapshot PID` sends no other one.
    pub(super) fn spawn(self) -> io::Result<()> {
        let name = match self.signal {
            Signal::None => "heaplens".to_owned(),
            signal => format!("heaplens-{}", signal.name()),
        };
        let thread = thread::Builder::new().name(name).stack_size(STACK_BYTES);
        let _blocked = Blocked::new();
        thread.spawn(move || recorder::as_own(|| self.run()))?;
        Ok(())
    }

    fn run(mut self) {
        /// However this thread ends, nobody waits for it afterwards.
        struct Closing;
        impl Drop for Closing {
            fn drop(&mut self) {
                REQUESTS.close();
                // Whoever comes later passes it on without us.
                termination::pass_on();
            }
        }
        let _closing = Closing;
        IS_KEEPER.set(true);
        recorder::be_patient();
        loop {
            let seen = REQUESTS.rings();
            if let Some(reason) = REQUESTS.ending() {
                // The program ends: who could still be told of a failure was told.
                let _ = self.take_last(reason);
                return;
            }
            self.turn();
            // What calls have left on the stack would hold blocks for as long as this thread waits.
            platform::clear_stack();
            REQUESTS.wait(
                seen,
                self.due
                    .map_or(self.next_tick, |due| due.min(self.next_tick)),
            );
        }
    }

    /// Does what there is to do now.
    fn turn(&mut self) {
        if Instant::now() >= self.next_tick {
            self.tick();
            self.look();
        }
        if REQUESTS.termination().is_some() {
            // What went wrong was told on stderr, and the signal is not to wait.
            let _ = self.take_last(Reason::Exit);
            termination::pass_on();
        }
        if REQUESTS.take_signal() {
            // A failure was told on stderr; there is nobody else to tell.
            let _ = self.take(Reason::Signal, None);
        }
        for request in REQUESTS.take_calls() {
            let label = Some(&*request.label);
            match request.wanted {
                Wanted::File(answer) if request.reason == Reason::Graph => {
                    answer.give(self.take_graph());
                }
                Wanted::File(answer) => answer.give(self.take(request.reason, label)),
                Wanted::Memory(answer) => answer.give(self.hold(label)),
            }
        }
        let now = Instant::now();
        if !self.failures.is_waiting(now) && self.scans.is_due(now) {
            // As above.
            let _ = self.take_graph();
        }
        if let (Some(interval), Some(due)) = (self.interval, self.due)
            && now >= due
        {
            if !self.failures.is_waiting(now) {
                // As above.
                let _ = self.take(Reason::Interval, None);
            }
            self.due = next_due(self.started, interval, Instant::now());
        }
    }

    fn tick(&mut self) {
        let uptime = clock::uptime(self.started);
        // A panic is printed by the hook in force; the next tick may do better.
        let _ = catch_unwind(|| freeze::tick(uptime));
        self.next_tick = Instant::now() + self.triggers.pause();
    }

    /// Takes a snapshot if memory has grown, or comes near its limit.
    fn look(&mut self) {
        if self.failures.is_waiting(Instant::now()) {
            return;
        }
        // A panic is printed by the hook in force; the next look may do better.
        let (live_bytes, pressure) = catch_unwind(AssertUnwindSafe(|| {
            let triggers = &self.triggers;
            (
                triggers
                    .look_at_live_bytes()
                    .then(freeze::totals_now)
                    .flatten()
                    .map(|totals| totals.live_bytes),
                triggers
                    .look_at_limit()
                    .then(|| process_memory::pressure(self.limit))
                    .flatten(),
            )
        }))
        .unwrap_or_default();
        if let Some(reason) = self.triggers.due(live_bytes, pressure) {
            // A failure was told on stderr, and it is still due then.
            let _ = self.take(reason, None);
        }
    }

    /// The last snapshot, with a scan of the heap if that is wanted.
    fn take_last(&mut self, reason: Reason) -> Result<PathBuf, SnapshotError> {
        // What failed was told on stderr, and the snapshot goes without.
        let _ = self.scans.at_exit().then(|| self.scan(true));
        self.take(reason, None)
    }

    /// Scans the heap, and takes a snapshot that shows what was found.
    fn take_graph(&mut self) -> Result<PathBuf, SnapshotError> {
        self.scan(false).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => SnapshotError::Ended,
            _ => SnapshotError::Scan(error),
        })?;
        let taken = self.take(Reason::Graph, None);
        self.found = None;
        taken
    }

    fn scan(&mut self, is_exit: bool) -> io::Result<()> {
        let found = catch_unwind(AssertUnwindSafe(|| scans::scan(self.limit, is_exit)))
            .unwrap_or_else(|_| Err(io::Error::other("it panicked")));
        match found {
            Ok(found) => {
                self.scans.succeeded();
                self.found = Some(found);
                Ok(())
            }
            // It was given up for the last snapshot.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.scans
                    .failed(&error)
                    .iter()
                    .for_each(|line| stderr::line(line));
                Err(error)
            }
        }
    }

    /// Takes a snapshot, and keeps account of failures.
    fn take(&mut self, reason: Reason, label: Option<&str>) -> Result<PathBuf, SnapshotError> {
        self.tick();
        let written = catch_unwind(AssertUnwindSafe(|| self.write(reason, label)))
            .unwrap_or_else(|_| Err(io::Error::other("taking it panicked")));
        let folder = self.store.path();
        match written {
            Ok(path) => {
                if self.failures.is_failing() {
                    stderr::line(&format!(
                        "snapshots are written to {} again",
                        folder.display()
                    ));
                }
                self.failures.end();
                self.triggers.taken(self.live_bytes);
                #[cfg(feature = "http")]
                super::status::written();
                Ok(path)
            }
            Err(error) => {
                if !self.failures.is_failing() {
                    let folder = folder.display();
                    stderr::line(&format!(
                        "cannot write a snapshot to {folder}: {error}; the program runs on, and \
                         this is tried again from time to time"
                    ));
                }
                #[cfg(feature = "http")]
                super::status::failed();
                self.failures
                    .count(self.interval.unwrap_or(TICK), Instant::now());
                Err(SnapshotError::Write {
                    folder: folder.to_owned(),
                    error,
                })
            }
        }
    }

    /// Takes a snapshot that is not written: no part of the run's numbered ones.
    fn hold(&mut self, label: Option<&str>) -> Result<Snapshot, SnapshotError> {
        self.tick();
        let held = catch_unwind(AssertUnwindSafe(|| {
            freeze::ensure_room()?;
            Ok(self.freeze(Reason::Request, label))
        }));
        let mut snapshot = held
            .unwrap_or_else(|_| Err(io::Error::other("taking it panicked")))
            .map_err(SnapshotError::Failed)?;
        snapshot.header.sequence = self.sequence;
        snapshot.complete = true;
        Ok(snapshot)
    }

    fn write(&mut self, reason: Reason, label: Option<&str>) -> io::Result<PathBuf> {
        // A mark is looked for by its reason; its label is in the header.
        let slug = match label.filter(|_| reason == Reason::Request) {
            Some(label) => reason_slug(label),
            None => reason.slug().to_owned(),
        };
        // First of all, since a folder that cannot be written needs no snapshot.
        let folder = self.store.open()?;
        freeze::ensure_room()?;
        let mut sequence = self.sequence + 1;
        let mut snapshot: Option<Snapshot> = None;
        for _ in 0..NAMES_TRIED {
            let saved = self
                .store
                .create(&folder, sequence, &slug)
                .and_then(|file| {
                    let snapshot = snapshot.get_or_insert_with(|| self.freeze(reason, label));
                    snapshot.header.sequence = sequence;
                    self.store.save(&folder, file, snapshot, &slug)
                });
            match saved {
                // Somebody has put something in our way. The next number may be free.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => sequence += 1,
                Err(error) => return Err(error),
                Ok(path) => {
                    self.sequence = sequence;
                    return Ok(path);
                }
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "the names of the next files are taken",
        ))
    }

    fn freeze(&mut self, reason: Reason, label: Option<&str>) -> Snapshot {
        let header = Header {
            reason,
            label: label.map(str::to_owned),
            losses: Losses {
                snapshots_failed: self.failures.total(),
                ..Losses::default()
            },
            totals: Totals {
                peak_live_bytes: self.peak_live_bytes,
                ..Totals::default()
            },
            work_done: WORK_DONE.load(Ordering::Relaxed),
            ..program::header(&self.program, self.started)
        };
        let snapshot = freeze::freeze(header, self.found.as_ref());
        self.peak_live_bytes = snapshot.header.totals.peak_live_bytes;
        self.live_bytes = snapshot.header.totals.live_bytes;
        #[cfg(feature = "http")]
        super::status::peak(self.peak_live_bytes);
        snapshot
    }
}
