//! Makes the copies of the process, waits for them, and puts together what they tell.

use super::free_memory::key_of_cached_memory;
use super::holders::{Holders, Holding};
use super::mappings::PAGE;
use super::report::{End, Report, Role, Sum, Verdict};
use super::scan::{self, Job};
use super::threads::{Registers, State, Thread, Threads};
use crate::platform::{self, NotEnded, monotonic_ns};
use crate::recorder::Recorder;
use crate::tables::scopes::ScopeId;
use crate::tables::site_tree::NodeId;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Time between two scans.
const BETWEEN: Duration = Duration::from_millis(10);
/// Most copies that are made until there is one in whose making no thread moved, and the time for which the
/// program may stand still for them in all.
const TRIES: u32 = 5;
const ALL_PAUSES: Duration = Duration::from_millis(20);

/// What counts in a scan, and its bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The scope whose blocks count; `NO_SCOPE` for all.
    pub(crate) scope: ScopeId,
    /// Longest time for one copy.
    pub(crate) time: Duration,
    /// Blocks that are allocated, about.
    pub(crate) blocks: u64,
    /// Bytes that a copy may take in all to tell who holds what. Without that it takes what it takes.
    pub(crate) memory: u64,
    /// Whether nobody wants it any more. Asked every few milliseconds.
    pub(crate) give_up: fn() -> bool,
}

/// What two scans have found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) scans: u32,
    /// The longest for which the program stood still at a time.
    pub(crate) pause: Duration,
    pub(crate) duration: Duration,
    /// The registers of all threads were read.
    pub(crate) registers: bool,
    /// System calls of the program that returned early.
    pub(crate) interrupted: u64,
    pub(crate) child_peak_bytes: u64,
    pub(crate) skipped_bytes: u64,
    pub(crate) blocks: Sum,
    /// Sites that have blocks, in ascending order.
    pub(crate) verdicts: Vec<(NodeId, Verdict)>,
    /// Heaviest first.
    pub(crate) shapes: Vec<Shape>,
    pub(crate) left_out: (u64, u64, Sum),
    /// Who holds the rest; `None` where time or memory did not suffice.
    pub(crate) holding: Option<Holding>,
}

/// Instances that begin alike.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) is_cycle: bool,
    pub(crate) instances: u64,
    pub(crate) blocks: Sum,
    pub(crate) members: Vec<(NodeId, Role, Sum)>,
    /// From which member, at which offset (`None` for several), at which one, and how often.
    pub(crate) links: Vec<(usize, Option<u64>, usize, u64)>,
}

/// Why there is no scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScanError {
    /// It is not known how this machine lays out memory and registers.
    Unsupported,
    /// The system does not copy the process: its error number.
    Copy(i32),
    /// Memory has run out, here or in the copy.
    NoMemory,
    /// There is no /proc with what is needed.
    NoProc,
    /// The copy did not get ready in time.
    TooSlow(Duration),
    /// The copy was ended from outside: its wait status.
    Killed(i32),
    /// Nobody wanted it any more.
    Interrupted,
    /// A copy of an earlier scan was killed, and is still there.
    StillThere,
}

/// Where the main thread's thread-locals are; 0 where unknown.
static MAIN_THREAD_POINTER: AtomicU64 = AtomicU64::new(0);

/// To be called once, on any thread: on the main thread it notes where its thread-locals are.
pub(crate) fn note_main_thread() {
    if platform::own_tid() == platform::own_pid() {
        MAIN_THREAD_POINTER.store(platform::thread_pointer(), Relaxed);
    }
}

/// Scans the heap twice. Not for the hook. In exact mode only, and one at a time: threads are stopped for it.
pub(crate) fn scan_twice(recorder: &Recorder, limits: &Limits) -> Result<Found, ScanError> {
    let is_known = cfg!(all(target_os = "linux", target_arch = "x86_64"));
    if !is_known || platform::page_bytes() != PAGE {
        return Err(ScanError::Unsupported);
    }
    if platform::is_one_left() {
        return Err(ScanError::StillThere);
    }
    platform::clear_stack();
    scan_on_clear_stack(recorder, limits)
}

