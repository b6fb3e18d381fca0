//! Snapshots into one [`Profile`].

use heaplens::snapshot::{SPECIAL_MODULE, Snapshot, SpecialFrame, Symbols};
use rustc_hash::FxHashMap;

use super::ages::{old_seconds, older_than};
use super::call_tree::AHEAD;
use super::owner::{Origin, OwnCrates, OwnerRules, is_allocator_entry, is_allocator_symbol};
use super::qualify::Qualifier;
use super::sites::SitesByNode;
use super::symbol_name::{Crates, is_crate_main, without_hashes};
use super::{
    Filter, Frame, FrameId, Frames, FunctionId, NodeId, Profile, Source, TreeBuilder, Values,
};

/// Path that special frames carry as their binary.
pub(super) const SPECIAL_BINARY: &str = "[special]";

/// Callers that are looked at to tell Rust's runtime below a `main`.
const RUNTIME_DISTANCE: usize = 6;

/// Adds snapshots up.
#[derive(Debug)]
pub struct ProfileBuilder {
    frames: Frames,
    tree: TreeBuilder,
    sites: SitesByNode,
    sources: Vec<Source>,
    rules: OwnerRules,
    old_seconds: Option<u64>,
}

impl ProfileBuilder {
    /// An empty profile. Code of `own` crates counts as the user's own.
    pub fn new(own: &OwnCrates) -> Self {
        Self {
            frames: Frames::default(),
            tree: TreeBuilder::default(),
            sites: SitesByNode::default(),
            sources: Vec::new(),
            rules: OwnerRules::new(own),
            old_seconds: None,
        }
    }

    /// Adds a snapshot that `file` held, with the names in `symbols`. Rows that do not fit
    /// together, which a snapshot that was read never has, are passed over. Returns the node of each
    /// row of its stacks.
    pub fn add(
        &mut self,
        file: &str,
        snapshot: &Snapshot,
        symbols: Option<&Symbols>,
    ) -> Vec<NodeId> {
        if self.sources.is_empty() && !snapshot.sites.ages.bounds_seconds.is_empty() {
            self.old_seconds = old_seconds(&snapshot.header);
        }
        let nodes = self.add_stacks(snapshot, symbols);
        let sites = &snapshot.sites;
        for (row, &stack) in sites.stack.iter().enumerate() {
            let Some(&node) = nodes.get(stack as usize) else {
                continue;
            };
            let mut values = Values::of_site(sites, row);
            if let Some(seconds) = self.old_seconds {
                values.old_bytes = older_than(&sites.ages, row, seconds);
            }
            self.sites.add(node, &values);
        }
        self.rules
            .add_executable(&snapshot.header.program.executable);
        self.sources.push(Source {
            file: file.to_owned(),
            header: snapshot.header.clone(),
        });
        nodes
    }

