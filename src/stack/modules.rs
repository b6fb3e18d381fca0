//! The unwind tables of what is loaded: found outside the hook, read inside it.
//!
//! The list only grows. A library is pinned before it is listed, so an entry stays true for the
//! life of the process and readers need no lock; a library that cannot be pinned is not listed,
//! and stacks through it end there, marked.

use super::cfi::{Missing, UnwindTables};
use super::epilogue;
use super::rules::Rule;
use crate::platform::{self, LoadedModule, Segment};
use crate::tables::mapped::{Mapped, Zeroed};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::atomic::{
    AtomicBool, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release,
};

/// Most modules that are followed. Programs with plug-ins have a few hundred.
const CAPACITY: usize = 2048;

/// A module as the hook sees it.
pub(crate) struct Module {
    /// From the first byte of the first segment to the last of the last.
    range: Range<u64>,
    tables: Option<UnwindTables<'static>>,
    /// Addresses and contents of the executable segments.
    code: Vec<(u64, &'static [u8])>,
    /// What the rest of the program needs to name it.
    pub(crate) identity: Identity,
}

/// A module as a snapshot names it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// The dynamic linker's name: empty for the executable.
    pub(crate) name: std::ffi::CString,
    /// Difference between addresses in memory and in the file.
    pub(crate) bias: u64,
    /// GNU build id in hex.
    pub(crate) build_id: Option<String>,
    /// Hash of the executable segments where there is no build id.
    pub(crate) text_hash: Option<String>,
}

/// The list of modules.
pub(crate) struct Modules {
    entries: Mapped<Entry>,
    /// Entries below this number are initialised and never change again.
    count: AtomicUsize,
    /// A stack met an address in no module since the last refresh.
    wanted: AtomicBool,
    /// One refresh at a time.
    refreshing: AtomicBool,
}

struct Entry(UnsafeCell<MaybeUninit<Module>>);

// SAFETY: entries below `count` are read-only; the one at `count` belongs to the thread that
// holds `refreshing`.
unsafe impl Sync for Entry {}
// SAFETY: uninitialised memory may hold any bytes.
unsafe impl Zeroed for Entry {}

/// Why there is no rule for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRule {
    UnknownModule,
    NoUnwindInfo,
    Unsupported,
}

impl Modules {
    pub(crate) fn new() -> Self {
        Self {
            entries: Mapped::new(CAPACITY),
            count: AtomicUsize::new(0),
            wanted: AtomicBool::new(false),
            refreshing: AtomicBool::new(false),
        }
    }

    /// Start and length in bytes of the list.
    pub(crate) fn room(&self) -> (std::ptr::NonNull<u8>, usize) {
        self.entries.range()
    }

    /// All modules so far, by index.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Module> {
        let count = self.count.load(Acquire);
        self.entries[..count].iter().map(|entry| {
            // SAFETY: below `count`, so initialised and read-only.
            unsafe { (*entry.0.get()).assume_init_ref() }
        })
    }

    /// Index and module of an address in memory.
    pub(crate) fn find(&self, address: u64) -> Option<(usize, &Module)> {
        self.iter()
            .enumerate()
            .find(|(_, module)| module.range.contains(&address))
    }

    /// The unwind rule for an address. For the hook; asks for a refresh where the address is in no
    /// known module.
    #[cold]
    pub(crate) fn rule(&self, pc: u64) -> Result<Rule, NoRule> {
        let Some((_, module)) = self.find(pc) else {
            self.wanted.store(true, Relaxed);
            return Err(NoRule::UnknownModule);
        };
        match module.tables.as_ref().map(|tables| tables.rule(pc)) {
            Some(Ok(rule)) => Ok(rule),
            Some(Err(Missing::Unsupported)) => Err(NoRule::Unsupported),
            Some(Err(Missing::NoEntry)) | None => {
                module.rule_from_code(pc).ok_or(NoRule::NoUnwindInfo)
            }
        }
    }

    /// Whether the hook has met code that is not listed.
    pub(crate) fn is_refresh_wanted(&self) -> bool {
        self.wanted.load(Relaxed)
    }

    /// Lists what has been loaded since the last call. Not for the hook.
    pub(crate) fn refresh(&self) {
        if self.refreshing.swap(true, Acquire) {
            return;
        }
        self.wanted.store(false, Relaxed);
        let loaded = platform::loaded_modules();
        let news: Vec<&LoadedModule> = loaded.iter().filter(|module| !self.knows(module)).collect();
        if !news.is_empty() {
            let pinned: Vec<bool> = news.iter().map(|module| pin(module)).collect();
            // A library may have been closed, and another opened in its place, before it was
            // pinned: only what is still where it was is the library that was pinned.
            let now = platform::loaded_modules();
            for (module, _) in news.iter().zip(pinned).filter(|(_, pinned)| *pinned) {
                let same =
                    |other: &LoadedModule| (&other.name, other.bias) == (&module.name, module.bias);
                if now.iter().any(same) && !self.push(describe(module)) {
                    break;
                }
            }
        }
        self.refreshing.store(false, Release);
    }

    fn knows(&self, loaded: &LoadedModule) -> bool {
        let Some(range) = extent(&loaded.segments) else {
            return true;
        };
        self.iter().any(|module| module.range == range)
    }

    fn push(&self, module: Module) -> bool {
        let count = self.count.load(Relaxed);
        let Some(entry) = self.entries.get(count) else {
            return false;
        };
        // SAFETY: at `count`, so nobody reads it, and this thread holds `refreshing`.
        unsafe { (*entry.0.get()).write(module) };
        self.count.store(count + 1, Release);
        true
    }
}

