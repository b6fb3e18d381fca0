//! From the snapshots of one run to what each of its paths held.
//!
//! Names are looked up once, in the newest snapshot: a recorder never forgets a site, so the newest
//! one has the paths of all others, and within a run equal addresses are equal code. The others are
//! read one at a time, and nothing but their numbers is kept.

use heaplens::snapshot::{AGE_BOUNDS_SECONDS, Module, Snapshot, Symbols};
use rustc_hash::FxHashMap;

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
/// The first file that cannot be read, unless it was found in a folder: then it is passed over with a
/// note, as long as one is left.
pub fn load(
    run: &Run,
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<History, Error> {
    let mut files: Vec<&std::path::Path> = run.snapshots.iter().map(|(file, _)| &**file).collect();
    if files.len() > MOST_SNAPSHOTS {
        let all = files.len();
        files = (0..MOST_SNAPSHOTS)
            .map(|at| files[at * (all - 1) / (MOST_SNAPSHOTS - 1)])
            .collect();
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
            Err(error) if run.is_named => return Err(error),
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
    rows: Rows,
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
            rows: Rows::new(newest, sites.collect()),
            history: HistoryBuilder::new(profile),
        }
    }

    /// Adds a snapshot of the run.
    pub fn add(&mut self, file: &str, snapshot: &Snapshot) {
        let nodes = self.rows.nodes(snapshot);
        let sites = &snapshot.sites;
        let points = sites.stack.iter().enumerate().filter_map(|(row, &stack)| {
            let point = Point {
                values: Values::of_site(sites, row),
                older: AGE_BOUNDS_SECONDS.map(|bound| older_than(&sites.ages, row, bound)),
            };
            Some(((*nodes.get(stack as usize)?)?, point))
        });
        let source = Source {
            file: file.to_owned(),
            header: snapshot.header.clone(),
        };
        let has_ages = !sites.ages.bounds_seconds.is_empty() || sites.stack.is_empty();
        self.history.add(source, has_ages, points);
    }

    /// The run.
    pub fn finish(self) -> History {
        self.history.finish()
    }
}

/// Finds rows of the newest snapshot by what they stand for.
#[derive(Debug)]
struct Rows {
    modules: Vec<Module>,
    /// Row by the caller's row plus one, module and address.
    rows: FxHashMap<(u32, u32, u64), u32>,
    /// Node by row; none for what does not pass the filter.
    nodes: Vec<Option<NodeId>>,
}

impl Rows {
    fn new(newest: &Snapshot, nodes: Vec<Option<NodeId>>) -> Self {
        let stacks = &newest.stacks;
        let rows = (0..stacks.parent.len())
            .map(|row| {
                let caller = u32::try_from(stacks.parent[row] + 1).unwrap_or(0);
                (
                    (caller, stacks.module[row], stacks.address[row]),
                    row as u32,
                )
            })
            .collect();
        Self {
            modules: newest.modules.clone(),
            rows,
            nodes,
        }
    }

    /// For each row of an older snapshot its node. None where it does not pass the filter, or where
    /// the newest one has no such stack, which snapshots of one run do not have.
    fn nodes(&self, snapshot: &Snapshot) -> Vec<Option<NodeId>> {
        let stacks = &snapshot.stacks;
        let module_of: Vec<Option<u32>> = snapshot
            .modules
            .iter()
            .map(|module| Some(self.modules.iter().position(|known| known == module)? as u32))
            .collect();
        let mut row_of: Vec<Option<u32>> = Vec::with_capacity(stacks.parent.len());
        for (row, &parent) in stacks.parent.iter().enumerate() {
            let caller = match usize::try_from(parent) {
                Ok(parent) => row_of[parent].map(|row| row + 1),
                Err(_) => Some(0),
            };
            let module = module_of[stacks.module[row] as usize];
            let found = caller
                .zip(module)
                .and_then(|(caller, module)| self.rows.get(&(caller, module, stacks.address[row])));
            row_of.push(found.copied());
        }
        row_of
            .into_iter()
            .map(|row| self.nodes[row? as usize])
            .collect()
    }
}
