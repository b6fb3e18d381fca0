//! Turns the addresses of a snapshot into functions, files, lines and inlined calls.
//!
//! [`symbolize`] finds each module's file by what identifies it (never by its path alone), reads
//! debug information or, without any, the symbol table, and returns the `symbols` section of the
//! snapshot together with [`Note`]s on what could not be had.
//!
//! It does not change the snapshot, print, ask servers over the network, or decide which crate a
//! function belongs to. Files are opened for reading only, and damaged ones give a note.

mod columns;
mod debug_dirs;
mod debug_info;
mod dwarf;
mod elf_file;
mod generics;
mod globals;
mod identity;
mod locate;
mod names;
mod note;
mod resolve;
mod segments;
mod split_units;
mod symbol_table;

use std::path::{Path, PathBuf};

use heaplens::snapshot::{Module, SPECIAL_MODULE, Snapshot, SymbolSource, Symbols};

use self::{
    columns::Previous, debug_dirs::DebugDirs, identity::Identity, locate::Found,
    note::is_system_library, resolve::Resolved,
};
pub(crate) use self::{
    columns::{Columns, Frame, FrameId},
    names::clean,
    segments::Segments,
};
pub use self::{globals::variable_names, identity::text_hash, names::function_name, note::Note};

/// Addresses between two calls of the progress callback.
const PROGRESS_STEP: u64 = 256;

/// Where to look for symbols besides the usual places.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Folders with unstripped programs or debug files, as `--debug-dir` gives them; a file is
    /// accepted too.
    pub debug_dirs: Vec<PathBuf>,
}

/// What [`symbolize`] found.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Names for all rows of the stacks. A function without a name reads `libfoo.so+0x1234`.
    pub symbols: Symbols,
    /// Remarks for the user, in the order of the modules.
    pub notes: Vec<Note>,
}

/// Resolves all stacks of a snapshot.
///
/// Names that the snapshot already carries stay, unless they can be bettered: modules that had no
/// file are tried again, and those with a symbol table only are where debug information turns up.
///
/// `progress` is called with the number of addresses done and their total.
pub fn symbolize(
    snapshot: &Snapshot,
    options: &Options,
    progress: &mut dyn FnMut(u64, u64),
) -> Outcome {
    let rows = snapshot.stacks.parent.len();
    let mut previous = snapshot
        .symbols
        .as_ref()
        .and_then(|symbols| Previous::new(symbols, rows));
    let wanted = wanted_addresses(snapshot, previous.as_ref());

    let mut work = Work {
        snapshot,
        dirs: DebugDirs::new(&options.debug_dirs),
        columns: Columns::default(),
        notes: Vec::new(),
        done: 0,
        total: wanted.iter().map(|addresses| addresses.len() as u64).sum(),
        progress,
    };
    for path in &options.debug_dirs {
        if !path.exists() {
            work.notes.push(Note::NoSuchFolder { path: path.clone() });
        }
    }
    (work.progress)(0, work.total);

    let mut sources = Vec::with_capacity(snapshot.modules.len());
    let mut resolved = Vec::with_capacity(snapshot.modules.len());
    for (index, addresses) in wanted.into_iter().enumerate() {
        let before = previous.as_ref().map(|previous| previous.source(index));
        let better = work.module(index, addresses, before.unwrap_or_default());
        let after = better.as_ref().map(|resolved| resolved.source).or(before);
        sources.push(after.unwrap_or_default());
        resolved.push(better);
    }

    let Work {
        mut columns, notes, ..
    } = work;
    for row in 0..rows {
        let frame = frame_of(snapshot, row);
        match frame.and_then(|(module, address)| Some((resolved.get(module)?.as_ref()?, address))) {
            Some((resolved, address)) => columns.row(resolved.frames(address)),
            None => match &mut previous {
                Some(previous) => previous.copy_row(row, &mut columns),
                None => columns.row(&[]),
            },
        }
    }
    Outcome {
        symbols: columns.finish(sources),
        notes,
    }
}

/// Module and address of a row, unless it is a special frame.
fn frame_of(snapshot: &Snapshot, row: usize) -> Option<(usize, u64)> {
    let module = *snapshot.stacks.module.get(row)?;
    let address = *snapshot.stacks.address.get(row)?;
    (module != SPECIAL_MODULE).then_some((module as usize, address))
}

