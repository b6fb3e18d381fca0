//! The verbs, one file each: load, analyse, render, write. All that is more lives elsewhere.

mod diff;
mod export;
mod flamegraph;
mod inspect;
mod report;
mod suspects;
mod symbolize;
mod top;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use crate::analysis::suspects::History;
use crate::analysis::suspects::judge::LEAST_SNAPSHOTS;
use crate::args::Command;
use crate::error::Error;
use crate::input::{self, Options, Run, push_new};
use crate::profile::Profile;
use crate::progress::Progress;

/// Does what was asked for.
pub(crate) fn run(command: &Command) -> Result<(), Error> {
    match command {
        Command::Top(args) => top::run(args),
        Command::Flamegraph(args) => flamegraph::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Suspects(args) => suspects::run(args),
        Command::Export(args) => export::run(args),
        Command::Report(args) => report::run(args),
        Command::Symbolize(args) => symbolize::run(args),
        Command::Inspect(args) => inspect::run(args),
    }
}

/// Loads a profile, with progress, and tells its notes.
fn load(patterns: &[PathBuf], options: &Options) -> Result<Profile, Error> {
    let progress = Progress::new();
    let loaded = input::load(patterns, options, &mut |step| progress.show(step))?;
    drop(progress);
    tell(&loaded.notes);
    Ok(loaded.profile)
}

/// Loads the run to judge of all that `patterns` name, with progress; and what is to be told of it.
fn load_run(patterns: &[PathBuf], options: &Options) -> Result<(Run, History, Vec<String>), Error> {
    let progress = Progress::new();
    let mut notes = Vec::new();
    let mut show = |step: input::Step<'_>| progress.show(step);
    let runs = input::runs(patterns, &mut show, &mut notes)?;
    let run = input::choose(runs, LEAST_SNAPSHOTS, &mut notes)
        .ok_or_else(|| Error::Usage("none of these files is a snapshot".to_owned()))?;
    let history = input::history::load(&run, options, &mut show, &mut notes)?;
    Ok((run, history, notes))
}

/// Loads an earlier and a later profile at the same time. What is to be said of both is said once,
/// and so is what is in `notes`.
fn load_pair(
    before: &[PathBuf],
    after: &[PathBuf],
    options: &Options,
    mut notes: Vec<String>,
) -> Result<[Profile; 2], Error> {
    let progress = Progress::new();
    let load = |patterns| input::load(patterns, options, &mut |step| progress.show(step));
    let (before, after) = thread::scope(|scope| {
        let before = scope.spawn(|| load(before));
        let after = load(after);
        (
            before.join().unwrap_or_else(|panic| resume_unwind(panic)),
            after,
        )
    });
    let (before, after) = (before?, after?);
    drop(progress);
    for note in before.notes.into_iter().chain(after.notes) {
        push_new(&mut notes, note);
    }
    tell(&notes);
    Ok([before.profile, after.profile])
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
