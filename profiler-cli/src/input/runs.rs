//! Snapshots sorted by the run that wrote them.

use std::path::{Path, PathBuf};

use heaplens::snapshot::{Header, Program};

use super::gather::{Address, Found, find, passed_over};
use super::read::read_header;
use super::{Options, Step, push_new};
use crate::error::Error;
use crate::profile::{clock_ms, is_imported, run_of};
use crate::render::escape::printable;

/// The snapshots of one run of a program.
#[derive(Debug, Clone)]
pub struct Run {
    /// The program and this run of it.
    pub program: Program,
    /// Files and their headers, oldest first.
    pub snapshots: Vec<(PathBuf, Header)>,
    /// Whether all of these files were named one by one, and not as part of a folder.
    pub is_named: bool,
    /// Whether none of these files may be passed over.
    pub is_needed: bool,
}

impl Run {
    /// When the newest snapshot was taken, in milliseconds since the Unix epoch.
    pub fn newest_unix_ms(&self) -> u64 {
        let taken = |(_, header): &(PathBuf, Header)| header.taken_unix_ms;
        self.snapshots.iter().map(taken).max().unwrap_or(0)
    }
}

/// The runs that left the snapshots which `patterns` name, the newest last: files, globs, lists, or
/// folders for all snapshots in them, on this machine or behind the address of an endpoint. In a folder,
/// files that are no snapshots are passed over, with a note.
///
/// # Errors
///
/// A pattern that matches no file, a folder without snapshots, and the first file named that cannot
/// be read.
pub fn runs<P: AsRef<Path>>(
    patterns: impl IntoIterator<Item = P>,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<Run>, Error> {
    let found = find(patterns, Address::Folder, false, options, progress, notes)?;
    sorted(found, options, progress, notes)
}

/// The same, where nothing is passed over unless the user can do without it: what is in a folder, or in
/// the list of an endpoint, is needed as if it was named.
///
/// # Errors
///
/// Those of [`runs`], and the first file in a folder or list that cannot be had.
pub fn runs_in_full<P: AsRef<Path>>(
    patterns: impl IntoIterator<Item = P>,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<Run>, Error> {
    let found = find(patterns, Address::Folder, true, options, progress, notes)?;
    sorted(found, options, progress, notes)
}

fn sorted(
    found: Vec<Found>,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<Run>, Error> {
    let mut runs: Vec<Run> = Vec::new();
    for (found, header) in headers(found, options, progress, notes)? {
        let Found {
            file,
            is_named,
            is_needed,
        } = found;
        let run = runs
            .iter_mut()
            .find(|run| run_of(&run.program) == run_of(&header.program));
        match run {
            Some(run) => {
                run.is_named &= is_named;
                run.is_needed &= is_needed;
                // A file that was named twice counts once, and so do its copies: pods that share a
                // folder all list what is in it.
                let is_same = |(known, other): &(PathBuf, Header)| {
                    let taken = |header: &Header| (header.sequence, header.taken_unix_ms);
                    *known == file || !is_imported(&header) && taken(other) == taken(&header)
                };
                if !run.snapshots.iter().any(is_same) {
                    run.snapshots.push((file, header));
                }
            }
            None => runs.push(Run {
                program: header.program.clone(),
                snapshots: vec![(file, header)],
                is_named,
                is_needed,
            }),
        }
    }
    for run in &mut runs {
        run.snapshots
            .sort_by_key(|(_, header)| (clock_ms(header), header.sequence));
    }
    runs.sort_by_key(Run::newest_unix_ms);
    Ok(runs)
}

/// The newest snapshot of each process among all that `patterns` name, as [`runs`] has them; the address
/// of an endpoint stands for a snapshot that is taken now. A profile that does not tell its process is
/// one of a process of its own.
///
/// # Errors
///
/// Those of [`runs`].
pub fn newest_of_each<P: AsRef<Path>>(
    patterns: impl IntoIterator<Item = P>,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<(PathBuf, Header)>, Error> {
    let found = find(patterns, Address::Now, false, options, progress, notes)?;
    let all = headers(found, options, progress, notes)?;
    let snapshots = all.len();
    let mut newest: Vec<(PathBuf, Header)> = Vec::new();
    for (Found { file, .. }, header) in all {
        let same = newest.iter_mut().find(|(known, other)| {
            *known == file
                || !is_imported(&header) && run_of(&other.program) == run_of(&header.program)
        });
        match same {
            Some(known) if clock_ms(&known.1) < clock_ms(&header) => *known = (file, header),
            Some(_) => {}
            None => newest.push((file, header)),
        }
    }
    if newest.len() < snapshots {
        notes.push(format!(
            "of {snapshots} snapshots, the newest of each of {} processes",
            newest.len()
        ));
    }
    Ok(newest)
}

/// The headers of files. Those that were not named themselves and cannot be read are passed over.
fn headers(
    found: Vec<Found>,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<(Found, Header)>, Error> {
    let of = found.len();
    let mut headers = Vec::with_capacity(of);
    for (at, found) in found.into_iter().enumerate() {
        progress(Step::Reading {
            file: &found.file,
            number: at + 1,
            of,
        });
        match read_header(&found.file, options) {
            Ok(header) => headers.push((found, header)),
            Err(error) if found.is_needed => return Err(error),
            Err(error) => push_new(notes, passed_over(&error)),
        }
    }
    Ok(headers)
}

/// The run to judge when several were given: the newest one of those with `enough` snapshots, since a
/// service that was just started again says little; else the one with most. The others are noted.
pub fn choose(mut runs: Vec<Run>, enough: usize, notes: &mut Vec<String>) -> Option<Run> {
    let length = |run: &Run| run.snapshots.len();
    let chosen = runs
        .iter()
        .rposition(|run| length(run) >= enough)
        .or_else(|| (0..runs.len()).max_by_key(|&at| length(&runs[at])))?;
    let run = runs.remove(chosen);
    notes.extend(beside(&run, &runs));
    Some(run)
}

/// The newest run, unless all files were named one by one: then it is that of [`choose`]. Also why it does
/// not stand for the program, where it is too short and an older one is not.
pub fn choose_newest(
    mut runs: Vec<Run>,
    enough: usize,
    notes: &mut Vec<String>,
) -> Option<(Run, Option<String>)> {
    if runs.iter().all(|run| run.is_named) {
        return Some((choose(runs, enough, notes)?, None));
    }
    let run = runs.pop()?;
    let has_enough = |run: &&Run| run.snapshots.len() >= enough;
    let older = runs.iter().rev().find(has_enough);
    let gap = older.filter(|_| !has_enough(&&run)).map(|older| {
        format!(
            "the newest run has {} of the {enough} snapshots that a verdict needs; name the files of an older \
             run to judge that one: {}",
            run.snapshots.len(),
            described(older)
        )
    });
    notes.extend(beside(&run, &runs));
    Some((run, gap))
}

/// Which other runs there are.
fn beside(run: &Run, others: &[Run]) -> Option<String> {
    let shown: Vec<String> = others.iter().rev().take(3).map(described).collect();
    let more = match others.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!others.is_empty()).then(|| {
        format!(
            "judged is {}; other runs: {}{more}; name the files of a run to judge that one",
            described(run),
            shown.join(", "),
        )
    })
}

fn described(run: &Run) -> String {
    let program = &run.program;
    let name = program.executable.rsplit('/').next().unwrap_or_default();
    if run.snapshots.iter().all(|(_, header)| is_imported(header)) {
        return format!(
            "{} pprof profiles of {}",
            run.snapshots.len(),
            printable(name)
        );
    }
    format!(
        "{} pid {} on {} started {} ({} snapshots)",
        printable(name),
        program.pid,
        printable(&program.host),
        printable(&program.started),
        run.snapshots.len(),
    )
}
