//! From the snapshots of one run to what each of its paths held.
//!
//! Names are looked up once, in the newest snapshot: a recorder never forgets a site, so the newest
//! one has the paths of all others, and within a run equal addresses are equal code. The others are
//! read one at a time, and nothing but their numbers is kept.

use std::path::{Path, PathBuf};

use heaplens::snapshot::{AGE_BOUNDS_SECONDS, Header, Reason, Snapshot, StackIndex, Symbols};
use rustc_hash::FxBuildHasher;

use super::runs::Run;
use super::{Options, Step, names_of, read};
use crate::analysis::suspects::history::{History, HistoryBuilder, Point};
use crate::error::Error;
use crate::profile::ages::older_than;
use crate::profile::{NodeId, ProfileBuilder, Source, Values, is_imported};
use crate::render::escape::printable;

/// Snapshots that are read of a run; of more, those at even distances.
const MOST_SNAPSHOTS: usize = 200;

/// Reads the snapshots of a run.
///
/// # Errors
///
/// The first file that cannot be read, unless it is not needed: then it is passed over with a
/// note, as long as one is left.
pub fn load(
    run: &Run,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<History, Error> {
    let mut files: Vec<&Path> = run.snapshots.iter().map(|(file, _)| &**file).collect();
    if files.len() > MOST_SNAPSHOTS {
        let all = files.len();
        files = thinned(&run.snapshots);
        notes.push(format!(
            "{MOST_SNAPSHOTS} of {all} snapshots are read, at even distances"
        ));
    }
    let of = files.len();
    let mut reader: Option<RunReader> = None;
    let mut failed = None;
    for (at, file) in files.into_iter().rev().enumerate() {
        progress(Step::Reading {
            file,
            number: at + 1,
            of,
        });
        let snapshot = match read(file, options, notes) {
            Ok(snapshot) => snapshot,
            Err(error) if run.is_needed => return Err(error),
            Err(error) => {
                notes.push(format!("passed over: {error}"));
                failed = Some(error);
                continue;
            }
        };
        let name = file.to_string_lossy();
        reader
            .get_or_insert_with(|| {
                let symbols = names_of(&snapshot, options, progress, notes);
                let symbols = symbols.as_ref().or(snapshot.symbols.as_ref());
                RunReader::new(&name, &snapshot, symbols, options)
            })
            .add(&name, &snapshot);
    }
    match (reader, failed) {
        (Some(reader), _) => {
            let history = reader.finish();
            notes.extend(several_processes(&history));
            Ok(history)
        }
        (None, Some(error)) => Err(error),
        (None, None) => Ok(History::default()),
    }
}

/// Of many snapshots those that are read. Marks come first, up to half of them: a verdict may be of these
/// alone.
fn thinned(snapshots: &[(PathBuf, Header)]) -> Vec<&Path> {
    let is_mark = |at: &usize| snapshots[*at].1.reason == Reason::Mark;
    let (marks, others): (Vec<usize>, Vec<usize>) = (0..snapshots.len()).partition(is_mark);
    let mut read = if marks.len() > MOST_SNAPSHOTS / 2 {
        spread(&(0..snapshots.len()).collect::<Vec<_>>(), MOST_SNAPSHOTS)
    } else {
        [spread(&others, MOST_SNAPSHOTS - marks.len()), marks].concat()
    };
    read.sort_unstable();
    read.into_iter().map(|at| &*snapshots[at].0).collect()
}

/// So many of more, at even distances, the first and the last among them.
fn spread(all: &[usize], most: usize) -> Vec<usize> {
    (0..most)
        .map(|at| all[at * (all.len() - 1) / (most - 1)])
        .collect()
}

/// Profiles that do not name their process, and cannot all be of one: what was ever allocated never
/// falls.
fn several_processes(history: &History) -> Option<String> {
    let pairs = history.snapshots.windows(2);
    let (first, second) = pairs
        .map(|pair| (&pair[0], &pair[1]))
        .find(|(first, second)| {
            let [before, after] = [first, second].map(|source| &source.header);
            is_imported(after) && after.totals.total_bytes < before.totals.total_bytes
        })?;
    Some(format!(
        "{} has allocated less than {} before it: they are of different processes, and what is said \
         of them as one run is worth little",
        printable(&second.file),
        printable(&first.file),
    ))
}

/// Takes the numbers out of the snapshots of one run.
#[derive(Debug)]
pub struct RunReader {
    history: HistoryBuilder,
    stacks: StackIndex<FxBuildHasher>,
    /// Node by row of the newest snapshot; none for what does not pass the filter.
    nodes: Vec<Option<NodeId>>,
}

impl RunReader {
    /// A run whose newest snapshot this is, with these names. It is to be added too.
    pub fn new(
        file: &str,
        newest: &Snapshot,
        symbols: Option<&Symbols>,
        options: &Options,
    ) -> Self {
        let mut profile = ProfileBuilder::new(&options.own_crates);
        let nodes = profile.add(file, newest, symbols);
        let (profile, site_of) = profile.finish_with_sites(&options.filter);
        let sites = nodes.iter().map(|&node| site_of[node as usize]);
        Self {
            stacks: StackIndex::of(newest),
            nodes: sites.collect(),
            history: HistoryBuilder::new(profile),
        }
    }

    /// Adds a snapshot of the run.
    pub fn add(&mut self, file: &str, snapshot: &Snapshot) {
        let rows = self.stacks.rows_of(snapshot);
        let sites = &snapshot.sites;
        let node_of = |stack: u32| self.nodes[(*rows.get(stack as usize)?)? as usize];
        let points = sites.stack.iter().enumerate().filter_map(|(row, &stack)| {
            let point = Point {
                values: Values::of_site(sites, row),
                older: AGE_BOUNDS_SECONDS.map(|bound| older_than(&sites.ages, row, bound)),
            };
            Some((node_of(stack)?, point))
        });
        let source = Source {
            file: file.to_owned(),
            header: snapshot.header.clone(),
        };
        let has_ages = !sites.ages.bounds_seconds.is_empty() || sites.stack.is_empty();
        if let Some(graph) = &snapshot.graph {
            let node_of = |site: u32| node_of(*sites.stack.get(site as usize)?);
            self.history.add_graph(&source, graph, node_of);
        }
        self.history.add(source, has_ages, points);
    }

    /// The run.
    pub fn finish(self) -> History {
        self.history.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_among_the_snapshots_that_are_read() {
        let snapshot = |at: usize| {
            let mut header = Header::default();
            if at % 50 == 7 {
                header.reason = Reason::Mark;
            }
            (PathBuf::from(format!("{at}")), header)
        };
        let snapshots: Vec<_> = (0..1000).map(snapshot).collect();
        let read = thinned(&snapshots);
        assert_eq!(read.len(), MOST_SNAPSHOTS);
        let is_read = |at: usize| read.contains(&Path::new(&at.to_string()));
        assert!((0..1000).filter(|at| at % 50 == 7).all(is_read));
        assert!(is_read(0) && is_read(999));

        let marks: Vec<_> = (0..1000).map(|_| snapshot(7)).collect();
        assert_eq!(thinned(&marks).len(), MOST_SNAPSHOTS);
    }
}
