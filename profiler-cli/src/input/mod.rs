//! From files to a profile: expand patterns, read, symbolize, add up. A file is a snapshot or, at
//! every place that takes one, a pprof profile.
//!
//! ```no_run
//! use heaplens_cli::input::{Options, load, quiet};
//!
//! let loaded = load(["snapshots/heaplens.shop.*.json.gz"], &Options::default(), &mut quiet)?;
//! for note in &loaded.notes {
//!     eprintln!("heaplens: {note}");
//! }
//! println!("{} bytes are live", loaded.profile.totals().live_bytes);
//! # Ok::<(), heaplens_cli::Error>(())
//! ```

mod concat;
pub mod history;
mod limits;
pub mod pprof;
mod read;
mod runs;
mod select;
pub mod workspace;

use std::path::{Path, PathBuf};

use heaplens::snapshot::{Limits, Snapshot, Symbols};

use crate::error::Error;
use crate::profile::{
    Filter, OwnCrates, Profile, ProfileBuilder, is_imported, rename_as_shown, run_of,
};
use crate::render::{escape::printable, units};
use crate::symbols::{self, symbolize};

pub(crate) use read::is_profile;
pub use read::read;
pub use runs::{Run, choose, runs};
pub use select::expand;

/// How to read and name snapshots.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folders with unstripped programs or debug files.
    pub debug_dirs: Vec<PathBuf>,
    /// Crates that count as the user's own, beside the program's main crate.
    pub own_crates: OwnCrates,
    /// Which stacks and frames to look at.
    pub filter: Filter,
    /// What reading a file may cost.
    pub limits: Limits,
}

impl Default for Options {
    /// No folders, no crates, no filter, and the usual limits, or less where the address space is limited.
    fn default() -> Self {
        Self {
            debug_dirs: Vec::new(),
            own_crates: OwnCrates::default(),
            filter: Filter::default(),
            limits: limits::limits(),
        }
    }
}

/// A profile, and what the user should know about it.
#[derive(Debug, Default)]
pub struct Loaded {
    /// All snapshots, added up.
    pub profile: Profile,
    /// Remarks, each of them one line that is safe to print.
    pub notes: Vec<String>,
}

/// What [`load`] is busy with.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// Reads a file.
    Reading {
        /// The file.
        file: &'a Path,
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// Resolves addresses.
    Symbolizing {
        /// Addresses done.
        done: u64,
        /// Addresses in all.
        total: u64,
    },
}

/// Progress that nobody looks at.
pub fn quiet(_: Step<'_>) {}

/// Loads the snapshots that `patterns` name, each a file or a glob, and adds them up as those of
/// the processes of a fleet.
///
/// A snapshot that carries names is not symbolized again, unless `options` name folders to look in.
///
/// # Errors
///
/// A pattern that matches no file, and the first file that cannot be read.
pub fn load<P: AsRef<Path>>(
    patterns: impl IntoIterator<Item = P>,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<Loaded, Error> {
    let files = expand(patterns)?;
    let mut builder = ProfileBuilder::new(&options.own_crates);
    let mut notes = Vec::new();
    for (at, file) in files.iter().enumerate() {
        progress(Step::Reading {
            file,
            number: at + 1,
            of: files.len(),
        });
        let snapshot = read(file, options, &mut notes)?;
        let symbols = names_of(&snapshot, options, progress, &mut notes);
        builder.add(
            &file.to_string_lossy(),
            &snapshot,
            symbols.as_ref().or(snapshot.symbols.as_ref()),
        );
    }
    let profile = builder.finish(&options.filter);
    notes.extend(counted_twice(&profile));
    if !options.filter.is_empty() {
        notes.push(format!(
            "{} of {} pass the filter",
            units::bytes(profile.totals().live_bytes),
            units::bytes(profile.unfiltered().live_bytes),
        ));
    }
    Ok(Loaded { profile, notes })
}

/// Loads the snapshots that `patterns` name as one snapshot with names, for formats that have no room
/// for a profile's owners: of their sites, those that pass the filter. Frames that the filter hides stay.
/// All texts are safe to print.
///
/// # Errors
///
/// Those of [`load`].
pub fn load_snapshot<P: AsRef<Path>>(
    patterns: impl IntoIterator<Item = P>,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Option<Snapshot>, Error> {
    let files = expand(patterns)?;
    let mut all: Option<Snapshot> = None;
    for (at, file) in files.iter().enumerate() {
        progress(Step::Reading {
            file,
            number: at + 1,
            of: files.len(),
        });
        let mut snapshot = read(file, options, notes)?;
        if let Some(names) = names_of(&snapshot, options, progress, notes) {
            snapshot.symbols = Some(names);
        }
        snapshot.symbols.iter_mut().for_each(rename_as_shown);
        concat::make_printable(&mut snapshot);
        if !options.filter.is_empty() {
            retain(&mut snapshot, options);
        }
        match &mut all {
            Some(all) => concat::append(all, snapshot),
            None => all = Some(snapshot),
        }
    }
    Ok(all)
}

/// Leaves the sites that pass the filter.
fn retain(snapshot: &mut Snapshot, options: &Options) {
    let mut builder = ProfileBuilder::new(&options.own_crates);
    let nodes = builder.add("", snapshot, snapshot.symbols.as_ref());
    let (_, site_of) = builder.finish_with_sites(&options.filter);
    let sites = &mut snapshot.sites;
    let passes: Vec<bool> = sites
        .stack
        .iter()
        .map(|&stack| site_of[nodes[stack as usize] as usize].is_some())
        .collect();
    concat::retain(sites, &passes);
}

/// New names for a snapshot; none if those that it carries are to be used.
fn names_of(
    snapshot: &Snapshot,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Option<Symbols> {
    if snapshot.symbols.is_some() && options.debug_dirs.is_empty() {
        return None;
    }
    let outcome = name(snapshot, options, progress);
    for note in outcome
        .notes
        .iter()
        .filter(|note| !note.is_about_system_library())
    {
        push_new(notes, note.to_string());
    }
    Some(outcome.symbols)
}

/// Resolves the addresses of a snapshot.
pub fn name(
    snapshot: &Snapshot,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
) -> symbols::Outcome {
    let options = symbols::Options {
        debug_dirs: options.debug_dirs.clone(),
    };
    symbolize(snapshot, &options, &mut |done, total| {
        progress(Step::Symbolizing { done, total })
    })
}

/// Adds a note unless it is there: a fleet has the same to say in each file.
pub fn push_new(notes: &mut Vec<String>, note: String) {
    if !notes.contains(&note) {
        notes.push(note);
    }
}

/// Tells of two snapshots of one run, whose live memory would be counted twice.
fn counted_twice(profile: &Profile) -> Option<String> {
    let sources = profile.sources();
    let mut runs: Vec<_> = sources
        .iter()
        .filter(|source| !is_imported(&source.header))
        .map(|source| (run_of(&source.header.program), source))
        .collect();
    runs.sort_by_key(|(run, _)| *run);
    let (first, second) = runs
        .windows(2)
        .find(|pair| pair[0].0 == pair[1].0)
        .map(|pair| (pair[0].1, pair[1].1))?;
    Some(format!(
        "{} and {} are snapshots of the same run: what is live in both is counted twice; pass one \
         snapshot of each process",
        printable(&first.file),
        printable(&second.file),
    ))
}
