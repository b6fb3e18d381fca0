//! Split debug information: units that live beside the program, in one package (`.dwp`, rustc's
//! `split-debuginfo = "packed"`) or in a file each (`.dwo`, `"unpacked"`).
//!
//! They carry no build id. Each unit has an id of its own, which the program names; a unit with
//! another id is never used, so a package of another build does no harm.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use addr2line::SplitDwarfLoad;
use gimli::DwarfPackage;

use super::{
    dwarf::{Slice, Store, is_too_deep, section},
    elf_file::ElfFile,
};

/// Where the split units of one module are.
pub(super) struct SplitUnits<'a> {
    store: &'a Store,
    packages: Vec<DwarfPackage<Slice<'a>>>,
    /// Folders for `.dwo` files that are not where the compiler left them.
    folders: Vec<PathBuf>,
    missing: usize,
    first_missing: Option<PathBuf>,
}

impl<'a> SplitUnits<'a> {
    /// Opens the packages of a program: `programs` are its files, under whatever names it has.
    pub(super) fn new(programs: &[&Path], debug_dirs: &[PathBuf], store: &'a Store) -> Self {
        let mut folders = debug_dirs.to_vec();
        folders.extend(
            programs
                .iter()
                .filter_map(|program| program.parent())
                .map(Into::into),
        );
        let mut candidates: Vec<PathBuf> = Vec::new();
        for program in programs {
            for name in package_names(program) {
                candidates.extend(folders.iter().map(|folder| folder.join(&name)));
            }
        }
        let mut seen = std::collections::HashSet::new();
        candidates.retain(|path| seen.insert(path.clone()));
        let packages = candidates
            .iter()
            .filter_map(|path| open_package(path, store))
            .collect();
        Self {
            store,
            packages,
            folders,
            missing: 0,
            first_missing: None,
        }
    }

    /// Finds the unit that a program refers to.
    pub(super) fn load(
        &mut self,
        wanted: &SplitDwarfLoad<Slice<'a>>,
    ) -> Option<Arc<gimli::Dwarf<Slice<'a>>>> {
        let packed = self.packages.iter().find_map(|package| {
            package
                .find_cu(wanted.dwo_id, &wanted.parent)
                .ok()
                .flatten()
        });
        let unit = packed
            .filter(|dwarf| !is_too_deep(dwarf))
            .or_else(|| self.load_file(wanted));
        if unit.is_none() {
            self.missing += 1;
            self.first_missing = self.first_missing.take().or_else(|| recorded_path(wanted));
        }
        unit.map(Arc::new)
    }

    /// How many units were not found, and the recorded path of the first.
    pub(super) fn missing(&self) -> Option<(usize, Option<&Path>)> {
        (self.missing > 0).then_some((self.missing, self.first_missing.as_deref()))
    }

    fn load_file(&self, wanted: &SplitDwarfLoad<Slice<'a>>) -> Option<gimli::Dwarf<Slice<'a>>> {
        let recorded = recorded_path(wanted)?;
        let name = recorded.file_name()?.to_owned();
        let elsewhere = self.folders.iter().map(|folder| folder.join(&name));
        std::iter::once(recorded)
            .chain(elsewhere)
            .find_map(|path| self.open_unit(&path, wanted))
    }

    fn open_unit(
        &self,
        path: &Path,
        wanted: &SplitDwarfLoad<Slice<'a>>,
    ) -> Option<gimli::Dwarf<Slice<'a>>> {
        let file = self
            .store
            .files
            .alloc(ElfFile::open(path).ok()?)
            .parse()
            .ok()?;
        let mut dwarf = gimli::Dwarf::load(|id| section(&file, id.dwo_name(), self.store)).ok()?;
        let header = dwarf.units().next().ok()??;
        let unit = dwarf.unit(header).ok()?;
        if unit.dwo_id != Some(wanted.dwo_id) || is_too_deep(&dwarf) {
            return None;
        }
        dwarf.make_dwo(&wanted.parent);
        Some(dwarf)
    }
}

/// `svc.dwp`, and for `libsvc.so` both `libsvc.so.dwp` and `libsvc.dwp`: toolchains differ.
fn package_names(program: &Path) -> Vec<PathBuf> {
    let Some(name) = program.file_name() else {
        return Vec::new();
    };
    let mut appended = name.to_owned();
    appended.push(".dwp");
    let mut names = vec![PathBuf::from(appended)];
    let replaced = Path::new(name).with_extension("dwp");
    if !names.contains(&replaced) {
        names.push(replaced);
    }
    names
}

fn open_package<'a>(path: &Path, store: &'a Store) -> Option<DwarfPackage<Slice<'a>>> {
    let file = store.files.alloc(ElfFile::open(path).ok()?).parse().ok()?;
    let empty = section(&file, None, store).ok()?;
    let load =
        |id: gimli::SectionId| section(&file, id.dwo_name(), store).map_err(|_| gimli::Error::Io);
    DwarfPackage::load(load, empty).ok()
}

fn recorded_path(wanted: &SplitDwarfLoad<Slice<'_>>) -> Option<PathBuf> {
    let path = |slice: Slice<'_>| PathBuf::from(OsStr::from_bytes(slice.slice()));
    let file = path(wanted.path?);
    Some(wanted.comp_dir.map(path).unwrap_or_default().join(file))
}
