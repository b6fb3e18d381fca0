//! Locations to places in modules, and samples to rows of a tree of stacks.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use heaplens::snapshot::{
    ErrorKind, Module, SPECIAL_MODULE, SpecialFrame, Stacks, SymbolSource, Symbols,
};
use rustc_hash::{FxHashMap, FxHasher};

use super::budget::{Budget, GROWTH};
use super::tables::{Location, Mapping, Tables};
use crate::symbols::{self, Columns, Frame, FrameId, Segments};

/// What a row of the stacks takes: its columns, and its place among those known.
const ROW_BYTES: u64 = GROWTH * (8 + 4 + 8 + 4) + 48;
/// What a distinct text takes beside its letters.
const TEXT_BYTES: u64 = 128;
/// What a distinct frame takes.
const FRAME_BYTES: u64 = 256;
const UNKNOWN: &str = "[unknown]";

/// A location as a snapshot has it.
#[derive(Debug)]
struct Place {
    module: u32,
    address: u64,
    /// Its frames: from, to.
    frames: (usize, usize),
}

/// The tree of stacks, as it grows sample by sample.
pub(super) struct Tree<'a> {
    tables: &'a Tables<'a>,
    pub(super) modules: Vec<Module>,
    places: Vec<Place>,
    frames: Vec<FrameId>,
    names: Columns,
    stacks: Stacks,
    /// Row by the caller's row plus one, and the location plus one; 0 is a sample without any.
    rows: FxHashMap<(u32, u32), u32>,
    /// By module.
    sources: Vec<SymbolSource>,
    unknown: Option<u32>,
}

impl<'a> Tree<'a> {
    /// Places all locations. `binaries` are folders to look for the binaries in whose segments tell
    /// addresses from offsets; without, offsets stay.
    pub(super) fn new(
        tables: &'a Tables<'a>,
        binaries: Option<&[PathBuf]>,
        budget: &mut Budget,
    ) -> Result<Self, ErrorKind> {
        let (modules, module_of_mapping) = modules(tables, budget)?;
        let mut tree = Self {
            tables,
            modules,
            places: Vec::new(),
            frames: Vec::new(),
            names: Columns::default(),
            stacks: Stacks::default(),
            rows: FxHashMap::default(),
            sources: Vec::new(),
            unknown: None,
        };
        let functions = tree.functions(budget)?;
        let mut segments: HashMap<u32, Segments> = HashMap::new();
        for location in &tables.locations {
            let frames = tree.frames_of(location, &functions, budget)?;
            let has_names = frames.0 < frames.1;
            let (module, address) = match tables.mapping_of(location) {
                Some(at) => {
                    let module = module_of_mapping[at];
                    let address =
                        match (Offset::of(&tables.mappings[at], location.address), binaries) {
                            // Names need no addresses.
                            (Offset::InFile(offset), Some(dirs)) if !has_names => segments
                                .entry(module)
                                .or_insert_with(|| {
                                    Segments::of(&tree.modules[module as usize], dirs)
                                })
                                .address(offset)
                                .unwrap_or(offset),
                            (Offset::InFile(number) | Offset::Address(number), _) => number,
                        };
                    (module, address)
                }
                None => match tree.special(location) {
                    Some(special) => (SPECIAL_MODULE, special.code()),
                    None => (tree.unknown_module(), location.address),
                },
            };
            let address = match address {
                0 if has_names => tree.instead_of_address(location),
                address => address,
            };
            tree.note_source(module, frames, location);
            let place = Place {
                module,
                address,
                frames,
            };
            budget.push(&mut tree.places, place)?;
        }
        Ok(tree)
    }

    /// Texts of each function's name and file.
    fn functions(&mut self, budget: &mut Budget) -> Result<Vec<(u32, Option<u32>)>, ErrorKind> {
        let mut functions = Vec::new();
        for function in &self.tables.functions {
            let raw = match self.tables.text(function.name) {
                [] => self.tables.text(function.system_name),
                name => name,
            };
            let file = self.tables.text(function.filename);
            let name = match symbols::function_name(raw) {
                name if name.is_empty() => "[unnamed]".to_owned(),
                name => name,
            };
            let name = self.text(name, budget)?;
            let file = match file {
                [] => None,
                file => Some(self.text(clean(file), budget)?),
            };
            budget.push(&mut functions, (name, file))?;
        }
        Ok(functions)
    }

    fn text(&mut self, text: String, budget: &mut Budget) -> Result<u32, ErrorKind> {
        budget.take(TEXT_BYTES + 2 * text.len() as u64)?;
        Ok(self.names.text(text))
    }

    fn frames_of(
        &mut self,
        location: &Location,
        functions: &[(u32, Option<u32>)],
        budget: &mut Budget,
    ) -> Result<(usize, usize), ErrorKind> {
        let start = self.frames.len();
        let lines = self.tables.lines_of(location);
        for (at, line) in lines.iter().enumerate() {
            let Some(function) = self.tables.function_of(line) else {
                continue;
            };
            budget.take(FRAME_BYTES)?;
            let (function, file) = functions[function];
            let frame = self.names.frame(Frame {
                function,
                file,
                line: line.line,
                inlined: at + 1 < lines.len(),
                generics: None,
            });
            budget.push(&mut self.frames, frame)?;
        }
        Ok((start, self.frames.len()))
    }

    /// The module of locations in no mapping.
    fn unknown_module(&mut self) -> u32 {
        *self.unknown.get_or_insert_with(|| {
            self.modules.push(Module {
                path: UNKNOWN.to_owned(),
                ..Module::default()
            });
            self.modules.len() as u32 - 1
        })
    }

