//! The finished snapshots in the folder, to look at and to read: those of this process, and those that
//! others have left there before they were killed.
//!
//! Only names that a snapshot can have are known here, and only regular files: nothing else in the
//! file system can be reached by a name. Writing is `store`'s business.

use super::files::Folder;
use super::status;
use crate::snapshot::FileName;
use std::fs::File;
use std::io;

/// A snapshot's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

/// The snapshots in the folder by name, which is by program and time.
pub(crate) fn list() -> io::Result<Vec<Listed>> {
    let Some(folder) = open_folder()? else {
        return Ok(Vec::new());
    };
    let mut listed: Vec<Listed> = folder
        .entries()?
        .into_iter()
        .filter(|entry| FileName::parse(&entry.name).is_some())
        .map(|entry| Listed {
            name: entry.name,
            bytes: entry.bytes,
        })
        .collect();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listed)
}

/// Opens a snapshot; `None` if there is none of this name.
pub(crate) fn open(name: &str) -> io::Result<Option<File>> {
    if FileName::parse(name).is_none() {
        return Ok(None);
    }
    let Some(folder) = open_folder()? else {
        return Ok(None);
    };
    match folder.open_file(name) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The folder; `None` if there is none yet.
fn open_folder() -> io::Result<Option<Folder>> {
    let Some(path) = status::folder() else {
        return Ok(None);
    };
    match Folder::open(path) {
        Ok(folder) => Ok(Some(folder)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
