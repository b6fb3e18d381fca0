//! Reading DWARF sections, wherever they lie: in the program, in its debug file or beside it.
//!
//! Refuses what would overrun the stack of a later reader. What the sections say is the business of
//! `debug_info`, and which files beside the program to open that of `split_units`.

use std::borrow::Cow;

use gimli::{EndianSlice, RunTimeEndian};
use object::Object;
use typed_arena::Arena;

use super::elf_file::{self, ElfFile};

/// Deepest tree of entries accepted in one unit. Compilers stay below a hundred; the reader
/// recurses, and a file of a hundred thousand levels would overrun the stack.
const MAX_DEPTH: isize = 512;

/// What all readers read.
pub(super) type Slice<'a> = EndianSlice<'a, RunTimeEndian>;

/// What the readers borrow from: inflated sections, and files opened while looking up.
#[derive(Default)]
pub(super) struct Store {
    pub(super) sections: Arena<Vec<u8>>,
    pub(super) files: Arena<ElfFile>,
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