    /// A frame that is no code, as our own profiles name them.
    fn special(&self, location: &Location) -> Option<SpecialFrame> {
        let [line] = self.tables.lines_of(location) else {
            return None;
        };
        let function = &self.tables.functions[self.tables.function_of(line)?];
        let name = std::str::from_utf8(self.tables.text(function.name)).ok()?;
        SpecialFrame::from_name(name)
    }

    /// What tells a location without an address from others, in each profile that has it.
    fn instead_of_address(&self, location: &Location) -> u64 {
        let mut hash = FxHasher::default();
        for line in self.tables.lines_of(location) {
            line.line.hash(&mut hash);
            if let Some(function) = self.tables.function_of(line) {
                let function = &self.tables.functions[function];
                self.tables.text(function.name).hash(&mut hash);
                self.tables.text(function.filename).hash(&mut hash);
            }
        }
        hash.finish()
    }

    fn note_source(&mut self, module: u32, frames: (usize, usize), location: &Location) {
        let at = module as usize;
        if self.sources.len() <= at {
            self.sources.resize(at + 1, SymbolSource::Missing);
        }
        let has_lines = |tables: &Tables<'_>| tables.lines_of(location).iter().any(|l| l.line > 0);
        if module == SPECIAL_MODULE || frames.0 == frames.1 {
            // Nothing is named.
        } else if has_lines(self.tables) {
            self.sources[at] = SymbolSource::DebugInfo;
        } else if self.sources[at] == SymbolSource::Missing {
            self.sources[at] = SymbolSource::SymbolTable;
        }
    }

    /// The row of a sample's innermost location; `locations` are indices, innermost first.
    pub(super) fn row(&mut self, locations: &[u32], budget: &mut Budget) -> Result<u32, ErrorKind> {
        let mut row = None;
        for &location in locations.iter().rev() {
            row = Some(self.child(row, Some(location), budget)?);
        }
        match row {
            Some(row) => Ok(row),
            None => self.child(None, None, budget),
        }
    }

    fn child(
        &mut self,
        caller: Option<u32>,
        location: Option<u32>,
        budget: &mut Budget,
    ) -> Result<u32, ErrorKind> {
        let key = [caller, location].map(|index| index.map_or(0, |index| index + 1));
        if let Some(&row) = self.rows.get(&(key[0], key[1])) {
            return Ok(row);
        }
        let (module, address, frames) = match location {
            Some(location) => {
                let place = &self.places[location as usize];
                (
                    place.module,
                    place.address,
                    &self.frames[place.frames.0..place.frames.1],
                )
            }
            None => (SPECIAL_MODULE, SpecialFrame::NoStack.code(), &[][..]),
        };
        budget.take(ROW_BYTES + GROWTH * size_of_val(frames) as u64)?;
        let row = self.stacks.parent.len() as u32;
        self.names.row(if module == SPECIAL_MODULE {
            &[]
        } else {
            frames
        });
        self.stacks.parent.push(caller.map_or(-1, i64::from));
        self.stacks.module.push(module);
        self.stacks.address.push(address);
        self.rows.insert((key[0], key[1]), row);
        Ok(row)
    }

    /// Modules, stacks and, where the file has any, names.
    pub(super) fn finish(mut self) -> (Vec<Module>, Stacks, Option<Symbols>) {
        self.sources
            .resize(self.modules.len(), SymbolSource::Missing);
        let has_names = self
            .sources
            .iter()
            .any(|source| *source != SymbolSource::Missing);
        let symbols = has_names.then(|| self.names.finish(self.sources));
        (self.modules, self.stacks, symbols)
    }
}

/// Where a location lies, as far as its mapping alone tells.
enum Offset {
    InFile(u64),
    Address(u64),
}

impl Offset {
    fn of(mapping: &Mapping, address: u64) -> Self {
        let Mapping {
            start,
            limit,
            file_offset,
            ..
        } = *mapping;
        // A mapping of everything is none: addresses are those that the linker gave.
        let is_everything = start == 0 && file_offset == 0 && matches!(limit, 0 | u64::MAX);
        let offset = address
            .checked_sub(start)
            .and_then(|inside| inside.checked_add(file_offset));
        match offset {
            Some(offset) if !is_everything && address < limit => Self::InFile(offset),
            _ => Self::Address(address),
        }
    }
}

/// The modules, the program's second, and for each mapping its module: a file can have several.
fn modules(tables: &Tables<'_>, budget: &mut Budget) -> Result<(Vec<Module>, Vec<u32>), ErrorKind> {
    let mut modules = vec![Module {
        path: "[special]".to_owned(),
        ..Module::default()
    }];
    let mut known = HashMap::new();
    let mut of_mapping = Vec::new();
    for mapping in &tables.mappings {
        let [path, build_id] = [mapping.filename, mapping.build_id].map(|text| tables.text(text));
        let module = match known.get(&(path, build_id)) {
            Some(&module) => module,
            None => {
                let module = Module {
                    path: match path {
                        [] => UNKNOWN.to_owned(),
                        path => clean(path),
                    },
                    build_id: (!build_id.is_empty()).then(|| clean(build_id)),
                    text_hash: None,
                };
                let letters = module.path.len() + module.build_id.as_ref().map_or(0, String::len);
                budget.take(TEXT_BYTES + 2 * letters as u64)?;
                budget.push(&mut modules, module)?;
                known.insert((path, build_id), modules.len() as u32 - 1);
                modules.len() as u32 - 1
            }
        };
        budget.push(&mut of_mapping, module)?;
    }
    Ok((modules, of_mapping))
}

fn clean(text: &[u8]) -> String {
    symbols::clean(&String::from_utf8_lossy(text))
}
