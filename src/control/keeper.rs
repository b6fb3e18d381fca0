//! The thread that takes snapshots: at intervals, on request, by signal, when memory grows or nears its
//! limit, and at the end.
//!
//! It keeps to an absolute schedule on the monotonic clock, so that neither the time a snapshot
//! takes nor a change of the wall clock moves the next one. With nothing to do it wakes once a
//! second. Nothing that goes wrong here stops the program: where there is too little memory, the
//! snapshot fails; where it runs out in the midst, this thread waits until there is some.

use super::failures::Failures;
use super::requests::{REQUESTS, Taken, Wanted};
use super::run_settings::RunSettings;
use super::signal::Blocked;
use super::store::Store;
use super::triggers::Triggers;
use super::{SnapshotError, clock, freeze, process_memory, stderr, termination};
use crate::snapshot::{
    Header, Losses, Program, Reason, RunName, Snapshot, Totals, reason_slug, rfc3339,
};
use crate::{platform, recorder};
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
}

impl Keeper {
    pub(super) fn new(settings: RunSettings) -> Self {
        let started_unix_ms = clock::unix_ms();
        let executable = process_memory::executable().unwrap_or_default();
        let pid = std::process::id();
        let file_name = executable.file_name().unwrap_or_default().to_string_lossy();
        let run = RunName {
            executable: file_name.into_owned(),
            started_unix_ms,
            pid,
        };
        let program = Program {
            executable: executable.to_string_lossy().into_owned(),
            build_id: None,
            host: process_memory::host_name(),
            pid,
            started: rfc3339(started_unix_ms),
            started_unix_ms,
            heaplens_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let started = Instant::now();
        let dir = std::path::absolute(&settings.dir).unwrap_or(settings.dir);
        #[cfg(feature = "http")]
        super::status::started(&dir, started);
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
        }
    }

    /// Starts the thread when [`wake_up`] is called. A program of one thread stays one until then:
    /// glibc's allocator is a good deal faster for those.
    pub(super) fn wait(self) {
        *WAITING.lock() = Some(self);
    }

    /// Starts the thread.
    pub(super) fn spawn(self) -> io::Result<()> {
        let thread = thread::Builder::new()
            .name("heaplens".to_owned())
            .stack_size(STACK_BYTES);
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
                let _ = self.take(reason, None);
                return;
            }
            self.turn();
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
            let _ = self.take(Reason::Exit, None);
            termination::pass_on();
        }
        if REQUESTS.take_signal() {
            // A failure was told on stderr; there is nobody else to tell.
            let _ = self.take(Reason::Signal, None);
        }
        for request in REQUESTS.take_calls() {
            let label = Some(&*request.label);
            let result = match request.wanted {
                Wanted::File => self.take(Reason::Request, label).map(Taken::File),
                Wanted::Memory => self.hold(label).map(Taken::Memory),
            };
            request.answer(result);
        }
        let now = Instant::now();
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
    fn hold(&mut self, label: Option<&str>) -> Result<Box<Snapshot>, SnapshotError> {
        self.tick();
        let held = catch_unwind(AssertUnwindSafe(|| {
            has_room()?;
            Ok(self.freeze(Reason::Request, label))
        }));
        let mut snapshot = held
            .unwrap_or_else(|_| Err(io::Error::other("taking it panicked")))
            .map_err(SnapshotError::Failed)?;
        snapshot.header.sequence = self.sequence;
        snapshot.complete = true;
        Ok(Box::new(snapshot))
    }

    fn write(&mut self, reason: Reason, label: Option<&str>) -> io::Result<PathBuf> {
        let slug = label.map_or_else(|| reason.slug().to_owned(), reason_slug);
        // First of all, since a folder that cannot be written needs no snapshot.
        let folder = self.store.open()?;
        has_room()?;
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
        let uptime = clock::uptime(self.started);
        let taken_unix_ms = clock::taken_unix_ms(self.program.started_unix_ms);
        let snapshot = freeze::freeze(Header {
            program: self.program.clone(),
            taken: rfc3339(taken_unix_ms),
            taken_unix_ms,
            uptime_ms: u64::try_from(uptime.as_millis()).unwrap_or(u64::MAX),
            sequence: 0,
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
            memory: process_memory::of_process(),
            ..Header::default()
        });
        self.peak_live_bytes = snapshot.header.totals.peak_live_bytes;
        self.live_bytes = snapshot.header.totals.live_bytes;
        #[cfg(feature = "http")]
        super::status::peak(self.peak_live_bytes);
        snapshot
    }
}

/// Whether there is address space for a snapshot: a lack of it ends the process.
fn has_room() -> io::Result<()> {
    let wanted = freeze::address_space_wanted();
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

/// The first regular time after `now`; those that were missed are left out. `None` if there is none
/// in the reach of the clock.
fn next_due(started: Instant, interval: Duration, now: Instant) -> Option<Instant> {
    let passed = now.saturating_duration_since(started).as_nanos() / interval.as_nanos().max(1);
    let nanos = interval.as_nanos().checked_mul(passed + 1)?;
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    started.checked_add(Duration::new(seconds, (nanos % 1_000_000_000) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_schedule_does_not_drift() {
        let started = Instant::now();
        let due = |now_ms: u32| {
            let due = next_due(started, 200 * MS, started + now_ms * MS);
            due.map(|due| (due - started).as_millis())
        };
        assert_eq!(due(0), Some(200));
        assert_eq!(due(199), Some(200));
        assert_eq!(due(200), Some(400));
        assert_eq!(due(203), Some(400));
        assert_eq!(due(1_050), Some(1_200), "missed ones are left out");
    }

    #[test]
    fn an_interval_beyond_all_time_is_never_due() {
        let started = Instant::now();
        assert_eq!(next_due(started, Duration::MAX, started), None);
    }
}
