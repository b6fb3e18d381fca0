//! The verbs, one file each: load, analyse, render, write. All that is more lives elsewhere.

mod baselines;
mod check;
mod diff;
mod export;
mod flamegraph;
mod gate;
mod inspect;
mod leaks;
mod report;
mod retained;
mod run;
mod snapshot;
mod suspects;
mod symbolize;
mod top;
mod watch;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use crate::analysis::suspects::History;
use crate::analysis::suspects::judge::LEAST_SNAPSHOTS;
use crate::args::Command;
use crate::error::Error;
use crate::input::{self, Options, Run, push_new};
use crate::profile::Profile;
use crate::progress::Progress;

/// Does what was asked for, and says with which exit code.
pub(crate) fn run(command: &Command) -> Result<ExitCode, Error> {
    match command {
        Command::Check(args) => return check::run(args),
        Command::Run(args) => return run::run(args),
        Command::Top(args) => top::run(args),
        Command::Flamegraph(args) => flamegraph::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Suspects(args) => suspects::run(args),
        Command::Leaks(args) => leaks::run(args),
        Command::Retained(args) => retained::run(args),
        Command::Export(args) => export::run(args),
        Command::Report(args) => report::run(args),
        Command::Symbolize(args) => symbolize::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Snapshot(args) => snapshot::run(args),
        Command::Watch(args) => watch::run(args),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Loads something, with progress, and tells its notes.
fn loaded<T>(
    load: impl FnOnce(&mut dyn FnMut(input::Step<'_>), &mut Vec<String>) -> Result<T, Error>,
) -> Result<T, Error> {
    let progress = Progress::new();
    let mut notes = Vec::new();
    let loaded = load(&mut |step| progress.show(step), &mut notes)?;
    drop(progress);
    tell(&notes);
    Ok(loaded)
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
    let runs = input::runs(patterns, options, &mut show, &mut notes)?;
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

/// Loads an earlier and a later build of a program, each of them all its processes among `patterns`.
fn load_releases(
    patterns: &[PathBuf],
    wanted: &str,
    options: &Options,
) -> Result<[Profile; 2], Error> {
    let progress = Progress::new();
    let mut notes = Vec::new();
    let mut show = |step: input::Step<'_>| progress.show(step);
    let newest = input::newest_of_each(patterns, options, &mut show, &mut notes)?;
    let [before, after] = input::two_releases(&newest, wanted, &mut notes)?;
    drop(progress);
    load_pair(&before, &after, options, notes)
}

/// Two sides that can be compared: where they are of different numbers of processes, as their means.
fn comparable(sides: [Profile; 2]) -> [Profile; 2] {
    let [before, after] = &sides;
    match before.sources().len() == after.sources().len() {
        true => sides,
        false => sides.map(Profile::mean),
    }
}

fn tell(notes: &[String]) {
    for note in notes {
        eprintln!("heaplens: {note}");
    }
}

/// The format that the ending of a file's name asks for. `option` is what to pass where it asks for none.
fn format_of<F: Copy>(file: &Path, option: &str, endings: &[(&str, F)]) -> Result<F, Error> {
    let name = file.file_name().unwrap_or_default();
    let name = name.to_string_lossy().to_ascii_lowercase();
    let format = endings.iter().find(|(ending, _)| {
        let stem = name.strip_suffix(ending);
        stem.is_some_and(|stem| !stem.is_empty())
    });
    format.map(|(_, format)| *format).ok_or_else(|| {
        let names: Vec<&str> = endings.iter().map(|(ending, _)| *ending).collect();
        let (last, others) = names.split_last().unwrap_or((&"", &[]));
        let others = others.join(", ");
        Error::output(
            file,
            format!(
                "its ending tells no format: pass {option}, or a name that ends in {others} or {last}"
            ),
        )
    })
}
