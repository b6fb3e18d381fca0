//! Names for the addresses of one module, from the files that were found for it.
//!
//! Debug information answers first. The symbol table answers where there is none, and lends the
//! containing function its full name where debug information has the short one only, as in builds
//! with line tables only.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use gimli::UnitOffset;
use heaplens::snapshot::{Module, SymbolSource};

use super::{
    columns::{Columns, Frame, FrameId},
    debug_info::{DebugInfo, RawFrame},
    dwarf::Store,
    elf_file::{self, ElfFile, has_debug_info},
    generics, names,
    note::Note,
    split_units::SplitUnits,
    symbol_table::SymbolTable,
};

/// Frames for each of a module's addresses.
pub(super) struct Resolved {
    /// Sorted.
    pub(super) addresses: Vec<u64>,
    /// For each address the end of its frames; they begin where those before it end.
    ends: Vec<usize>,
    frames: Vec<FrameId>,
    pub(super) source: SymbolSource,
    pub(super) notes: Vec<Note>,
}

impl Resolved {
    /// The frames at an address that was asked for, innermost first.
    pub(super) fn frames(&self, address: u64) -> &[FrameId] {
        let Ok(index) = self.addresses.binary_search(&address) else {
            return &[];
        };
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.frames[start..self.ends[index]]
    }
}

/// Resolves the addresses of a module, which must be sorted. `files` are its files, best first.
pub(super) fn resolve(
    module: &Module,
    files: &[ElfFile],
    addresses: Vec<u64>,
    debug_dirs: &[PathBuf],
    columns: &mut Columns,
    mut step: impl FnMut(),
) -> Resolved {
    let store = Store::default();
    let mut notes = Vec::new();
    let parsed: Vec<_> = files
        .iter()
        .filter_map(|file| match file.parse() {
            Ok(object) => Some((file, object)),
            Err(error) => {
                notes.push(unreadable(file, error.to_string()));
                None
            }
        })
        .collect();
    let symbols = parsed
        .iter()
        .find_map(|(_, object)| SymbolTable::full(object))
        .or_else(|| {
            parsed
                .iter()
                .find_map(|(_, object)| SymbolTable::dynamic(object))
        })
        .unwrap_or_default();
    let mut debug = None;
    if let Some((file, object)) = parsed.iter().find(|(_, object)| has_debug_info(object)) {
        let mut programs: Vec<_> = parsed.iter().map(|(file, _)| file.path()).collect();
        programs.push(Path::new(&module.path));
        let split = SplitUnits::new(&programs, debug_dirs, &store);
        match DebugInfo::new(object, &store, split) {
            Ok(info) => debug = Some((*file, info)),
            Err(error) => notes.push(unreadable(file, error)),
        }
    }

    let code: Vec<_> = parsed
        .iter()
        .map(|(_, object)| elf_file::code(object))
        .collect();
    let mut resolver = Resolver {
        module_name: module_name(module),
        symbols,
        columns,
        names: HashMap::new(),
        coverage: Coverage::default(),
    };
    let (mut frames, mut ends) = (Vec::new(), Vec::with_capacity(addresses.len()));
    let mut damage = None;
    for &address in &addresses {
        let start = frames.len();
        if let Some((_, info)) = &mut debug
            && code.iter().any(|ranges| contains(ranges, address))
            && let Err(error) = resolver.by_debug_info(info, address, &mut frames)
        {
            damage.get_or_insert(error);
        }
        if frames.len() == start {
            frames.push(resolver.by_symbol_table(address));
        }
        ends.push(frames.len());
        step();
    }

    let coverage = resolver.coverage;
    let mut split_missing = false;
    if let Some((file, info)) = &debug {
        if let Some(error) = damage {
            notes.push(unreadable(file, format!("debug information: {error}")));
        }
        if let Some((units, first)) = info.split().missing() {
            split_missing = true;
            let module = module.path.clone();
            notes.push(Note::SplitUnitsMissing {
                module,
                units,
                first: first.map(Into::into),
            });
        }
    }
    let source = match coverage.source() {
        SymbolSource::DebugInfo if split_missing => SymbolSource::SymbolTable,
        source => source,
    };
    Resolved {
        addresses,
        ends,
        frames,
        source,
        notes,
    }
}

/// Whether sorted ranges contain an address. Linkers do not let sections overlap.
fn contains(ranges: &[(u64, u64)], address: u64) -> bool {
    let after = ranges.partition_point(|(start, _)| *start <= address);
    after > 0 && address < ranges[after - 1].1
}

/// How a function of a module without a name reads: the file's name and the address in it.
pub(super) fn unknown(module_name: &str, address: u64) -> String {
    format!("{module_name}+{address:#x}")
}

