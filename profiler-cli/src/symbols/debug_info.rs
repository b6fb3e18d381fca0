//! Functions, lines and inlined calls from a file's DWARF.
//!
//! Not supported: supplementary files of `dwz` (`.gnu_debugaltlink`). What refers to one is
//! answered by the symbol table instead.

use addr2line::{Context, LookupContinuation, LookupResult};

use super::{
    dwarf::{Slice, Store, is_too_deep, section},
    split_units::SplitUnits,
};

/// Most frames of one address: inlined calls, and the function that contains them.
const MAX_FRAMES: usize = 256;

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