/// The distinct addresses to look up in each module, sorted.
fn wanted_addresses(snapshot: &Snapshot, previous: Option<&Previous<'_>>) -> Vec<Vec<u64>> {
    let mut wanted = vec![Vec::new(); snapshot.modules.len()];
    let settled: Vec<bool> = (0..wanted.len())
        .map(|module| {
            previous.is_some_and(|previous| previous.source(module) == SymbolSource::DebugInfo)
        })
        .collect();
    for row in 0..snapshot.stacks.parent.len() {
        if let Some((module, address)) = frame_of(snapshot, row)
            && let Some(addresses) = wanted.get_mut(module)
            && !settled[module]
        {
            addresses.push(address);
        }
    }
    for addresses in &mut wanted {
        addresses.sort_unstable();
        addresses.dedup();
    }
    wanted
}

/// The run through the modules.
struct Work<'a> {
    snapshot: &'a Snapshot,
    dirs: DebugDirs<'a>,
    columns: Columns,
    notes: Vec<Note>,
    done: u64,
    total: u64,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl Work<'_> {
    /// Resolves a module; `None` if what the snapshot carries is as good.
    fn module(
        &mut self,
        index: usize,
        addresses: Vec<u64>,
        before: SymbolSource,
    ) -> Option<Resolved> {
        if addresses.is_empty() {
            return None;
        }
        let module = &self.snapshot.modules[index];
        let end = self.done + addresses.len() as u64;
        let identity = Identity::of_module(module);
        let found = match &identity {
            Some(identity) => locate::find(module, identity, &mut self.dirs),
            None => locate::Found::default(),
        };
        let worth_it = before == SymbolSource::Missing || found.has_debug_info;
        let resolved = worth_it.then(|| self.resolve(module, &found, addresses));
        self.done = end;
        (self.progress)(end, self.total);

        self.remark(module, identity.as_ref(), found, resolved.as_ref(), before);
        resolved.filter(|resolved| {
            before == SymbolSource::Missing || resolved.source == SymbolSource::DebugInfo
        })
    }

    fn resolve(&mut self, module: &Module, found: &Found, addresses: Vec<u64>) -> Resolved {
        let (mut done, total, progress) = (self.done, self.total, &mut *self.progress);
        let step = || {
            done += 1;
            if done % PROGRESS_STEP == 0 {
                progress(done, total);
            }
        };
        let dirs = self.dirs.paths();
        resolve::resolve(
            module,
            &found.files,
            addresses,
            dirs,
            &mut self.columns,
            step,
        )
    }

    /// Tells what is missing. A snapshot that came with names needs no file, so that it is not
    /// here is not worth a word then.
    fn remark(
        &mut self,
        module: &Module,
        identity: Option<&Identity>,
        found: Found,
        resolved: Option<&Resolved>,
        before: SymbolSource,
    ) {
        let source = match resolved {
            Some(resolved) if resolved.source == SymbolSource::Missing => before,
            Some(resolved) => resolved.source,
            None => before,
        };
        let damage = resolved.map_or(&[][..], |resolved| &resolved.notes);
        self.notes.extend_from_slice(damage);
        if source == SymbolSource::DebugInfo {
            return;
        }
        self.notes.extend(found.refused);

        let path = || module.path.clone();
        let build_id = || identity.and_then(Identity::build_id).map(Into::into);
        if source == SymbolSource::SymbolTable {
            if self.is_program(module) && damage.is_empty() {
                self.notes.push(Note::NoLines { module: path() });
            }
        } else if is_kernel_page(module) {
            // Nobody has a file of it.
        } else if identity.is_none() {
            self.notes.push(Note::NoIdentity { module: path() });
        } else if found.files.is_empty() {
            let tried = found.tried;
            self.notes.push(Note::Missing {
                module: path(),
                build_id: build_id(),
                tried,
            });
        } else if !is_system_library(Path::new(&module.path)) {
            self.notes.push(Note::Stripped {
                module: path(),
                build_id: build_id(),
            });
        }
    }

    /// Whether a module is the program itself and not one of its libraries.
    fn is_program(&self, module: &Module) -> bool {
        let program = &self.snapshot.header.program;
        module.path == program.executable
            || (module.build_id.is_some() && module.build_id == program.build_id)
    }
}

/// Whether a module is the page of code that the kernel maps into each process.
fn is_kernel_page(module: &Module) -> bool {
    module.path.starts_with('[') || module.path.starts_with("linux-vdso")
}