/// The last part of a module's path.
pub(super) fn module_name(module: &Module) -> String {
    let name = module.path.rsplit('/').next().unwrap_or_default();
    names::clean(if name.is_empty() { "?" } else { name })
}

fn unreadable(file: &ElfFile, error: String) -> Note {
    Note::Unreadable {
        path: file.path().to_owned(),
        error,
    }
}

struct Resolver<'a, 'c> {
    module_name: String,
    symbols: SymbolTable<'a>,
    columns: &'c mut Columns,
    /// Texts of names already demangled.
    names: HashMap<&'a [u8], u32>,
    coverage: Coverage,
}

impl<'a> Resolver<'a, '_> {
    /// Adds the frames that debug information has for an address. After an error there are none.
    fn by_debug_info(
        &mut self,
        info: &mut DebugInfo<'a>,
        address: u64,
        frames: &mut Vec<FrameId>,
    ) -> Result<(), gimli::Error> {
        let mut pending: Vec<Pending> = Vec::new();
        info.frames(address, |frame| pending.push(self.pending(&frame)))?;
        let Some(outermost) = pending.len().checked_sub(1) else {
            return Ok(());
        };
        for (at, frame) in pending.into_iter().enumerate() {
            // All but the last one were inlined into the next.
            let is_inlined = at < outermost;
            let name = if is_inlined {
                frame.function
            } else {
                self.coverage.known += 1;
                self.coverage.with_lines += usize::from(frame.is_covered);
                self.containing_name(frame.function, address)
            };
            let generics = if name == frame.function {
                info.generics(address, frame.function, frame.entry)
            } else {
                // The symbol's name took the place of the short one.
                frame.function.and_then(generics::arguments)
            };
            let generics = generics.map(|raw| self.columns.text(names::type_list(raw)));
            let function = match name {
                Some(raw) => self.text(raw),
                None => self.unknown(address),
            };
            frames.push(self.columns.frame(Frame {
                function,
                file: frame.file,
                line: frame.line,
                inlined: is_inlined,
                generics,
            }));
        }
        Ok(())
    }

    fn by_symbol_table(&mut self, address: u64) -> FrameId {
        let function = match self.symbols.find(address) {
            Some(raw) => {
                self.coverage.named += 1;
                self.coverage.without_lines += usize::from(names::is_rust(raw));
                self.text(raw)
            }
            None => {
                self.coverage.unnamed += 1;
                self.unknown(address)
            }
        };
        self.columns.frame(Frame {
            function,
            file: None,
            line: 0,
            inlined: false,
            generics: None,
        })
    }

    /// Line tables come with short names (`compose`); symbols have the whole path.
    fn containing_name(&self, debug: Option<&'a [u8]>, address: u64) -> Option<&'a [u8]> {
        match debug {
            Some(name) if names::is_mangled(name) => Some(name),
            short => {
                let symbol = self.symbols.find(address);
                symbol
                    .filter(|raw| short.is_none() || names::is_mangled(raw))
                    .or(short)
            }
        }
    }

    fn pending(&mut self, frame: &RawFrame<'a, '_>) -> Pending<'a> {
        let file = frame.file.map(|file| self.columns.text(names::clean(file)));
        // rustc ships std with line tables, whatever the program itself was built with.
        let is_covered =
            frame.line > 0 && frame.file.is_some_and(|file| !file.starts_with("/rustc/"));
        Pending {
            function: frame.function,
            file,
            line: frame.line,
            entry: frame.entry,
            is_covered,
        }
    }

    fn text(&mut self, raw: &'a [u8]) -> u32 {
        let columns = &mut *self.columns;
        *self
            .names
            .entry(raw)
            .or_insert_with(|| columns.text(names::function_name(raw)))
    }

    fn unknown(&mut self, address: u64) -> u32 {
        self.columns.text(unknown(&self.module_name, address))
    }
}

struct Pending<'a> {
    function: Option<&'a [u8]>,
    file: Option<u32>,
    line: u32,
    entry: Option<UnitOffset>,
    is_covered: bool,
}

/// What answered, to tell a program with debug information from one that merely links std.
#[derive(Default)]
struct Coverage {
    /// Addresses with a line in the program's own crates and their dependencies.
    with_lines: usize,
    /// Addresses in Rust functions that debug information does not know. C is often built without
    /// it and says nothing about the program.
    without_lines: usize,
    /// Addresses that the symbol table named.
    named: usize,
    /// Addresses without any name. A stripped program still exports a function or two.
    unnamed: usize,
    /// Addresses that debug information knew.
    known: usize,
}

impl Coverage {
    fn source(&self) -> SymbolSource {
        if self.known > 0 && self.without_lines <= self.with_lines {
            SymbolSource::DebugInfo
        } else if self.known + self.named > self.unnamed {
            SymbolSource::SymbolTable
        } else {
            SymbolSource::Missing
        }
    }
}