impl Module {
    /// The rule for a call at `pc`, by the instructions that follow it.
    fn rule_from_code(&self, pc: u64) -> Option<Rule> {
        let return_address = pc.checked_add(1)?;
        self.code.iter().find_map(|&(start, code)| {
            let offset = usize::try_from(return_address.checked_sub(start)?).ok()?;
            let (before, after) = code.split_at_checked(offset)?;
            epilogue::rule_after_call(before, after)
        })
    }
}

/// The executable and the kernel's page cannot go away; libraries are asked to stay.
fn pin(module: &LoadedModule) -> bool {
    let is_permanent = module.name.is_empty() || module.name.as_bytes().starts_with(b"linux-vdso");
    is_permanent || platform::pin_module(&module.name)
}

fn extent(segments: &[Segment]) -> Option<Range<u64>> {
    let start = segments.iter().map(|segment| segment.address).min()?;
    let end = segments
        .iter()
        .map(|segment| segment.address.saturating_add(segment.memory_len))
        .max()?;
    Some(start..end)
}

fn describe(loaded: &LoadedModule) -> Module {
    let build_id = loaded
        .notes
        .iter()
        .find_map(|&(address, len)| gnu_build_id(loaded_bytes(&loaded.segments, address, len)?));
    let text_hash = match build_id {
        Some(_) => None,
        None => Some(format!("{:016x}", text_hash(&loaded.segments))),
    };
    Module {
        range: extent(&loaded.segments).unwrap_or(0..0),
        tables: unwind_tables(loaded),
        code: code(&loaded.segments).collect(),
        identity: Identity {
            name: loaded.name.clone(),
            bias: loaded.bias,
            build_id,
            text_hash,
        },
    }
}

fn unwind_tables(loaded: &LoadedModule) -> Option<UnwindTables<'static>> {
    let (header_address, header_len) = loaded.eh_frame_hdr?;
    let header = loaded_bytes(&loaded.segments, header_address, header_len)?;
    let frames_address = UnwindTables::frames_address(header_address, header)?;
    let segment = segment_of(&loaded.segments, frames_address)?;
    let end = segment.address + segment.file_len;
    let frames = loaded_bytes(&loaded.segments, frames_address, end - frames_address)?;
    Some(UnwindTables {
        header_address,
        header,
        frames_address,
        frames,
    })
}

fn segment_of(segments: &[Segment], address: u64) -> Option<&Segment> {
    segments.iter().find(|segment| {
        segment.readable && (segment.address..segment.address + segment.file_len).contains(&address)
    })
}

/// Bytes of a loaded, pinned module, where they lie within one readable segment.
fn loaded_bytes(segments: &[Segment], address: u64, len: u64) -> Option<&'static [u8]> {
    let segment = segment_of(segments, address)?;
    if len > segment.address + segment.file_len - address {
        return None;
    }
    // SAFETY: the range lies in a readable segment that backs it with file contents, and the
    // module stays loaded: it is pinned before it is described.
    Some(unsafe { std::slice::from_raw_parts(address as *const u8, len as usize) })
}

/// The build id in a note segment (System V ABI, "Note Section"; type 3 of owner GNU).
pub(super) fn gnu_build_id(mut notes: &[u8]) -> Option<String> {
    let word = |bytes: &[u8], at: usize| -> Option<usize> {
        Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
    };
    loop {
        let (name_len, len, kind) = (word(notes, 0)?, word(notes, 4)?, word(notes, 8)?);
        let start = 12usize.checked_add(name_len.checked_next_multiple_of(4)?)?;
        let contents = notes.get(start..start.checked_add(len)?)?;
        if kind == 3 && notes.get(12..16) == Some(b"GNU\0") && !contents.is_empty() {
            return Some(contents.iter().map(|byte| format!("{byte:02x}")).collect());
        }
        notes = notes.get(start + len.checked_next_multiple_of(4)?..)?;
    }
}

/// Addresses and contents of the executable segments in order.
fn code(segments: &[Segment]) -> impl Iterator<Item = (u64, &'static [u8])> {
    let executable = segments
        .iter()
        .filter(|segment| segment.executable && segment.readable);
    executable.filter_map(|segment| {
        let bytes = loaded_bytes(segments, segment.address, segment.file_len)?;
        Some((segment.address, bytes))
    })
}

/// FNV-1a, 64 bits, over the file contents of the executable segments in order.
fn text_hash(segments: &[Segment]) -> u64 {
    fnv1a(code(segments).flat_map(|(_, bytes)| bytes))
}

/// FNV-1a, 64 bits (Fowler, Noll and Vo).
pub(crate) fn fnv1a<'b>(bytes: impl IntoIterator<Item = &'b u8>) -> u64 {
    bytes.into_iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_listed_with_rules_for_its_own_code() {
        let modules = Modules::new();
        modules.refresh();
        let here = super::super::Registers::here().pc();
        let (index, module) = modules.find(here).unwrap();
        assert_eq!(index, 0);
        assert!(module.identity.name.is_empty());
        assert!(module.identity.build_id.is_some() || module.identity.text_hash.is_some());
        assert!(modules.rule(here).is_ok());
        let count = modules.iter().count();
        modules.refresh();
        assert_eq!(modules.iter().count(), count);
        assert_eq!(modules.rule(16).err(), Some(NoRule::UnknownModule));
        assert!(modules.is_refresh_wanted());
    }

    #[test]
    fn notes_with_wild_lengths_are_refused() {
        let mut note = vec![4, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0];
        note.extend_from_slice(b"GNU\0\xde\xad\xbe\xef");
        assert_eq!(gnu_build_id(&note).as_deref(), Some("deadbeef"));
        for at in 0..8 {
            let mut wild = note.clone();
            wild[at] = 0xff;
            assert_eq!(gnu_build_id(&wild), None);
        }
        assert_eq!(gnu_build_id(&note[..note.len() - 1]), None);
    }
}
