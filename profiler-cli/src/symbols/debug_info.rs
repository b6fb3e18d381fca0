//! Functions, lines and inlined calls from a file's DWARF.
//!
//! Not supported: supplementary files of `dwz` (`.gnu_debugaltlink`). What refers to one is
//! answered by the symbol table instead.

use std::borrow::Cow;

use addr2line::{Context, LookupContinuation, LookupResult};
use gimli::{EndianSlice, RunTimeEndian};
use object::Object;
use typed_arena::Arena;

use super::{
    elf_file::{self, ElfFile},
    split_units::SplitUnits,
};

/// Deepest tree of entries accepted in one unit. Compilers stay below a hundred; the reader
/// recurses, and a file of a hundred thousand levels would overrun the stack.
const MAX_DEPTH: isize = 512;

/// Most frames of one address: inlined calls, and the function that contains them.
const MAX_FRAMES: usize = 256;

pub(super) type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

/// What the readers borrow from: inflated sections, and files opened while looking up.
#[derive(Default)]
pub(super) struct Store {
    pub(super) sections: Arena<Vec<u8>>,
    pub(super) files: Arena<ElfFile>,
}

/// The DWARF of one module.
pub(super) struct DebugInfo<'a> {
    context: Context<Slice<'a>>,
    split: SplitUnits<'a>,
}

/// A frame as the file has it: names are still mangled.
pub(super) struct RawFrame<'a, 'b> {
    pub(super) function: Option<&'a [u8]>,
    pub(super) file: Option<&'b str>,
    pub(super) line: u32,
}

impl<'a> DebugInfo<'a> {
    /// Reads the index of the units; the units themselves are read when an address needs them.
    pub(super) fn new(
        file: &object::File<'a>,
        store: &'a Store,
        split: SplitUnits<'a>,
    ) -> Result<Self, String> {
        let mut dwarf = gimli::Dwarf::load(|id| section(file, Some(id.name()), store))?;
        dwarf.populate_abbreviations_cache(gimli::AbbreviationsCacheStrategy::Duplicates);
        if is_too_deep(&dwarf) {
            return Err("debug information: entries are nested too deeply".into());
        }
        let context =
            Context::from_dwarf(dwarf).map_err(|error| format!("debug information: {error}"))?;
        Ok(Self { context, split })
    }

    /// Calls `each` for the frames at an address, innermost first, and says how many there were.
    pub(super) fn frames(
        &mut self,
        address: u64,
        mut each: impl FnMut(RawFrame<'a, '_>),
    ) -> Result<usize, gimli::Error> {
        let mut lookup = self.context.find_frames(address);
        let mut frames = loop {
            match lookup {
                LookupResult::Output(frames) => break frames?,
                LookupResult::Load { load, continuation } => {
                    lookup = continuation.resume(self.split.load(&load));
                }
            }
        };
        let mut count = 0;
        while count < MAX_FRAMES
            && let Some(frame) = frames.next()?
        {
            let location = frame.location;
            each(RawFrame {
                function: frame.function.map(|function| function.name.slice()),
                file: location.as_ref().and_then(|location| location.file),
                line: location.and_then(|location| location.line).unwrap_or(0),
            });
            count += 1;
        }
        Ok(count)
    }

    /// Which split units were asked for and not found.
    pub(super) fn split(&self) -> &SplitUnits<'a> {
        &self.split
    }
}

/// The reader of a section; an empty one if the file does not have it.
pub(super) fn section<'a>(
    file: &object::File<'a>,
    name: Option<&str>,
    store: &'a Store,
) -> Result<Slice<'a>, String> {
    let data = match name {
        Some(name) => elf_file::section_data(file, name)?,
        None => None,
    };
    let data = match data {
        Some(Cow::Borrowed(data)) => data,
        Some(Cow::Owned(data)) => store.sections.alloc(data).as_slice(),
        None => &[],
    };
    let endian = if file.is_little_endian() {
        RunTimeEndian::Little
    } else {
        RunTimeEndian::Big
    };
    Ok(EndianSlice::new(data, endian))
}

/// Whether a unit is nested deeper than [`MAX_DEPTH`]. A unit that cannot be read is left to
/// whoever looks up an address in it.
pub(super) fn is_too_deep(dwarf: &gimli::Dwarf<Slice<'_>>) -> bool {
    let mut headers = dwarf.units();
    while let Ok(Some(header)) = headers.next() {
        let Ok(abbreviations) = dwarf.abbreviations(&header) else {
            continue;
        };
        let Ok(mut entries) = header.entries_raw(&abbreviations, None) else {
            continue;
        };
        while !entries.is_empty() {
            if entries.next_depth() > MAX_DEPTH {
                return true;
            }
            let Ok(entry) = entries.read_abbreviation() else {
                break;
            };
            if let Some(entry) = entry
                && entries.skip_attributes(entry.attributes()).is_err()
            {
                break;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A unit of `levels` nested inlined calls, none of which has attributes.
    fn nested(levels: usize) -> (Vec<u8>, Vec<u8>) {
        let (inlined, subprogram, unit) = (0x1d, 0x2e, 0x11);
        let mut abbreviations = Vec::new();
        for (code, tag) in [(1, unit), (2, subprogram), (3, inlined)] {
            abbreviations.extend([code, tag, 1, 0, 0]);
        }
        abbreviations.push(0);
        // Version 4, abbreviations at 0, addresses of 8 bytes; then the entries, all left open.
        let mut body = vec![4, 0, 0, 0, 0, 0, 8, 1, 2];
        body.resize(body.len() + levels, 3);
        let mut info = (body.len() as u32).to_le_bytes().to_vec();
        info.extend(body);
        (abbreviations, info)
    }

    fn too_deep(levels: usize) -> bool {
        let (abbreviations, info) = nested(levels);
        let dwarf = gimli::Dwarf::load(|id| {
            let data: &[u8] = match id {
                gimli::SectionId::DebugAbbrev => &abbreviations,
                gimli::SectionId::DebugInfo => &info,
                _ => &[],
            };
            Ok::<_, ()>(EndianSlice::new(data, RunTimeEndian::Little))
        });
        is_too_deep(&dwarf.expect("sections"))
    }

    #[test]
    fn units_that_would_overrun_the_stack_are_refused() {
        assert!(!too_deep(100));
        assert!(too_deep(1_000));
        assert!(too_deep(1_000_000));
    }
}
