//! When the heap is scanned for what nobody holds, and whether there is room for it.
//!
//! How a scan works is not known here. One that cannot be made is told in a line, and the program runs on.

use super::requests::REQUESTS;
use super::{freeze, process_memory};
use crate::graph::{self, Found, Limits, ScanError};
use crate::recorder;
use crate::settings::Mode;
use crate::tables::scopes::{NO_SCOPE, ScopeId};
use parking_lot::Mutex;
use std::io;
use std::time::{Duration, Instant};

/// Shortest time between scans.
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// Longest time for each of the two copies; the end of the program is not to wait so long.
const TIME: Duration = Duration::from_secs(30);
const TIME_AT_EXIT: Duration = Duration::from_secs(4);

/// One scan at a time.
static ONE: Mutex<()> = Mutex::new(());
/// How often who waits for it looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(10);

/// What `HEAPLENS_GRAPH` takes.
pub(super) const ALLOWED: &str = "exit, on-leak, a time of at least 1s, such as 10min, or none";

/// When the heap is scanned beside when the program asks for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum When {
    #[default]
    Never,
    /// With the last snapshot.
    Exit,
    /// When live bytes look like those of a leak.
    OnLeak,
    Every(Duration),
}

impl When {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "none" | "0" => Some(Self::Never),
            "exit" => Some(Self::Exit),
            "on-leak" => Some(Self::OnLeak),
            time => {
                let time = humantime::parse_duration(time).ok()?;
                (time >= MIN_INTERVAL).then_some(Self::Every(time))
            }
        }
    }
}

/// The scans of a run.
#[derive(Debug)]
pub(super) struct Scans {
    when: When,
    /// The next look, or the next scan at intervals.
    due: Instant,
    rise: Rise,
    /// The last one could not be made, and this was told.
    is_failing: bool,
}

impl Scans {
    pub(super) fn new(when: When, now: Instant) -> Self {
        Self {
            when,
            due: match when {
                When::Every(interval) => now + interval,
                _ => now,
            },
            rise: Rise::default(),
            is_failing: false,
        }
    }

    /// Whether the last snapshot comes with a scan.
    pub(super) fn at_exit(&self) -> bool {
        self.when == When::Exit
    }

    /// Whether a scan is due now.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        if now < self.due {
            return false;
        }
        match self.when {
            When::Never | When::Exit => false,
            When::Every(interval) => {
                self.due = now + interval;
                true
            }
            When::OnLeak => {
                self.due = now + Rise::LOOK;
                freeze::totals_now().is_some_and(|totals| self.rise.is_new(totals.live_bytes, now))
            }
        }
    }

    /// A line to tell, if this is the first scan that could not be made.
    pub(super) fn failed(&mut self, error: &io::Error) -> Option<String> {
        let first = !std::mem::replace(&mut self.is_failing, true);
        first.then(|| format!("the heap is not scanned: {error}; the program runs on"))
    }

    pub(super) fn succeeded(&mut self) {
        self.is_failing = false;
    }
}

/// Live bytes that only rise. What a program does moves them up and down; the least of each minute stays
/// where it is unless more and more is kept.
#[derive(Debug, Default)]
struct Rise {
    /// When the minute at hand began, and its least live bytes so far.
    minute: Option<(Instant, i64)>,
    /// The least live bytes of the minute before.
    before: Option<i64>,
    /// Minutes in a row in which the least has risen, and by how much in all.
    minutes: u32,
    bytes: i64,
    told: Option<Instant>,
}

impl Rise {
    const LOOK: Duration = Duration::from_secs(5);
    const MINUTE: Duration = Duration::from_secs(60);
    /// From so many minutes and bytes on it counts.
    const MINUTES: u32 = 5;
    const BYTES: i64 = 1 << 20;
    /// It counts once in so long.
    const REST: Duration = Duration::from_secs(3_600);

    /// Whether live bytes have come to look like those of a leak.
    fn is_new(&mut self, live_bytes: i64, now: Instant) -> bool {
        match &mut self.minute {
            Some((began, least)) if now < *began + Self::MINUTE => {
                *least = live_bytes.min(*least);
                return false;
            }
            minute => {
                if let Some((_, least)) = minute.replace((now, live_bytes)) {
                    self.end_minute(least);
                }
            }
        }
        let is_resting = self.told.is_some_and(|told| now < told + Self::REST);
        let counts = self.minutes >= Self::MINUTES && self.bytes >= Self::BYTES && !is_resting;
        if counts {
            self.told = Some(now);
        }
        counts
    }

    fn end_minute(&mut self, least: i64) {
        match self.before.replace(least) {
            Some(before) if least > before => {
                self.minutes += 1;
                self.bytes = self.bytes.saturating_add(least - before);
            }
            _ => (self.minutes, self.bytes) = (0, 0),
        }
    }
}

/// Scans the heap for a snapshot. `limit` is one of memory that somebody has given. Any scan but that of the
/// last snapshot is given up when the program ends, which is [`io::ErrorKind::Interrupted`].
pub(super) fn scan(limit: Option<u64>, is_last: bool) -> io::Result<Found> {
    let (time, give_up): (_, fn() -> bool) = match is_last {
        true => (TIME_AT_EXIT, || false),
        false => (TIME, || REQUESTS.is_last_wanted()),
    };
    scan_scope(NO_SCOPE, limit, time, give_up)
}

