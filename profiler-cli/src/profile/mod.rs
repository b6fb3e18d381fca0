//! The model that every analysis and every output shares: a call tree, numbers at its nodes, and
//! who owns them.
//!
//! A [`Profile`] comes from one snapshot or from several that are added up, as the pods of a fleet
//! are. It keeps names as numbers, so a million sites fit in little memory. It knows nothing of
//! files, options or output.
//!
//! Three things differ from what a snapshot holds. Bare names of inlined functions get the path that
//! their file tells. The allocator's own frames at the inner end of a
//! stack (`__rust_alloc`, `alloc::alloc::…`, heaplens) are left out, so a stack begins at the
//! function that allocates. And sites whose stacks are equal from there on are one.

pub mod ages;
mod call_tree;
mod filter;
mod frames;
mod mean;
mod merge;
pub mod owner;
mod qualify;
mod retained_type;
mod sites;
pub mod symbol_name;
mod text;
mod type_text;
mod values;

use heaplens::snapshot::{Header, Program, RecorderMode};

pub use call_tree::{CallTree, NodeId, TreeBuilder};
pub use filter::Filter;
pub use frames::{Frame, FrameId, Frames, Function, FunctionId};
pub use merge::ProfileBuilder;
pub(crate) use merge::rename_as_shown;
pub use owner::{Origin, OwnCrates};
pub use text::{TextId, Texts};
pub use values::{Values, change_variance, half_width};

/// One site: a stack and its numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Site {
    /// Node of the function that allocates.
    pub node: NodeId,
    /// The numbers.
    pub values: Values,
}

/// One snapshot that went into a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The file's name, as the user gave it.
    pub file: String,
    /// Everything in the snapshot but its columns.
    pub header: Header,
}

/// Snapshots, added up and named.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    frames: Frames,
    tree: CallTree,
    owners: Vec<NodeId>,
    sites: Vec<Site>,
    totals: Values,
    unfiltered: Values,
    /// What `totals` were before they became a mean.
    sums: Option<Values>,
    sources: Vec<Source>,
    old_seconds: Option<u64>,
}

/// What tells one life of a process from all others: a container that is started again is process 1
/// again.
pub fn run_of(program: &Program) -> (&str, u32, u64, &str) {
    (
        &program.host,
        program.pid,
        program.started_unix_ms,
        &program.executable,
    )
}

/// The beginning of a build id, by which people tell builds apart.
pub fn short_build_id(build_id: &str) -> &str {
    build_id.get(..12).unwrap_or(build_id)
}

/// Whether a header is not heaplens' own but made of a profile that some other program wrote, which
/// tells neither the process nor its run.
pub fn is_imported(header: &Header) -> bool {
    header.program.heaplens_version.is_empty()
}

/// Milliseconds on the clock that orders the snapshots of a run: since its start or, where a profile
/// does not tell that, since the Unix epoch.
pub fn clock_ms(header: &Header) -> u64 {
    match is_imported(header) {
        true => header.taken_unix_ms,
        false => header.uptime_ms,
    }
}

impl Profile {
    /// The functions and frames that the tree's labels point to.
    pub fn frames(&self) -> &Frames {
        &self.frames
    }

    /// The call tree; its labels are [`FrameId`]s.
    pub fn tree(&self) -> &CallTree {
        &self.tree
    }

    /// The sites, one for each stack.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The sum over all sites.
    pub fn totals(&self) -> &Values {
        &self.totals
    }

    /// The sum over all sites of the snapshots, whether they passed the [`Filter`] or not.
    pub fn unfiltered(&self) -> &Values {
        &self.unfiltered
    }

    /// The age from which blocks count in [`Values::old_bytes`], in seconds: by the first snapshot.
    /// `None` if it was too young to have old blocks, or does not tell ages.
    pub fn old_seconds(&self) -> Option<u64> {
        self.old_seconds
    }

    /// When the first and the last of the snapshots were taken, in milliseconds since the Unix epoch.
    pub fn taken_unix_ms(&self) -> Option<(u64, u64)> {
        let taken = |source: &Source| source.header.taken_unix_ms;
        let times = self.sources.iter().map(taken);
        times.clone().min().zip(times.max())
    }

    /// The build of the program, where all snapshots are of one.
    pub fn build_id(&self) -> Option<&str> {
        let mut builds = self
            .sources
            .iter()
            .map(|source| &source.header.program.build_id);
        let first = builds.next()?.as_deref();
        first.filter(|_| builds.all(|build| build.as_deref() == first))
    }

    /// Units of work that the programs had reported.
    pub fn work_done(&self) -> u64 {
        self.sources
            .iter()
            .fold(0, |sum, source| sum.saturating_add(source.header.work_done))
    }

    /// The snapshots that were added up, in the order in which they were given.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The node on the stack of `node` that is to blame: see [`owner`].
    pub fn owner(&self, node: NodeId) -> NodeId {
        self.owners[node as usize]
    }

    /// The frame at a node.
    pub fn frame(&self, node: NodeId) -> Frame {
        self.frames.get(self.tree.label(node))
    }

    /// The function's name at a node.
    pub fn name(&self, node: NodeId) -> &str {
        self.frames.name(self.frame(node).function)
    }

    /// Crate of the function at a node; none for C and for what is no code.
    pub fn crate_name(&self, node: NodeId) -> Option<&str> {
        self.crate_of(self.frame(node).function)
    }

    /// Crate of a function; none for C and for what is no code.
    pub fn crate_of(&self, function: FunctionId) -> Option<&str> {
        match self.frames.origin(function) {
            Origin::Special => None,
            _ => symbol_name::Crates::of(self.frames.name(function)).map(|crates| crates.main),
        }
    }

    /// Whether the source files of the user's own code are known, and with them lines and inlined
    /// calls.
    pub fn has_lines(&self) -> bool {
        (0..self.frames.function_count() as FunctionId).any(|function| {
            self.frames.origin(function) == Origin::Own && self.frames.file(function).is_some()
        })
    }

    /// Whether any number is an estimate from a sample.
    pub fn is_sampled(&self) -> bool {
        self.sources
            .iter()
            .any(|source| source.header.recorder.mode == RecorderMode::Sampled)
    }

    /// Whether estimates have error bars: a profile of another program may not tell how its samples
    /// were taken.
    pub fn has_errors(&self) -> bool {
        let is_told = |source: &Source| {
            let recorder = &source.header.recorder;
            recorder.mode != RecorderMode::Sampled || recorder.sample_bytes > 0
        };
        self.is_sampled() && self.sources.iter().all(is_told)
    }
}
