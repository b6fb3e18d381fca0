//! What lies in the folders that the user named with `--debug-dir`.
//!
//! Only the folder itself is listed, not what is below: `target/release` holds the program, and
//! ten thousand other files underneath.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    elf_file::{ElfFile, is_linked},
    identity::Identity,
};

/// The folders, and files that were named instead of a folder.
pub(super) struct DebugDirs<'a> {
    given: &'a [PathBuf],
    /// Identities of all programs and libraries in the folders, read when first needed.
    by_identity: Option<HashMap<Identity, Vec<PathBuf>>>,
}

impl<'a> DebugDirs<'a> {
    pub(super) fn new(given: &'a [PathBuf]) -> Self {
        Self {
            given,
            by_identity: None,
        }
    }

    pub(super) fn paths(&self) -> &'a [PathBuf] {
        self.given
    }

    /// The arguments that are files. People pass the unstripped program itself, too.
    pub(super) fn plain_files(&self) -> impl Iterator<Item = &'a Path> {
        self.given
            .iter()
            .map(PathBuf::as_path)
            .filter(|path| path.is_file())
    }

    /// Files with that identity under any name, such as a renamed program.
    pub(super) fn with_identity(&mut self, identity: &Identity) -> &[PathBuf] {
        self.by_identity
            .get_or_insert_with(|| index(self.given))
            .get(identity)
            .map_or(&[], Vec::as_slice)
    }
}

fn index(folders: &[PathBuf]) -> HashMap<Identity, Vec<PathBuf>> {
    let mut index: HashMap<_, Vec<_>> = HashMap::new();
    for folder in folders {
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if let Some(identity) = identity_of(&path) {
                index.entry(identity).or_default().push(path);
            }
        }
    }
    index
}

/// The identity of a file. What is no program and no library, or is damaged, is passed over:
/// nobody has claimed that it is the one looked for.
fn identity_of(path: &Path) -> Option<Identity> {
    let file = ElfFile::open(path).ok()?;
    let object = file.parse().ok()?;
    is_linked(&object)
        .then(|| Identity::of_file(&object).ok())
        .flatten()
}
