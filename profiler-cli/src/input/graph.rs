//! The newest graph of the heap among snapshots, with names.

use std::path::{Path, PathBuf};

use heaplens::snapshot::graph::{Graph, RootKind};
use heaplens::snapshot::{SPECIAL_MODULE, Snapshot};

use super::{Options, Step, names_of, push_new, read, runs};
use crate::analysis::heap_graph::reach::{Amount, Verdict};
use crate::analysis::heap_graph::retained::Retention;
use crate::analysis::heap_graph::{HeapGraph, Held};
use crate::error::Error;
use crate::profile::{NodeId, Profile, ProfileBuilder};
use crate::render::escape::printable;
use crate::render::units;
use crate::symbols::{self, variable_names};

/// A graph, and the profile of the snapshot that has it.
#[derive(Debug)]
pub struct Graphed {
    /// Of what passes the filter.
    pub profile: Profile,
    /// The same.
    pub graph: HeapGraph,
}

/// How a program leaves graphs.
const HOW: &str = "a program leaves one with HEAPLENS_MODE=exact and HEAPLENS_GRAPH=exit, or where it calls \
                   heaplens::snapshot_graph() in exact mode";

/// Loads the newest snapshot with a graph of all that `patterns` name: files, globs, lists, folders, and
/// addresses of endpoints, which stand for their folders.
///
/// # Errors
///
/// Those of [`runs`]; files that were named and cannot be read; and that no snapshot has a graph.
pub fn load_graph(
    patterns: &[PathBuf],
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Graphed, Error> {
    let newest = Newest::find(patterns, options, progress, notes)?;
    let (profile, nodes) = newest.profile(options);
    let graph = newest.heap_graph(&profile, &nodes);
    if !options.filter.is_empty() {
        let all = newest.graph.sites.unreached_bytes.iter();
        notes.push(format!(
            "{} of {} that no pointer was found to pass the filter",
            units::unsigned_bytes(graph.totals.of(Verdict::Unreached).bytes),
            units::unsigned_bytes(all.fold(0, |sum, &bytes| sum.saturating_add(bytes))),
        ));
    }
    Ok(Graphed { profile, graph })
}

/// Loads who holds what, as [`load_graph`] loads what nobody does.
///
/// # Errors
///
/// Those of [`load_graph`], and that the graph does not tell it.
pub fn load_held(
    patterns: &[PathBuf],
    options: &Options,
    progress: &mut dyn FnMut(Step<'_>),
    notes: &mut Vec<String>,
) -> Result<Held, Error> {
    let newest = Newest::find(patterns, options, progress, notes)?;
    let (profile, nodes) = newest.profile(options);
    let graph = newest.heap_graph(&profile, &nodes);
    let names = newest.root_names(options);
    let retention = Retention::new(&profile, &newest.graph, nodes, &names).ok_or_else(|| {
        let why = match newest.graph.scan.holders_left_out {
            true => "the scan had no time or no memory left for that",
            false => "the scan has left no dominators",
        };
        let what =
            format!("its graph tells what no pointer reaches, and not who holds the rest: {why}");
        Error::input(Path::new(&newest.file), what)
    })?;
    if retention.left_out != Amount::default() {
        notes.push(format!(
            "{} blocks with {} have no row of their own, for want of room in the file: they count in what others \
             retain",
            units::unsigned_count(retention.left_out.blocks),
            units::unsigned_bytes(retention.left_out.bytes),
        ));
    }
    Ok(Held {
        profile,
        graph,
        retention,
    })
}

/// The newest snapshot with a graph.
struct Newest {
    file: String,
    /// With names, and without its graph.
    snapshot: Snapshot,
    graph: Graph,
}

impl Newest {
    fn find(
        patterns: &[PathBuf],
        options: &Options,
        progress: &mut dyn FnMut(Step<'_>),
        notes: &mut Vec<String>,
    ) -> Result<Self, Error> {
        let runs = runs(patterns, options, progress, notes)?;
        let mut files: Vec<_> = runs
            .iter()
            .flat_map(|run| run.snapshots.iter().map(move |snapshot| (run, snapshot)))
            .collect();
        files.sort_by_key(|(_, (_, header))| (header.taken_unix_ms, header.sequence));
        let of = files.len();
        for (at, (run, (file, _))) in files.into_iter().rev().enumerate() {
            progress(Step::Reading {
                file,
                number: at + 1,
                of,
            });
            let mut snapshot = match read(file, options, notes) {
                Ok(snapshot) => snapshot,
                Err(error) if run.is_needed => return Err(error),
                Err(error) => {
                    push_new(notes, format!("passed over: {error}"));
                    continue;
                }
            };
            let Some(graph) = snapshot.graph.take() else {
                continue;
            };
            let file = file.to_string_lossy().into_owned();
            if of > 1 {
                notes.push(format!(
                    "the newest of {of} snapshots with a graph of the heap is {}",
                    printable(&file)
                ));
            }
            if let Some(names) = names_of(&snapshot, options, progress, notes) {
                snapshot.symbols = Some(names);
            }
            return Ok(Self {
                file,
                snapshot,
                graph,
            });
        }
        let what = match of {
            1 => format!("it has no graph of the heap: {HOW}"),
            _ => format!("none of its {of} snapshots has a graph of the heap: {HOW}"),
        };
        let named = patterns.first().map_or(Path::new(""), PathBuf::as_path);
        Err(Error::input(named, what))
    }

    /// What passes the filter, and the node of each row of sites, if it passes.
    fn profile(&self, options: &Options) -> (Profile, Vec<Option<NodeId>>) {
        let mut builder = ProfileBuilder::new(&options.own_crates);
        let nodes = builder.add(&self.file, &self.snapshot, self.snapshot.symbols.as_ref());
        let (profile, site_of) = builder.finish_with_sites(&options.filter);
        let stacks = self.snapshot.sites.stack.iter();
        let nodes = stacks.map(|&stack| site_of[nodes[stack as usize] as usize]);
        (profile, nodes.collect())
    }

    fn heap_graph(&self, profile: &Profile, nodes: &[Option<NodeId>]) -> HeapGraph {
        let source = profile.sources()[0].clone();
        HeapGraph::new(profile, source, &self.graph, |site| {
            *nodes.get(site as usize)?
        })
    }

    /// The name of each root that is a variable; or the place in its binary, where no name is known. Address 0
    /// stands for all variables of a module that have no row of their own.
    fn root_names(&self, options: &Options) -> Vec<Option<String>> {
        let Some(roots) = &self.graph.roots else {
            return Vec::new();
        };
        let places: Vec<(u32, u64)> = roots
            .module
            .iter()
            .copied()
            .zip(roots.address.iter().copied())
            .collect();
        let modules = &self.snapshot.modules;
        let options = symbols::Options {
            debug_dirs: options.debug_dirs.clone(),
        };
        let mut names = variable_names(modules, &places, &options);
        for ((name, &(module, address)), kind) in names.iter_mut().zip(&places).zip(&roots.kind) {
            let path = modules.get(module as usize).map(|module| &module.path);
            let file = path.map(|path| path.rsplit('/').next().unwrap_or(path));
            match (kind, file) {
                (RootKind::Global, Some(_)) if module == SPECIAL_MODULE => *name = None,
                (RootKind::Global, Some(file)) if address == 0 => {
                    *name = Some(format!("others of {file}"));
                }
                (RootKind::Global, Some(file)) if name.is_none() => {
                    *name = Some(format!("{file}+{address:#x}"));
                }
                (RootKind::Global, _) => {}
                _ => *name = None,
            }
        }
        names
    }
}