    /// Adds the stacks of a snapshot and returns the innermost node of each.
    fn add_stacks(&mut self, snapshot: &Snapshot, symbols: Option<&Symbols>) -> Vec<NodeId> {
        let stacks = &snapshot.stacks;
        let mut names = Names::new(snapshot, symbols);
        let mut nodes: Vec<NodeId> = Vec::with_capacity(stacks.parent.len());
        self.tree.reserve(stacks.parent.len());
        for (row, &parent) in stacks.parent.iter().enumerate() {
            let node_of = |parent: i64| nodes.get(usize::try_from(parent).ok()?);
            if row % AHEAD == 0 {
                let ahead = stacks.parent[row..].iter().take(AHEAD);
                self.tree.touch(ahead.filter_map(|&parent| node_of(parent)));
            }
            let mut node = node_of(parent).copied();
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

    /// What passes `filter` of all snapshots that were added.
    pub fn finish(self, filter: &Filter) -> Profile {
        self.finish_with_sites(filter).0
    }

    /// The same, and for each node the one that a site there belongs to, if it passes.
    pub fn finish_with_sites(mut self, filter: &Filter) -> (Profile, Vec<Option<NodeId>>) {
        self.find_main_crates();
        self.place_functions();
        let Self {
            frames,
            tree,
            sites,
            sources,
            old_seconds,
            ..
        } = self;
        let tree = tree.finish();

        // By frame: the passes below look these up for each node.
        let by_frame: Vec<OfFrame> = frames
            .iter()
            .map(|frame| {
                let origin = frames.origin(frame.function);
                let name = frames.name(frame.function);
                let is_code = origin != Origin::Special;
                OfFrame {
                    origin,
                    is_entry: is_code && is_allocator_entry(name),
                    is_symbol: is_code && is_allocator_symbol(name),
                }
            })
            .collect();
        // Whether a node is an allocator's symbol or what that calls: inlined, such functions may
        // have lost what would tell whose they are.
        let mut in_allocator: Vec<bool> = Vec::with_capacity(tree.len());
        // The innermost node of a stack that is shown, and its owner with the owner's origin.
        let mut visible: Vec<Option<NodeId>> = Vec::with_capacity(tree.len());
        let mut owners: Vec<NodeId> = Vec::with_capacity(tree.len());
        let mut owner_origins: Vec<Origin> = Vec::with_capacity(tree.len());
        for node in tree.nodes() {
            let caller = tree.caller(node).map(|caller| caller as usize);
            let of_frame = &by_frame[tree.label(node) as usize];
            let inside = of_frame.is_symbol || caller.is_some_and(|caller| in_allocator[caller]);
            in_allocator.push(inside);
            let origin = of_frame.origin;
            visible.push(if of_frame.is_entry || inside {
                caller.and_then(|caller| visible[caller])
            } else {
                Some(node)
            });
            let (owner, owner_origin) = match caller {
                Some(caller) if inside || owner_origins[caller] < origin => {
                    (owners[caller], owner_origins[caller])
                }
                _ => (node, origin),
            };
            owners.push(owner);
            owner_origins.push(owner_origin);
        }

        let site_of: Vec<NodeId> = visible
            .into_iter()
            .zip(tree.nodes())
            .map(|(visible, node)| visible.unwrap_or(node))
            .collect();
        let mut shown = SitesByNode::default();
        let mut totals = Values::default();
        for site in sites.finish() {
            totals.add(&site.values);
            shown.add(site_of[site.node as usize], &site.values);
        }
        let profile = Profile {
            frames,
            tree,
            owners,
            sites: shown.finish(),
            totals,
            unfiltered: totals,
            sums: None,
            sources,
            old_seconds,
        };
        if filter.is_empty() {
            return (profile, site_of.into_iter().map(Some).collect());
        }
        let (profile, passed) = profile.filtered(filter);
        let site_of = site_of.into_iter();
        (profile, site_of.map(|node| passed[node as usize]).collect())
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

/// What the passes over the tree need to know of a frame.
struct OfFrame {
    origin: Origin,
    /// Only the way into the allocator.
    is_entry: bool,
    /// Where the allocator begins.
    is_symbol: bool,
}

/// The names of one snapshot's rows.
struct Names<'a> {
    snapshot: &'a Snapshot,
    symbols: Option<&'a Symbols>,
    /// For each distinct frame of the symbols, the module that it was last met in and the frame.
    known: Vec<Option<(u32, FrameId)>>,
    qualifier: Qualifier<'a>,
}

impl<'a> Names<'a> {
    fn new(snapshot: &'a Snapshot, symbols: Option<&'a Symbols>) -> Self {
        let distinct = symbols.map_or(0, |symbols| symbols.function.len());
        Self {
            snapshot,
            symbols,
            known: vec![None; distinct],
            qualifier: symbols.map_or_else(Qualifier::default, qualifier),
        }
    }

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
        let at = distinct as usize;
        match self.known.get(at) {
            Some(&Some((known, frame))) if known == module => return frame,
            _ => {}
        }
        let symbols = self
            .symbols
            .expect("only rows with symbols have distinct frames");
        let (name, file) = name_and_file(symbols, at);
        let generics = text_or_none(symbols, &symbols.generics, at).map(|types| frames.text(types));
        let name = shown(&self.qualifier, name, file);
        let function = frames.function(&name, file, module_path(self.snapshot, module));
        let frame = frames.frame(Frame {
            function,
            line: symbols.line.get(at).copied().unwrap_or_default(),
            inlined: symbols.inlined.get(at).copied().unwrap_or_default(),
            generics,
        });
        if let Some(known) = self.known.get_mut(at) {
            *known = Some((module, frame));
        }
        frame
    }
}

/// Gives the functions in `symbols` the names that a profile shows: without hashes, and bare names of
/// inlined functions with the path that their file tells.
pub(crate) fn rename_as_shown(symbols: &mut Symbols) {
    let mut added: FxHashMap<String, u32> = FxHashMap::default();
    let mut texts = Vec::new();
    let qualifier = qualifier(symbols);
    let mut functions = Vec::with_capacity(symbols.function.len());
    for at in 0..symbols.function.len() {
        let (name, file) = name_and_file(symbols, at);
        let name = shown(&qualifier, name, file);
        functions.push(*added.entry(name).or_insert_with_key(|name| {
            texts.push(name.clone());
            (symbols.strings.len() + texts.len() - 1) as u32
        }));
    }
    symbols.function = functions;
    symbols.strings.extend(texts);
}

fn qualifier(symbols: &Symbols) -> Qualifier<'_> {
    Qualifier::learn((0..symbols.function.len()).filter_map(|at| {
        let (name, file) = name_and_file(symbols, at);
        Some((name?, file?))
    }))
}

/// The name of a function as a profile shows it.
fn shown(qualifier: &Qualifier<'_>, name: Option<&str>, file: Option<&str>) -> String {
    let name = without_hashes(name.unwrap_or("[?]"));
    qualifier.qualify(&name, file).into_owned()
}

/// The function and the file of a distinct frame.
fn name_and_file(symbols: &Symbols, at: usize) -> (Option<&str>, Option<&str>) {
    let name = symbols.function.get(at);
    let name = name.and_then(|&name| symbols.strings.get(name as usize));
    (
        name.map(String::as_str),
        text_or_none(symbols, &symbols.file, at),
    )
}

/// The text that row `at` of a column points to.
fn text_or_none<'a>(symbols: &'a Symbols, column: &[i64], at: usize) -> Option<&'a str> {
    let text = usize::try_from(*column.get(at)?).ok()?;
    symbols.strings.get(text).map(String::as_str)
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
        generics: None,
    })
}

fn module_path(snapshot: &Snapshot, module: u32) -> &str {
    snapshot
        .modules
        .get(module as usize)
        .map_or("[unknown]", |module| &module.path)
}