/// Out of line: what calls before have left on the stack, the allocator's list of free memory say, would
/// hold what it points at.
#[inline(never)]
fn scan_on_clear_stack(recorder: &Recorder, limits: &Limits) -> Result<Found, ScanError> {
    let began = monotonic_ns();
    let mut threads = Threads::new(MAIN_THREAD_POINTER.load(Relaxed)).ok_or(ScanError::NoMemory)?;
    let sites = recorder.walker.tree.len();
    // Blocks come while the copy is made. Room that is not used takes no memory.
    let room = limits.blocks as usize + limits.blocks as usize / 2 + (1 << 20);
    let first_report = Report::new(sites, room).ok_or(ScanError::NoMemory)?;
    let report = Report::new(sites, 0)
        .and_then(Report::with_holders)
        .ok_or(ScanError::NoMemory)?;
    let mut own: Vec<(u64, u64)> = recorder
        .own_memory()
        .map(|(start, len)| (start.as_ptr() as u64, len as u64))
        .chain([threads.place(), first_report.place(), report.place()])
        .chain(report.holders.as_ref().map(Holders::place))
        .filter(|&(_, len)| len > 0)
        .collect();
    own.sort_unstable();
    let mut course = Course::default();
    platform::clear_stack();
    let first_report = course.run(recorder, &mut threads, &own, None, first_report, limits)?;
    std::thread::sleep(BETWEEN);
    let before = Some(&first_report);
    platform::clear_stack();
    let report = course.run(recorder, &mut threads, &own, before, report, limits)?;
    let duration = Duration::from_nanos(monotonic_ns() - began);
    Ok(course.found(&first_report, &report, duration))
}

/// What is known of the scans so far.
#[derive(Default)]
struct Course {
    scans: u32,
    pause: Duration,
    without_registers: bool,
    interrupted: u64,
}

impl Course {
    /// One scan. Out of line, for the same reason.
    #[inline(never)]
    fn run(
        &mut self,
        recorder: &Recorder,
        threads: &mut Threads,
        own: &[(u64, u64)],
        before: Option<&Report>,
        mut report: Report,
        limits: &Limits,
    ) -> Result<Report, ScanError> {
        let pid = self.copy(recorder, threads, own, before, &mut report, limits)?;
        let deadline = monotonic_ns() + limits.time.as_nanos() as u64;
        // Ended for time when all that counts was told, it has told that.
        let status = match pid.wait_until(deadline, limits.give_up, platform::pause) {
            Ok(status) => Some(status),
            Err(why) => {
                pid.end();
                match why {
                    NotEnded::TooLong => None,
                    NotEnded::GivenUp => return Err(ScanError::Interrupted),
                }
            }
        };
        self.scans += 1;
        match (report.end(), status) {
            // Whatever has ended the copy after that, what counts is told.
            (End::Done | End::Counted, _) => Ok(report),
            (End::NoMemory, _) => Err(ScanError::NoMemory),
            (End::NoProc, _) => Err(ScanError::NoProc),
            (End::None, Some(status)) => Err(ScanError::Killed(status)),
            (End::None, None) => Err(ScanError::TooSlow(limits.time)),
        }
    }

