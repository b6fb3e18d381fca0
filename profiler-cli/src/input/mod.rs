//! From files to a profile: expand patterns, read, symbolize, add up. A file is a snapshot or, at
//! every place that takes one, a pprof profile; it may be behind a URL.
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
mod gather;
mod graph;
pub mod history;
pub mod http;
mod limits;
pub mod live;
mod names;
pub mod pprof;
mod read;
mod releases;
pub mod repository;
mod runs;
mod select;
pub mod text;
pub mod workspace;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use heaplens::snapshot::{Limits, Snapshot};

use crate::error::Error;
use crate::profile::{
    Filter, OwnCrates, Profile, ProfileBuilder, is_imported, rename_as_shown, run_of,
};
use crate::render::{escape::printable, units};

pub use gather::gather;
pub use graph::{Graphed, load_graph, load_held};
pub(crate) use http::is_url;
pub use names::name;
use names::{Batch, names_of};
pub(crate) use read::is_profile;
pub use read::read;
pub use releases::two_releases;
pub use runs::{Run, choose, choose_newest, newest_of_each, runs, runs_in_full};
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
    /// Asks URLs, and knows what was answered.
    pub remote: Arc<http::Remote>,
}

impl Default for Options {
    /// No folders, no crates, no filter, no token, and the usual limits, or less where the address space
    /// is limited.
    fn default() -> Self {
        Self {
            debug_dirs: Vec::new(),
            own_crates: OwnCrates::default(),
            filter: Filter::default(),
            limits: limits::limits(),
            remote: Arc::default(),
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
    /// Waits for servers.
    Fetching {
        /// Answers that are here.
        done: usize,
        /// Answers in all.
        of: usize,
    },
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

/// Loads the snapshots that `patterns` name, each a file, glob, list or URL, and adds them up as those
/// of the processes of a fleet.
///
/// A snapshot that carries names is not symbolized again, unless `options` name folders to look in.
///
/// # Errors
///
/// A pattern that matches no file, and the first file or URL that cannot be read.
pub fn load<P: AsRef<Path>>(
    patterns: impl IntoIterator<Item = P>,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
) -> Result<Loaded, Error> {
    let mut notes = Vec::new();
    let files = gather(patterns, options, progress, &mut notes)?;
    let mut builder = ProfileBuilder::new(&options.own_crates);
    let mut batch = Batch::default();
    for (at, file) in files.iter().enumerate() {
        progress(Step::Reading {
            file,
            number: at + 1,
            of: files.len(),
        });
        batch.push(file, read(file, options, &mut notes)?);
        if batch.is_full() {
            batch.move_to(&mut builder, options, progress, &mut notes);
        }
    }
    batch.move_to(&mut builder, options, progress, &mut notes);
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
    let files = gather(patterns, options, progress, notes)?;
    let mut all: Option<Snapshot> = None;
    for (at, file) in files.iter().enumerate() {
        progress(Step::Reading {
            file,
            number: at + 1,
            of: files.len(),
        });
        let mut snapshot = read(file, options, notes)?;
        // Its rows are those of sites that will be elsewhere, and no such format has room for it.
        snapshot.graph = None;
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
