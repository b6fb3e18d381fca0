//! Snapshots sorted by the run that wrote them.

use std::path::{Path, PathBuf};

use heaplens::snapshot::{Header, Program};

use super::limits::limits;
use super::read::read_header;
use super::select::expand;
use super::{Step, push_new};
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
}

impl Run {
    /// When the newest snapshot was taken, in milliseconds since the Unix epoch.
    pub fn newest_unix_ms(&self) -> u64 {
        let taken = |(_, header): &(PathBuf, Header)| header.taken_unix_ms;
        self.snapshots.iter().map(taken).max().unwrap_or(0)
    }
}

/// The runs that left the snapshots which `patterns` name, the newest last: files, globs, or folders
/// for all snapshots in them. In a folder, files that are no snapshots are passed over, with a note.
///
/// # Errors
///
/// A pattern that matches no file, a folder without snapshots, and the first file named that cannot
/// be read.
pub fn runs<P: AsRef<Path>>(
    patterns: impl IntoIterator<Item = P>,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Vec<Run>, Error> {
    let mut files = Vec::new();
    for path in expand(patterns)? {
        if path.is_dir() {
            files.extend(in_folder(&path)?.into_iter().map(|file| (file, false)));
        } else {
            files.push((path, true));
        }
    }
    let (of, limits) = (files.len(), limits());
    let mut runs: Vec<Run> = Vec::new();
    for (at, (file, is_named)) in files.into_iter().enumerate() {
        progress(Step::Reading {
            file: &file,
            number: at + 1,
            of,
        });
        let header = match read_header(&file, &limits) {
            Ok(header) => header,
            Err(error) if is_named => return Err(error),
            Err(error) => {
                push_new(notes, format!("passed over: {error}"));
                continue;
            }
        };
        let run = runs
            .iter_mut()
            .find(|run| run_of(&run.program) == run_of(&header.program));
        match run {
            Some(run) => {
                run.is_named &= is_named;
                // A file that was named twice counts once.
                if run.snapshots.iter().all(|(known, _)| *known != file) {
                    run.snapshots.push((file, header));
                }
            }
            None => runs.push(Run {
                program: header.program.clone(),
                snapshots: vec![(file, header)],
                is_named,
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

/// The run to judge when several were given: the newest one of those with `enough` snapshots, since a
/// service that was just started again says little; else the one with most. The others are noted.
pub fn choose(mut runs: Vec<Run>, enough: usize, notes: &mut Vec<String>) -> Option<Run> {
    let length = |run: &Run| run.snapshots.len();
    let chosen = runs
        .iter()
        .rposition(|run| length(run) >= enough)
        .or_else(|| (0..runs.len()).max_by_key(|&at| length(&runs[at])))?;
    let run = runs.remove(chosen);
    if !runs.is_empty() {
        let others: Vec<String> = runs.iter().rev().take(3).map(described).collect();
        let more = match runs.len().saturating_sub(3) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        notes.push(format!(
            "judged is {}; other runs: {}{more}; name the files of a run to judge that one",
            described(&run),
            others.join(", "),
        ));
    }
    Some(run)
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
