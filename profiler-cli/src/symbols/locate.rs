//! Finds the files of a module: where to look, in which order, and whether a file is the right one.
//!
//! Nothing is taken on the strength of its path. A file counts if its identity is the recorded
//! one, or if a file that counts names it in `.gnu_debuglink` and the checksum agrees.

use std::path::{Path, PathBuf};

use heaplens::snapshot::Module;
use object::Object;

use super::{
    debug_dirs::DebugDirs,
    elf_file::{ElfFile, OpenError, debuglink, has_debug_info},
    identity::{self, Identity},
    note::Note,
};

/// Where distributions install debug files.
const SYSTEM_DEBUG_DIR: &str = "/usr/lib/debug";

/// What the search for a module's files gave.
#[derive(Default)]
pub(super) struct Found {
    /// Files of the module in the order of preference.
    pub(super) files: Vec<ElfFile>,
    /// Where files were looked for.
    pub(super) tried: Vec<PathBuf>,
    /// Files that were not used, and why.
    pub(super) refused: Vec<Note>,
    /// Whether one of the files has debug information.
    pub(super) has_debug_info: bool,
    /// Whether one of the files has a full symbol table.
    has_symbol_table: bool,
}

/// Looks for the files of a module until there are debug information and a full symbol table.
pub(super) fn find(module: &Module, identity: &Identity, dirs: &mut DebugDirs<'_>) -> Found {
    let mut search = Search {
        identity,
        found: Found::default(),
    };
    let recorded = recorded_path(module);

    search.all_named(by_name(&recorded, identity, dirs.paths()));
    for path in dirs.plain_files() {
        let named = path.file_name() == recorded.file_name();
        search.consider(path, Trust::Identity, named);
    }
    if !search.found.has_debug_info {
        for path in dirs.with_identity(identity) {
            search.consider(path, Trust::Identity, false);
        }
    }
    if recorded.is_absolute() {
        search.consider(&recorded, Trust::Identity, true);
    }
    for (path, crc) in search.linked(dirs.paths()) {
        search.consider(&path, Trust::Checksum(crc), true);
    }
    let system = Path::new(SYSTEM_DEBUG_DIR);
    search.all_named(by_build_id(system, identity).into_iter().take(1));
    search.found
}

/// The path of the file that ran. Linux marks the path of a program whose file was replaced.
fn recorded_path(module: &Module) -> PathBuf {
    PathBuf::from(
        module
            .path
            .strip_suffix(" (deleted)")
            .unwrap_or(&module.path),
    )
}

/// Where a debug folder would have a module, by the usual naming schemes.
fn by_name(recorded: &Path, identity: &Identity, folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for folder in folders {
        if let Some(name) = recorded.file_name() {
            let mut debug_name = name.to_owned();
            debug_name.push(".debug");
            paths.extend([folder.join(name), folder.join(debug_name)]);
        }
        paths.extend(by_build_id(folder, identity));
    }
    paths
}

/// `.build-id/ab/cdef.debug` and `.build-id/ab/cdef`.
fn by_build_id(folder: &Path, identity: &Identity) -> Vec<PathBuf> {
    let Some((first, rest)) = identity.build_id().and_then(|id| id.split_at_checked(2)) else {
        return Vec::new();
    };
    let folder = folder.join(".build-id").join(first);
    vec![folder.join(format!("{rest}.debug")), folder.join(rest)]
}

/// What makes a candidate acceptable.
#[derive(Clone, Copy)]
enum Trust {
    /// Its identity.
    Identity,
    /// Its identity; or, if it has no build id to compare, its checksum.
    Checksum(u32),
}

struct Search<'a> {
    identity: &'a Identity,
    found: Found,
}

impl Search<'_> {
    fn all_named(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        for path in paths {
            self.consider(&path, Trust::Identity, true);
        }
    }

    /// Looks at a candidate. `named` says that its name promises the right file, so that it is
    /// worth telling if it is not.
    fn consider(&mut self, path: &Path, trust: Trust, named: bool) {
        let found = &self.found;
        let complete = found.has_debug_info && found.has_symbol_table;
        if complete || found.tried.iter().any(|tried| tried == path) {
            return;
        }
        self.found.tried.push(path.to_owned());
        if let Err(note) = self.add(path, trust)
            && named
        {
            self.found.refused.push(note);
        }
    }

    /// Adds a file to those found. That there is none is no error.
    fn add(&mut self, path: &Path, trust: Trust) -> Result<(), Note> {
        let unreadable = |error| Note::Unreadable {
            path: path.to_owned(),
            error,
        };
        let file = match ElfFile::open(path) {
            Ok(file) => file,
            Err(OpenError::NotFound) => return Ok(()),
            Err(OpenError::NotElf) => return Err(unreadable("not an ELF file".into())),
            Err(OpenError::Unreadable(error)) => return Err(unreadable(error)),
        };
        let object = file
            .parse()
            .map_err(|error| unreadable(error.to_string()))?;
        let refusal = self.refusal(&file, &object, trust);
        if let Some((expected, found)) = refusal.map_err(|error| unreadable(error.to_string()))? {
            return Err(Note::WrongBinary {
                path: path.to_owned(),
                expected,
                found,
            });
        }
        self.found.has_debug_info |= has_debug_info(&object);
        self.found.has_symbol_table |= object.symbol_table().is_some();
        self.found.files.push(file);
        Ok(())
    }

    /// Why a file is not one of the module's, as expected and found; `None` if it is.
    fn refusal(
        &self,
        file: &ElfFile,
        object: &object::File<'_>,
        trust: Trust,
    ) -> object::Result<Option<(String, String)>> {
        let found = identity::build_id(object)?;
        let (agrees, shown) = match (self.identity, trust, found) {
            (Identity::BuildId(wanted), _, Some(found)) => {
                (*wanted == found, format!("build id {found}"))
            }
            (_, Trust::Checksum(wanted), _) => {
                let crc = crc32fast::hash(file.data());
                let differ = (
                    format!("checksum {wanted:08x}"),
                    format!("checksum {crc:08x}"),
                );
                return Ok((crc != wanted).then_some(differ));
            }
            (Identity::BuildId(_), Trust::Identity, None) => (false, "no build id".into()),
            (Identity::TextHash(wanted), Trust::Identity, _) => {
                let hash = identity::text_hash(object)?;
                (*wanted == hash, format!("text hash {hash}"))
            }
        };
        Ok((!agrees).then(|| (self.identity.to_string(), shown)))
    }

    /// Where the files found so far say that their debug files are.
    fn linked(&self, folders: &[PathBuf]) -> Vec<(PathBuf, u32)> {
        let mut linked = Vec::new();
        for file in &self.found.files {
            let Some((name, crc)) = file.parse().ok().as_ref().and_then(debuglink) else {
                continue;
            };
            let Some(beside) = file.path().parent() else {
                continue;
            };
            let mut dirs = vec![beside.to_owned(), beside.join(".debug")];
            for folder in folders
                .iter()
                .map(PathBuf::as_path)
                .chain([Path::new(SYSTEM_DEBUG_DIR)])
            {
                if let Ok(below_root) = beside.strip_prefix("/") {
                    dirs.push(folder.join(below_root));
                }
                dirs.push(folder.to_owned());
            }
            linked.extend(dirs.into_iter().map(|dir| (dir.join(&name), crc)));
        }
        linked
    }
}
