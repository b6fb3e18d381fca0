//! Functions, lines and inlined calls from a file's DWARF.
//!
//! Not supported: supplementary files of `dwz` (`.gnu_debugaltlink`). What refers to one is
//! answered by the symbol table instead.

use addr2line::{Context, LookupContinuation, LookupResult};
use gimli::UnitOffset;

use super::{
    dwarf::{Slice, Store, is_too_deep, section},
    generics::Generics,
    split_units::SplitUnits,
};

/// Most frames of one address: inlined calls, and the function that contains them.
const MAX_FRAMES: usize = 256;

/// The DWARF of one module.
pub(super) struct DebugInfo<'a> {
    context: Context<Slice<'a>>,
    split: SplitUnits<'a>,
    generics: Generics<'a>,
}

/// A frame as the file has it: names are still mangled.
pub(super) struct RawFrame<'a, 'b> {
    pub(super) function: Option<&'a [u8]>,
    pub(super) file: Option<&'b str>,
    pub(super) line: u32,
    /// Where the debug information has the function or the inlined call.
    pub(super) entry: Option<UnitOffset>,
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
        Ok(Self {
            context,
            split,
            generics: Generics::default(),
        })
    }

    /// Calls `each` for the frames at an address, innermost first, and says how many there were.
    pub(super) fn frames(
        &mut self,
        address: u64,
        mut each: impl FnMut(RawFrame<'a, '_>),
    ) -> Result<usize, gimli::Error> {
        let mut frames = complete(self.context.find_frames(address), &mut self.split)?;
        let mut count = 0;
        while count < MAX_FRAMES
            && let Some(frame) = frames.next()?
        {
            let location = frame.location;
            each(RawFrame {
                function: frame.function.map(|function| function.name.slice()),
                file: location.as_ref().and_then(|location| location.file),
                line: location.and_then(|location| location.line).unwrap_or(0),
                entry: frame.dw_die_offset,
            });
            count += 1;
        }
        Ok(count)
    }

    /// What the function of a frame at this address was compiled for, where its name lacks it and
    /// it is one of a container: see [`Generics`].
    pub(super) fn generics(
        &mut self,
        address: u64,
        function: Option<&'a [u8]>,
        entry: Option<UnitOffset>,
    ) -> Option<&'a [u8]> {
        let entry = entry?;
        if !self.generics.are_lacking(function?) {
            return None;
        }
        let unit = self.context.find_dwarf_and_unit(address);
        let unit = complete(unit, &mut self.split)?;
        self.generics.of(unit, entry)
    }

    /// Which split units were asked for and not found.
    pub(super) fn split(&self) -> &SplitUnits<'a> {
        &self.split
    }
}

/// The end of a look-up: loads the split units that it asks for.
fn complete<'a, L>(mut lookup: LookupResult<L>, split: &mut SplitUnits<'a>) -> L::Output
where
    L: LookupContinuation<Buf = Slice<'a>>,
{
    loop {
        match lookup {
            LookupResult::Output(output) => return output,
            LookupResult::Load { load, continuation } => {
                lookup = continuation.resume(split.load(&load));
            }
        }
    }
}
