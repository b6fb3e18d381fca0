//! Snapshots into one [`Profile`].

use heaplens::snapshot::{SPECIAL_MODULE, Snapshot, SpecialFrame, Symbols};
use rustc_hash::FxHashMap;

use super::owner::{Origin, OwnerRules, is_allocator_entry};
use super::symbol_name::{Crates, is_crate_main, without_hashes};
use super::{
    Frame, FrameId, Frames, FunctionId, NodeId, Profile, Site, Source, TreeBuilder, Values,
};

/// Path that special frames carry as their binary.
const SPECIAL_BINARY: &str = "[special]";

/// Callers that are looked at to tell Rust's runtime below a `main`.
const RUNTIME_DISTANCE: usize = 6;

/// Adds snapshots up.
#[derive(Debug)]
pub struct ProfileBuilder {
    frames: Frames,
    tree: TreeBuilder,
    sites: FxHashMap<NodeId, Values>,
    sources: Vec<Source>,
    rules: OwnerRules,
}

impl ProfileBuilder {
    /// An empty profile. Code of the crates in `owner_crates` counts as the user's own.
    pub fn new(owner_crates: &[String]) -> Self {
        Self {
            frames: Frames::default(),
            tree: TreeBuilder::default(),
            sites: FxHashMap::default(),
            sources: Vec::new(),
            rules: OwnerRules::new(owner_crates),
        }
    }

    /// Adds a snapshot that `file` held, with the names in `symbols`. Rows that do not fit
    /// together, which a snapshot that was read never has, are passed over.
    pub fn add(&mut self, file: &str, snapshot: &Snapshot, symbols: Option<&Symbols>) {
        let nodes = self.add_stacks(snapshot, symbols);
        let sites = &snapshot.sites;
        self.sites.reserve(sites.stack.len());
        for (row, &stack) in sites.stack.iter().enumerate() {
            let Some(&node) = nodes.get(stack as usize) else {
                continue;
            };
            self.sites
                .entry(node)
                .or_default()
                .add(&Values::of_site(sites, row));
        }
        self.rules
            .add_executable(&snapshot.header.program.executable);
        self.sources.push(Source {
            file: file.to_owned(),
            header: snapshot.header.clone(),
        });
    }

    /// Adds the stacks of a snapshot and returns the innermost node of each.
    fn add_stacks(&mut self, snapshot: &Snapshot, symbols: Option<&Symbols>) -> Vec<NodeId> {
        let stacks = &snapshot.stacks;
        let mut names = Names {
            snapshot,
            symbols,
            known: FxHashMap::default(),
        };
        let mut nodes: Vec<NodeId> = Vec::with_capacity(stacks.parent.len());
        for (row, &parent) in stacks.parent.iter().enumerate() {
            let mut node = usize::try_from(parent)
                .ok()
                .and_then(|row| nodes.get(row))
                .copied();
            let module = stacks.module.get(row).copied().unwrap_or_default();
            let named = names.of_row(row, module);
            // Innermost first in the file, callers first in the tree.
            for &distinct in named.iter().rev() {
                let frame = names.symbolized(&mut self.frames, module, distinct);
                node = Some(self.tree.child(node, frame));
            }
            if named.is_empty() {
                let address = stacks.address.get(row).copied().unwrap_or_default();
                let frame = unnamed(&mut self.frames, snapshot, module, address);
                node = Some(self.tree.child(node, frame));
            }
            nodes.push(node.expect("each row adds at least one node"));
        }
        nodes
    }

    /// The profile of all snapshots that were added.
    pub fn finish(mut self) -> Profile {
        self.find_main_crates();
        self.place_functions();
        let Self {
            frames,
            tree,
            sites,
            sources,
            ..
        } = self;
        let tree = tree.finish();

        let entries: Vec<bool> = (0..frames.function_count() as FunctionId)
            .map(|function| {
                frames.origin(function) != Origin::Special
                    && is_allocator_entry(frames.name(function))
            })
            .collect();
        let mut visible: Vec<Option<NodeId>> = Vec::with_capacity(tree.len());
        let mut owners: Vec<NodeId> = Vec::with_capacity(tree.len());
        let origin = |node: NodeId| frames.origin(frames.get(tree.label(node)).function);
        for node in tree.nodes() {
            let caller = tree.caller(node);
            let entry = entries[frames.get(tree.label(node)).function as usize];
            visible.push(match caller {
                _ if !entry => Some(node),
                Some(caller) => visible[caller as usize],
                None => None,
            });
            let inherited = caller.map(|caller| owners[caller as usize]);
            owners.push(match inherited {
                Some(owner) if origin(owner) < origin(node) => owner,
                _ => node,
            });
        }

        let mut merged: FxHashMap<NodeId, Values> = FxHashMap::default();
        merged.reserve(sites.len());
        let mut totals = Values::default();
        for (node, values) in sites {
            totals.add(&values);
            merged
                .entry(visible[node as usize].unwrap_or(node))
                .or_default()
                .add(&values);
        }
        let mut sites: Vec<Site> = merged
            .into_iter()
            .map(|(node, values)| Site { node, values })
            .collect();
        sites.sort_unstable_by_key(|site| site.node);
        Profile {
            frames,
            tree,
            owners,
            sites,
            totals,
            sources,
        }
    }

