//! The verbs, one file each: load, analyse, render, write. All that is more lives elsewhere.

mod diff;
mod flamegraph;
mod inspect;
mod symbolize;
mod top;

use std::path::{Path, PathBuf};

use crate::args::Command;
use crate::error::Error;
use crate::input::{self, Loaded, Options, push_new};
use crate::progress::Progress;

/// Does what was asked for.
pub(crate) fn run(command: &Command) -> Result<(), Error> {
    match command {
        Command::Top(args) => top::run(args),
        Command::Flamegraph(args) => flamegraph::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Symbolize(args) => symbolize::run(args),
        Command::Inspect(args) => inspect::run(args),
    }
}

/// Loads one profile for each set of patterns, with progress, and tells all notes once.
fn load<const N: usize>(sets: [&[PathBuf]; N], options: &Options) -> Result<[Loaded; N], Error> {
    let progress = Progress::new();
    let mut loaded = [const { None }; N];
    for (slot, patterns) in loaded.iter_mut().zip(sets) {
        *slot = Some(input::load(patterns, options, &mut |step| {
            progress.show(step)
        })?);
    }
    drop(progress);
    let loaded = loaded.map(Option::unwrap_or_default);
    let mut notes = Vec::new();
    for note in loaded.iter().flat_map(|loaded| &loaded.notes) {
        push_new(&mut notes, note.clone());
    }
    tell(&notes);
    Ok(loaded)
}

fn tell(notes: &[String]) {
    for note in notes {
        eprintln!("heaplens: {note}");
    }
}

/// The ending of a file's name, in lower case.
fn ending(file: Option<&Path>) -> Option<String> {
    Some(file?.extension()?.to_str()?.to_ascii_lowercase())
}
