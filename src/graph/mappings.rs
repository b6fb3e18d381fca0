//! The memory of the process: what of it may hold pointers, and what kind of memory that is.
//!
//! Looked at are all pages of private mappings that differ from a file, and memory shared with other
//! processes as far as it is no file. Nothing is read here but what the system says about it.

use super::array::{Array, NoMemory};
use super::numbers::hex;
use super::threads::Threads;
use crate::platform::{self, File};

/// Bytes of a page on this architecture.
pub(super) const PAGE: u64 = 4096;

/// Bytes below a stack pointer that a function may use.
const RED_ZONE: u64 = 128;

/// Words around a thread's pointer that are its thread-locals: those of the program below it, the C
/// library's own above.
pub(super) const THREAD_LOCALS_BELOW: u64 = 64 << 10;
pub(super) const THREAD_LOCALS_ABOVE: u64 = 4 << 10;

/// What a piece of memory is to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Static data of a module.
    Static,
    /// A stack that is in use, and what lies behind it.
    Stack,
    /// Thread-locals apart from stacks.
    ThreadLocal,
    /// Anything else.
    Other,
}

impl Kind {
    /// Whether the program can reach it.
    pub(super) fn is_strong(self) -> bool {
        self != Self::Other
    }
}

/// Neighbouring pages of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) kind: Kind,
    /// Where the mapping ends that it is a part of.
    pub(super) mapping_end: u64,
    /// Blocks are looked for in it.
    pub(super) is_private: bool,
}

/// All of it, in ascending order.
pub(super) struct Mappings {
    pub(super) runs: Array<Run>,
    /// Bytes of writable memory that is not looked at.
    pub(super) skipped_bytes: u64,
    /// Bytes of private mappings: no block is larger.
    pub(super) private_bytes: u64,
}

/// Why the memory cannot be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    NoMemory,
    /// There is no /proc with what is needed.
    NoProc,
}

impl From<NoMemory> for Unreadable {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

/// A line of /proc/self/maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mapping<'a> {
    start: u64,
    end: u64,
    is_readable: bool,
    is_writable: bool,
    is_private: bool,
    name: &'a [u8],
}

impl Mappings {
    /// Reads what this process, a copy, has. `own` is heaplens' own memory in ascending order, which is left
    /// out.
    pub(super) fn of_copy(own: &[(u64, u64)], threads: &Threads) -> Result<Self, Unreadable> {
        let text = read_all()?;
        let pages = Pages {
            file: File::open(c"/proc/self/pagemap").ok_or(Unreadable::NoProc)?,
        };
        let mut mappings = Self {
            runs: Array::new()?,
            skipped_bytes: 0,
            private_bytes: 0,
        };
        let text_place = text.place();
        let mut before: Option<Mapping<'_>> = None;
        let mut is_static = false;
        for line in text.split(|&byte| byte == b'\n') {
            let Some(mapping) = Mapping::parse(line) else {
                continue;
            };
            if mapping.is_private {
                mappings.private_bytes += mapping.end - mapping.start;
            }
            let is_adjacent = before.is_some_and(|before| before.end == mapping.start);
            // Behind a module's data comes what is zero in it at the start.
            is_static = mapping.is_file() || (mapping.name.is_empty() && is_adjacent && is_static);
            if mapping.is_looked_at() {
                let behind_guard = is_adjacent && before.is_some_and(|before| !before.is_readable);
                let parts = Parts::of(&mapping, threads, is_static, behind_guard);
                mappings.add(&mapping, &parts, own, text_place, &pages)?;
            } else if mapping.is_writable {
                mappings.skipped_bytes += mapping.end - mapping.start;
            }
            before = Some(mapping);
        }
        Ok(mappings)
    }

    fn add(
        &mut self,
        mapping: &Mapping<'_>,
        parts: &Parts,
        own: &[(u64, u64)],
        also_own: (u64, u64),
        pages: &Pages,
    ) -> Result<(), Unreadable> {
        for (start, end, kind) in parts.list() {
            let mut at = start;
            while at < end {
                let hidden = hidden_from(at, own, also_own);
                let until = hidden.0.clamp(at, end);
                if until > at {
                    let run = Run {
                        start: at,
                        end: until,
                        kind,
                        mapping_end: mapping.end,
                        is_private: mapping.is_private,
                    };
                    pages.present(run, |run| Ok(self.runs.push(run)?))?;
                }
                at = hidden.1.max(until).max(at + 1);
            }
        }
        Ok(())
    }
}

/// The next piece from `at` on that is heaplens' own, or one at the end of all.
fn hidden_from(at: u64, own: &[(u64, u64)], also: (u64, u64)) -> (u64, u64) {
    let next = own.partition_point(|&(start, len)| start + len <= at);
    let listed = own
        .get(next)
        .map_or((u64::MAX, u64::MAX), |&(start, len)| (start, start + len));
    let also = (also.0, also.0 + also.1);
    if also.1 > at && also.0 < listed.0 {
        also
    } else {
        listed
    }
}

/// A mapping by kinds: three pieces at most, in ascending order.
struct Parts {
    parts: [(u64, u64, Kind); 3],
}