/// Scans the heap for blocks of a scope, or for all if it is none. Each copy may take so long.
pub(crate) fn scan_scope(
    scope: ScopeId,
    limit: Option<u64>,
    time: Duration,
    give_up: fn() -> bool,
) -> io::Result<Found> {
    let recorder = recorder::global().filter(|recorder| recorder.settings().mode == Mode::Exact);
    let Some(recorder) = recorder else {
        return Err(io::Error::other(
            "only in exact mode are all blocks known: start the program with HEAPLENS_MODE=exact",
        ));
    };
    let _only = loop {
        match ONE.try_lock_for(LOOK) {
            Some(only) => break only,
            None if give_up() => return Err(io_error(ScanError::Interrupted)),
            None => {}
        }
    };
    // Now that no other scan takes memory.
    let totals = freeze::totals_now().unwrap_or_default();
    let blocks = u64::try_from(totals.live_count).unwrap_or(0);
    let limits = Limits {
        scope,
        time,
        blocks,
        memory: check_room(blocks, limit)?,
        give_up,
    };
    graph::scan_twice(recorder, &limits).map_err(io_error)
}

/// Scans the heap with so much time for each copy of the process, and forgets what it finds. For tests.
///
/// # Errors
///
/// As [`snapshot_graph`](crate::snapshot_graph).
#[cfg(feature = "internals")]
pub fn scan_within(time: Duration) -> io::Result<()> {
    recorder::as_own(|| scan_scope(NO_SCOPE, None, time, || false)).map(drop)
}

/// What the copy takes for itself, and what the program comes to have twice by writing to its memory meanwhile,
/// must be left: who has no room is killed, and perhaps it is the program. Returns how much the copy may take.
fn check_room(blocks: u64, limit: Option<u64>) -> io::Result<u64> {
    const FOR_EACH_BLOCK: u64 = 72;
    const BESIDE: u64 = 16 << 20;
    /// Part of the resident memory that is written to during a scan.
    const WRITTEN: u64 = 8;
    let resident = process_memory::of_process().rss_bytes.unwrap_or(0);
    let beside = BESIDE + resident / WRITTEN;
    let wanted = blocks * FOR_EACH_BLOCK + beside;
    let in_group = process_memory::pressure(limit)
        .map(|pressure| pressure.limit_bytes.saturating_sub(pressure.used_bytes));
    let left = in_group
        .into_iter()
        .chain(process_memory::available())
        .min()
        .unwrap_or(u64::MAX);
    if left < wanted {
        return Err(io::Error::new(
            io::ErrorKind::OutOfMemory,
            format!(
                "a scan may take {} MiB of memory, and {} MiB are left",
                wanted.div_ceil(1 << 20),
                left >> 20
            ),
        ));
    }
    Ok(left - beside)
}

fn io_error(error: ScanError) -> io::Error {
    match error {
        ScanError::Unsupported => io::Error::new(
            io::ErrorKind::Unsupported,
            "the heap can be scanned on x86-64 Linux with pages of 4 KiB only",
        ),
        ScanError::Copy(number) => {
            let error = io::Error::from_raw_os_error(number);
            // Of no kind of its own: `EINTR` of the system is not the end of the program.
            io::Error::other(format!("the system does not copy the process: {error}"))
        }
        ScanError::NoMemory => io::ErrorKind::OutOfMemory.into(),
        ScanError::NoProc => io::Error::new(
            io::ErrorKind::Unsupported,
            "the system does not tell about the process's memory: it takes `maps` and `pagemap` in \
             /proc/self",
        ),
        ScanError::TooSlow(limit) => io::Error::new(
            io::ErrorKind::TimedOut,
            format!("it was not ready within {limit:?}"),
        ),
        ScanError::Killed(status) => io::Error::other(format!(
            "the copy of the process was ended from outside (wait status {status:#x}), for want of \
             memory perhaps"
        )),
        ScanError::Interrupted => io::Error::new(
            io::ErrorKind::Interrupted,
            "the program ends, and its last snapshot comes first",
        ),
        ScanError::StillThere => io::Error::new(
            io::ErrorKind::ResourceBusy,
            "a copy of the process, made for an earlier scan, was ended and has not gone yet",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_scans_are_words_or_intervals() {
        assert_eq!(When::parse("exit"), Some(When::Exit));
        assert_eq!(When::parse(" On-Leak "), Some(When::OnLeak));
        assert_eq!(When::parse("none"), Some(When::Never));
        let ten = Duration::from_secs(600);
        assert_eq!(When::parse("10min"), Some(When::Every(ten)));
        for text in ["", "sometimes", "10ms", "-1s"] {
            assert_eq!(When::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_a_rise_of_every_minutes_least_counts_and_once_an_hour() {
        let start = Instant::now();
        let at = |minute: u32| start + Rise::MINUTE * minute;
        let mut rise = Rise::default();
        // Sawteeth: the least of each minute stays.
        for minute in 0..20 {
            assert!(!rise.is_new(1 << 30, at(minute)));
            assert!(!rise.is_new(1 << 20, at(minute) + Rise::LOOK));
        }
        let counts = |rise: &mut Rise, minutes: std::ops::Range<u32>| {
            minutes
                .filter(|&minute| rise.is_new(i64::from(minute) << 20, at(minute)))
                .collect::<Vec<_>>()
        };
        let told = counts(&mut rise, 100..200);
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0] >= 105 && told[1] - told[0] >= 60, "{told:?}");
        assert!(counts(&mut Rise::default(), 0..5).is_empty());
    }

    #[test]
    fn without_room_nothing_is_begun() {
        let error = check_room(u64::MAX >> 20, None).expect_err("nobody has this much");
        assert!(error.to_string().contains("MiB are left"), "{error}");
        assert!(check_room(1, Some(1)).is_err(), "the given limit is passed");
        assert!(check_room(1_000, None).is_ok());
    }
}
