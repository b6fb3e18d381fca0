//! What the user names, made ready to be read: lists and folders are opened, and URLs asked, many at a
//! time.

use std::path::{Path, PathBuf};

use super::http::{Unanswered, is_url};
use super::select::expand;
use super::{Options, Step, push_new};
use crate::error::Error;

/// An input that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) file: PathBuf,
    /// Whether it was named itself, and not as part of a folder.
    pub(super) is_named: bool,
    /// Whether nothing can be said without it.
    pub(super) is_needed: bool,
}

impl Found {
    fn named(file: PathBuf) -> Self {
        Self {
            file,
            is_named: true,
            is_needed: true,
        }
    }
}

/// What the bare address of an endpoint stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    /// A snapshot that is taken now.
    Now,
    /// The snapshots in the service's folder.
    Folder,
}

/// The snapshots and profiles that `patterns` name, as [`expand`] has them. URLs have been asked.
///
/// # Errors
///
/// Those of [`expand`], and the first URL without an answer, unless the user can do without.
pub fn gather<P: AsRef<Path>>(
    patterns: impl IntoIterator<Item = P>,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<PathBuf>, Error> {
    let found = expand(patterns)?.into_iter().map(Found::named);
    let found = fetch(found.collect(), options, progress, notes)?;
    Ok(found.into_iter().map(|found| found.file).collect())
}

/// The same, with all that is in folders and in the lists of endpoints; `in_full`, all of it is needed
/// as if it was named.
pub(super) fn find<P: AsRef<Path>>(
    patterns: impl IntoIterator<Item = P>,
    address: Address,
    in_full: bool,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<Found>, Error> {
    let mut all = Vec::new();
    for file in expand(patterns)? {
        let within = if file.is_dir() {
            Some(in_folder(&file)?)
        } else if is_url(&file) {
            in_service(&file, address, options, notes)?
        } else {
            None
        };
        match within {
            Some(files) => all.extend(files.into_iter().map(|file| Found {
                file,
                is_named: false,
                is_needed: in_full,
            })),
            None => all.push(Found::named(file)),
        }
    }
    fetch(all, options, progress, notes)
}

/// The snapshots in a service's folder; none if the URL is to be asked for one.
fn in_service(
    url: &Path,
    address: Address,
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Option<Vec<PathBuf>>, Error> {
    if address == Address::Now && options.remote.takes_now(url) {
        return Ok(None);
    }
    match options.remote.list(url) {
        Err(error) if options.remote.is_partial() => {
            push_new(notes, passed_over(&error));
            Ok(Some(Vec::new()))
        }
        listed => listed,
    }
}

/// Asks all URLs, and leaves out those that the user can do without.
fn fetch(
    mut found: Vec<Found>,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<Found>, Error> {
    let remote = &options.remote;
    let files: Vec<PathBuf> = found.iter().map(|found| found.file.clone()).collect();
    let unanswered = remote.fetch(&files, &mut |done, of| {
        progress(Step::Fetching { done, of });
    });
    let is_needed = |one: &Unanswered| {
        let mut same = found.iter().filter(|found| found.file == one.input);
        same.any(|found| found.is_needed)
    };
    let (missing, spared): (Vec<_>, Vec<_>) = unanswered
        .into_iter()
        .partition(|one| !remote.is_partial() && is_needed(one));
    let more = missing.len().saturating_sub(1);
    if let Some(one) = missing.into_iter().next() {
        return Err(match more {
            0 => one.error,
            more => one.error.with(&format!(
                " (and {more} more of {}: --partial goes on without them)",
                files.len()
            )),
        });
    }
    found.retain(|found| spared.iter().all(|one| one.input != found.file));
    notes.extend(spared.iter().map(|one| passed_over(&one.error)));
    match spared.into_iter().next() {
        Some(one) if found.is_empty() => Err(one.error),
        _ => Ok(found),
    }
}

pub(super) fn passed_over(error: &Error) -> String {
    format!("passed over: {error}")
}

fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let explain = |error: std::io::Error| Error::input(folder, error);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(explain)? {
        let path = entry.map_err(explain)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_one = [".json.gz", ".pb.gz"].iter().any(|end| name.ends_with(end));
        if is_one && !name.starts_with('.') && path.is_file() {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Error::input(
            folder,
            "no snapshots in this folder: their names end in .json.gz, and those of pprof profiles in .pb.gz",
        ));
    }
    files.sort();
    Ok(files)
}