impl Parts {
    fn of(mapping: &Mapping<'_>, threads: &Threads, is_static: bool, behind_guard: bool) -> Self {
        let &Mapping { start, end, .. } = mapping;
        let whole = |kind| [(start, end, kind), (end, end, kind), (end, end, kind)];
        let mut pointers = threads
            .stack_pointers()
            .filter(|sp| (start..end).contains(sp));
        let first = pointers.next();
        let parts = match (first, pointers.next()) {
            // What lies below the stack pointer is left over from calls that have returned. Only where the
            // mapping is this one stack for certain.
            (Some(sp), None) if mapping.name == b"[stack]" || behind_guard => {
                let top = (sp - RED_ZONE).max(start) & !7;
                [
                    (top, end, Kind::Stack),
                    (end, end, Kind::Stack),
                    (end, end, Kind::Stack),
                ]
            }
            (Some(_), _) => whole(Kind::Stack),
            (None, _) if mapping.name == b"[stack]" => whole(Kind::Stack),
            (None, _) if is_static => whole(Kind::Static),
            (None, _) => {
                let mut bases = threads
                    .thread_pointers()
                    .filter(|at| (start..end).contains(at));
                match (bases.next(), bases.next()) {
                    (Some(base), None) => {
                        let low = base.saturating_sub(THREAD_LOCALS_BELOW).max(start) & !7;
                        let high = (base + THREAD_LOCALS_ABOVE).min(end);
                        [
                            (start, low, Kind::Other),
                            (low, high, Kind::ThreadLocal),
                            (high, end, Kind::Other),
                        ]
                    }
                    (Some(_), Some(_)) => whole(Kind::ThreadLocal),
                    (None, _) => whole(Kind::Other),
                }
            }
        };
        Self { parts }
    }

    fn list(&self) -> impl Iterator<Item = (u64, u64, Kind)> {
        self.parts.into_iter().filter(|(start, end, _)| start < end)
    }
}

impl<'a> Mapping<'a> {
    /// `7f12a000-7f12b000 rw-p 00000000 00:00 0   [heap]`
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line
            .split(|&byte| byte == b' ')
            .filter(|field| !field.is_empty());
        let range = fields.next()?;
        let flags = fields.next()?;
        let dash = range.iter().position(|&byte| byte == b'-')?;
        let (start, end) = (hex(&range[..dash])?, hex(&range[dash + 1..])?);
        let name = fields.nth(3).unwrap_or_default();
        Some(Self {
            start,
            end,
            is_readable: flags.first() == Some(&b'r'),
            is_writable: flags.get(1) == Some(&b'w'),
            is_private: flags.get(3) == Some(&b'p'),
            name,
        })
    }

    fn is_file(&self) -> bool {
        self.is_private && self.name.first() == Some(&b'/')
    }

    /// Whether it may hold pointers. Shared memory is looked at unless it is a file or a device; the
    /// kernel's own pages never are.
    fn is_looked_at(&self) -> bool {
        let is_kernels = self.name.starts_with(b"[v");
        let is_memory = [
            &b"/dev/zero"[..],
            b"/memfd:",
            b"/SYSV",
            b"/dev/shm/",
            b"[anon_shmem",
        ]
        .iter()
        .any(|name| self.name.starts_with(name));
        self.is_readable && !is_kernels && (self.is_private || is_memory)
    }
}

fn read_all() -> Result<Array<u8>, Unreadable> {
    let file = File::open(c"/proc/self/maps").ok_or(Unreadable::NoProc)?;
    let mut text = Array::new()?;
    let mut buffer = [0; 4096];
    loop {
        let read = file.read(&mut buffer);
        if read == 0 {
            break;
        }
        for &byte in &buffer[..read] {
            text.push(byte)?;
        }
    }
    if text.is_empty() {
        Err(Unreadable::NoProc)
    } else {
        Ok(text)
    }
}

/// Which pages are there, by /proc/self/pagemap.
struct Pages {
    file: File,
}

const IN_MEMORY: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;
/// A page of a file, or shared memory.
const OF_FILE: u64 = 1 << 61;

impl Pages {
    /// Calls `add` for the parts of a run that are there and no mere copy of a file.
    fn present(
        &self,
        run: Run,
        mut add: impl FnMut(Run) -> Result<(), Unreadable>,
    ) -> Result<(), Unreadable> {
        if !run.is_private {
            // A copy of the process has none of these pages yet, whether they are there or not.
            return platform::pages_in_memory(run.start, run.end, &mut |start, end| {
                add(Run { start, end, ..run })
            });
        }
        let mut entries = [0; 512];
        let mut open: Option<Run> = None;
        let mut page = run.start / PAGE;
        let last = run.end.div_ceil(PAGE);
        while page < last {
            let wanted = entries.len().min((last - page) as usize);
            let read = self.file.read_words_at(&mut entries[..wanted], page * 8);
            if read == 0 {
                return Err(Unreadable::NoProc);
            }
            for (entry, page) in entries[..read].iter().zip(page..) {
                let is_there = entry & (IN_MEMORY | SWAPPED) != 0 && entry & OF_FILE == 0;
                let (start, end) = (
                    (page * PAGE).max(run.start),
                    ((page + 1) * PAGE).min(run.end),
                );
                match &mut open {
                    Some(open) if is_there => open.end = end,
                    None if is_there => open = Some(Run { start, end, ..run }),
                    Some(_) => add(open.take().unwrap_or(run))?,
                    None => {}
                }
            }
            page += read as u64;
        }
        open.map_or(Ok(()), add)
    }
}
