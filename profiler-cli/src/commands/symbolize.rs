//! `heaplens symbolize`

use std::fs;
use std::path::Path;

use heaplens::snapshot::{self, Snapshot, SymbolSource};

use crate::args::SymbolizeArgs;
use crate::error::Error;
use crate::input::{Options, expand, is_profile, is_url, name, push_new, read};
use crate::output::{Existing, private, write_file};
use crate::progress::Progress;

pub(super) fn run(args: &SymbolizeArgs) -> Result<(), Error> {
    let files = expand(&args.snapshots)?;
    if args.output.is_some() && files.len() != 1 {
        let what = format!("-o takes one snapshot, and there are {}", files.len());
        return Err(Error::Usage(what));
    }
    let options = Options {
        debug_dirs: args.debug_dirs.clone(),
        remote: args.http.remote(false),
        ..Options::default()
    };
    let progress = Progress::new();
    let mut notes = Vec::new();
    let result = files.iter().try_for_each(|file| {
        let target = args.output.as_deref().unwrap_or(file);
        let existing = match &args.output {
            Some(_) if !args.force && !is_same(file, target) => Existing::Keep,
            _ => Existing::Replace,
        };
        one(file, target, existing, &options, &progress, &mut notes)
    });
    drop(progress);
    // The notes say why a file has no names, so they come before the error that it has none.
    super::tell(&notes);
    result
}

fn one(
    file: &Path,
    target: &Path,
    existing: Existing,
    options: &Options,
    progress: &Progress,
    notes: &mut Vec<String>,
) -> Result<(), Error> {
    let mut show = |step: crate::input::Step<'_>| progress.show(step);
    show(crate::input::Step::Reading {
        file,
        number: 1,
        of: 1,
    });
    if is_url(file) && target == file {
        return Err(Error::input(
            file,
            "cannot be rewritten there: pass -o FILE for a file with names here",
        ));
    }
    if is_profile(file, options) {
        return Err(Error::input(
            file,
            "a pprof profile: only snapshots are rewritten with names; `heaplens export --to pprof -o \
             FILE` writes a profile with them",
        ));
    }
    let mut snapshot = read(file, options, notes)?;
    let outcome = name(&snapshot, options, &mut show);
    for note in outcome.notes {
        push_new(notes, note.to_string());
    }
    if !has_names(&snapshot, &outcome.symbols.sources) {
        return Err(Error::input(
            file,
            "no symbols were found for any of its modules",
        ));
    }
    snapshot.symbols = Some(outcome.symbols);
    // As private as the snapshot was.
    let permissions = match fs::metadata(file) {
        _ if is_url(file) => private(),
        metadata => metadata.ok().map(|metadata| metadata.permissions()),
    };
    write_file(target, existing, permissions, |out| {
        snapshot::write(&snapshot, out)
    })
}

/// Whether any module got names; a snapshot without stacks needs none.
fn has_names(snapshot: &Snapshot, sources: &[SymbolSource]) -> bool {
    let used = snapshot
        .stacks
        .module
        .iter()
        .any(|&module| module != snapshot::SPECIAL_MODULE);
    !used
        || sources
            .iter()
            .any(|source| *source != SymbolSource::Missing)
}

fn is_same(a: &Path, b: &Path) -> bool {
    match (fs::canonicalize(a), fs::canonicalize(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}