    /// Makes a copy that scans. One in whose making a thread moved is ended at once, and made anew.
    fn copy(
        &mut self,
        recorder: &Recorder,
        threads: &mut Threads,
        own: &[(u64, u64)],
        before: Option<&Report>,
        report: &mut Report,
        limits: &Limits,
    ) -> Result<platform::Pid, ScanError> {
        let process = platform::own_pid();
        let seconds = limits.time.as_secs() + 1;
        let key = key_of_cached_memory();
        let (mut tries, mut pauses) = (0, Duration::ZERO);
        loop {
            if (limits.give_up)() {
                return Err(ScanError::Interrupted);
            }
            threads.clear();
            threads.note(Thread {
                stack_pointer: platform::stack_pointer(),
                thread_pointer: platform::thread_pointer(),
                ..Thread::new(platform::own_tid(), State::Untouched)
            });
            let began = monotonic_ns();
            let stopping = Stopping::begin(threads);
            let job = Job {
                key,
                recorder,
                scope: limits.scope,
                threads,
                own,
                before,
                memory: limits.memory,
            };
            // SAFETY: a scan uses arrays of its own, and what is called in it neither allocates by the
            // program's allocator nor takes a lock.
            let pid = unsafe {
                platform::copy_process(|| {
                    platform::become_harmless(process, seconds);
                    platform::go_first();
                    let end = match scan::scan(&job, report) {
                        Ok(()) => End::Done,
                        Err(end) => end,
                    };
                    report.finish(end);
                })
            };
            let registers = stopping.end();
            let pause = Duration::from_nanos(monotonic_ns() - began);
            self.interrupted += threads.interrupted();
            let pid = pid.map_err(ScanError::Copy)?;
            self.pause = self.pause.max(pause);
            (tries, pauses) = (tries + 1, pauses + pause);
            // Where threads cannot be stopped another copy knows no more.
            if registers != Registers::Moved || tries == TRIES || pauses >= ALL_PAUSES {
                self.without_registers |= registers != Registers::Known;
                return Ok(pid);
            }
            if !pid.end() {
                return Err(ScanError::StillThere);
            }
            // It may have come far already.
            report.clear();
        }
    }

    fn found(&self, first: &Report, last: &Report, duration: Duration) -> Found {
        let summary = last.summary();
        let has_blocks = |verdict: &Verdict| *verdict != Verdict::default();
        let verdicts = last.verdicts().iter().enumerate();
        let shapes = summary.shapes.iter().take(summary.shapes_len as usize);
        Found {
            scans: self.scans,
            pause: self.pause,
            duration,
            registers: !self.without_registers,
            interrupted: self.interrupted,
            child_peak_bytes: summary.peak_bytes.max(first.summary().peak_bytes),
            skipped_bytes: summary.skipped_bytes,
            blocks: summary.blocks,
            verdicts: verdicts
                .filter(|(_, verdict)| has_blocks(verdict))
                .map(|(site, verdict)| (site as NodeId, *verdict))
                .collect(),
            shapes: shapes.map(Shape::of).collect(),
            left_out: (
                summary.left_out_shapes,
                summary.left_out_instances,
                summary.left_out,
            ),
            holding: last.holders.as_ref().and_then(Holders::told),
        }
    }
}

impl Shape {
    fn of(shape: &super::report::Shape) -> Self {
        let members = shape.members.iter().take(usize::from(shape.members_len));
        let links = shape.links.iter().take(usize::from(shape.links_len));
        let links = links.flat_map(|link| {
            let used = usize::from(link.offsets_used);
            let known = link.offsets.iter().take(used).map(|&offset| Some(offset));
            let (from, to) = (usize::from(link.from), usize::from(link.to));
            let counts = link.counts.iter().take(used).chain(link.counts.last());
            let offsets = known.chain([None]).zip(counts);
            offsets
                .filter(|(_, count)| **count > 0)
                .map(move |(offset, count)| (from, offset, to, *count))
        });
        Self {
            is_cycle: shape.is_cycle,
            instances: shape.instances,
            blocks: shape.blocks,
            members: members
                .map(|member| (member.site, member.role, member.sum))
                .collect(),
            links: links.collect(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
use super::stop::Stopping;

/// Elsewhere nothing is stopped, and registers are not read.
#[cfg(not(target_arch = "x86_64"))]
struct Stopping;

#[cfg(not(target_arch = "x86_64"))]
impl Stopping {
    fn begin(_threads: &Threads) -> Self {
        Self
    }

    fn end(self) -> Registers {
        Registers::Refused
    }
}