    /// Finds the crates whose `main` Rust's runtime calls.
    fn find_main_crates(&mut self) {
        let mains: Vec<bool> = (0..self.frames.function_count() as FunctionId)
            .map(|function| is_crate_main(self.frames.name(function)))
            .collect();
        let tree = self.tree.tree();
        for node in tree.nodes() {
            let function = self.frames.get(tree.label(node)).function;
            if !mains[function as usize] {
                continue;
            }
            let called_by_runtime = tree
                .stack(node)
                .skip(1)
                .take(RUNTIME_DISTANCE)
                .any(|caller| {
                    let name = self
                        .frames
                        .name(self.frames.get(tree.label(caller)).function);
                    name.contains("__rust_begin_short_backtrace") || name.contains("rt::lang_start")
                });
            if called_by_runtime && let Some(crates) = Crates::of(self.frames.name(function)) {
                self.rules.add_main_crate(crates.main);
            }
        }
    }

    fn place_functions(&mut self) {
        let origins: Vec<Origin> = (0..self.frames.function_count() as FunctionId)
            .map(|function| {
                if self.frames.binary(function) == SPECIAL_BINARY {
                    return Origin::Special;
                }
                self.rules
                    .origin(self.frames.name(function), self.frames.file(function))
            })
            .collect();
        for (function, origin) in self.frames.functions_mut() {
            *origin = origins[function as usize];
        }
    }
}

/// The names of one snapshot's rows.
struct Names<'a> {
    snapshot: &'a Snapshot,
    symbols: Option<&'a Symbols>,
    /// Frames that were met before, by module and distinct frame of the symbols.
    known: FxHashMap<(u32, u32), FrameId>,
}

impl<'a> Names<'a> {
    /// The distinct frames of a row, innermost first; empty where it has no names.
    fn of_row(&self, row: usize, module: u32) -> &'a [u32] {
        let Some(symbols) = self.symbols.filter(|_| module != SPECIAL_MODULE) else {
            return &[];
        };
        let range = symbols
            .first_frame
            .get(row)
            .zip(symbols.first_frame.get(row + 1));
        range
            .and_then(|(&from, &to)| symbols.frame.get(from as usize..to as usize))
            .unwrap_or_default()
    }

    fn symbolized(&mut self, frames: &mut Frames, module: u32, distinct: u32) -> FrameId {
        if let Some(&frame) = self.known.get(&(module, distinct)) {
            return frame;
        }
        let symbols = self
            .symbols
            .expect("only rows with symbols have distinct frames");
        let text = |at: usize| symbols.strings.get(at).map(String::as_str);
        let at = distinct as usize;
        let name = symbols
            .function
            .get(at)
            .and_then(|&name| text(name as usize))
            .unwrap_or("[?]");
        let file = symbols
            .file
            .get(at)
            .and_then(|&file| text(usize::try_from(file).ok()?));
        let function = frames.function(
            &without_hashes(name),
            file,
            module_path(self.snapshot, module),
        );
        let frame = frames.frame(Frame {
            function,
            line: symbols.line.get(at).copied().unwrap_or_default(),
            inlined: symbols.inlined.get(at).copied().unwrap_or_default(),
        });
        self.known.insert((module, distinct), frame);
        frame
    }
}

/// The frame of a row without a name: a special one, or an address in a binary.
fn unnamed(frames: &mut Frames, snapshot: &Snapshot, module: u32, address: u64) -> FrameId {
    let (name, binary) = if module == SPECIAL_MODULE {
        let name = match SpecialFrame::from_code(address) {
            Some(special) => special.to_string(),
            None => format!("[special {address}]"),
        };
        (name, SPECIAL_BINARY)
    } else {
        let path = module_path(snapshot, module);
        let file = path.rsplit('/').next().unwrap_or(path);
        (format!("{file}+{address:#x}"), path)
    };
    let function = frames.function(&name, None, binary);
    frames.frame(Frame {
        function,
        line: 0,
        inlined: false,
    })
}

fn module_path(snapshot: &Snapshot, module: u32) -> &str {
    snapshot
        .modules
        .get(module as usize)
        .map_or("[unknown]", |module| &module.path)
}
