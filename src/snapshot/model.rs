//! The plain data of a snapshot. Field names are the names in the file.

use super::decimal;
use super::graph::Graph;
use serde::{Deserialize, Serialize};

/// Value of [`Snapshot::format`]: tells a snapshot from any other JSON.
pub const FORMAT: &str = "heaplens-snapshot";

/// The version that this library writes, and the newest that it reads.
///
/// A new optional field does not change the version, since readers ignore what they do not know.
/// A change of meaning does.
pub const FORMAT_VERSION: u32 = 1;

/// Bounds between the age classes of live blocks, in seconds: 1 m, 5 m, 30 m, 2 h, 8 h.
pub const AGE_BOUNDS_SECONDS: [u64; 5] = [60, 300, 1_800, 7_200, 28_800];

/// Age classes: one below each bound and one above the last.
pub const AGE_CLASSES: usize = AGE_BOUNDS_SECONDS.len() + 1;

/// One snapshot of a program's heap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Always [`FORMAT`].
    pub format: String,
    /// See [`FORMAT_VERSION`].
    pub format_version: u32,
    /// What was recorded, when, why and with which losses.
    pub header: Header,
    /// Executables and libraries that `stacks.module` points into; index 0 is the pseudo-module
    /// of [`SpecialFrame`](super::SpecialFrame)s.
    pub modules: Vec<Module>,
    /// The tree of call stacks, as columns.
    pub stacks: Stacks,
    /// One row for each call site with anything ever recorded, as columns.
    pub sites: Sites,
    /// Who holds what, where a scan of the heap was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<Graph>,
    /// Names of the frames, once someone has resolved them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbols: Option<Symbols>,
    /// The last field of the file: `true`. A file without it was cut short.
    #[serde(default)]
    pub complete: bool,
}

/// Everything about a snapshot that is not a column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Header {
    /// The program and this run of it.
    pub program: Program,
    /// When the snapshot was taken: UTC, RFC 3339 with milliseconds.
    pub taken: String,
    /// The same, in milliseconds since the Unix epoch.
    pub taken_unix_ms: u64,
    /// Milliseconds on the monotonic clock since the recorder started: immune to clock changes.
    pub uptime_ms: u64,
    /// Number of this snapshot in its run, from 1.
    pub sequence: u64,
    /// Why it was taken.
    pub reason: Reason,
    /// The caller's own words, where there are any: `heaplens::snapshot("after warm-up")`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How allocations were recorded.
    pub recorder: Recorder,
    /// Sums over all sites.
    pub totals: Totals,
    /// What was not recorded or not fully, and why.
    pub losses: Losses,
    /// Units of work that the program reported since its start (requests, jobs).
    pub work_done: u64,
    /// Memory of the process as the system sees it.
    pub memory: ProcessMemory,
    /// Memory that heaplens itself uses. Not part of any other number here but the process's.
    pub overhead: Overhead,
}

/// Identity of a program and of one run of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Program {
    /// Path of the executable as the process saw it.
    pub executable: String,
    /// GNU build id of the executable in hex, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Host name.
    pub host: String,
    /// Process id, in the process's own namespace.
    pub pid: u32,
    /// When the recorder started: UTC, RFC 3339 with milliseconds.
    pub started: String,
    /// The same, in milliseconds since the Unix epoch.
    pub started_unix_ms: u64,
    /// Version of the heaplens library inside the program.
    pub heaplens_version: String,
}

/// Why a snapshot was taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The regular interval.
    Interval,
    /// A signal from outside.
    Signal,
    /// Live memory grew by more than the configured amount.
    Growth,
    /// A step towards the memory limit was crossed.
    Limit,
    /// A new peak of live memory.
    Peak,
    /// The program ended.
    Exit,
    /// The program ended by a panic.
    Panic,
    /// `heaplens::snapshot` was called, or an endpoint asked.
    #[default]
    Request,
    /// A mark between phases of a run.
    Mark,
    /// With the graph of the heap.
    Graph,
    /// A reason that this version does not know.
    #[serde(other)]
    Other,
}

/// How allocations were recorded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Recorder {
    /// `sampled`, `exact` or `off`.
    pub mode: RecorderMode,
    /// Mean distance between samples in bytes, as it was set when the snapshot was taken; 0 in exact
    /// mode. Each sample counts by the mean that it was drawn at.
    pub sample_bytes: u64,
    /// Milliseconds of the run in which sampling was switched off: what was allocated then is in no
    /// number here.
    pub sampling_off_ms: u64,
    /// Most frames kept of one stack.
    pub depth: u32,
    /// How stacks were walked: `eh-frame`, or `leaf-only` where there is no unwinder.
    pub unwinder: String,
}

/// How allocations are recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecorderMode {
    /// Nothing is recorded.
    Off,
    /// A Poisson sample by bytes; numbers are unbiased estimates.
    #[default]
    Sampled,
    /// Every allocation; numbers are exact.
    Exact,
}

/// Sums over all sites, in bytes and blocks. In sampled mode, unbiased estimates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Bytes allocated and not freed.
    pub live_bytes: i64,
    /// Blocks allocated and not freed.
    pub live_count: i64,
    /// Bytes ever allocated. A string in the file, since it can pass 2^53.
    #[serde(with = "decimal::number")]
    pub total_bytes: u64,
    /// Blocks ever allocated. A string in the file.
    #[serde(with = "decimal::number")]
    pub total_count: u64,
    /// Variance of the estimate of `live_bytes`, in bytes squared; 0 in exact mode.
    pub live_bytes_variance: f64,
    /// The largest `live_bytes` that any snapshot of this run has seen, this one included.
    pub peak_live_bytes: i64,
}

/// Counts of what was lost, by cause. All zero is the normal case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Losses {
    /// Allocations not recorded because the table of stacks was full.
    pub stack_table_full: u64,
    /// Samples not recorded because the table of live samples was full.
    pub sample_table_full: u64,
    /// Samples not recorded because no mark fits the block (alignment above 64 KiB).
    pub unmarkable: u64,
    /// Allocations without a stack because the thread was already inside the recorder.
    pub reentered: u64,
    /// Stacks that ended early, by cause.
    pub truncated: Truncated,
    /// Threads that shared a slower path because the table of threads was full.
    pub threads_unregistered: u64,
    /// Sites whose counters were in motion at each try to read them: off by what was in flight.
    pub sites_unsettled: u64,
    /// Frees of blocks in exact mode whose header was not ours: passed on untouched.
    pub foreign_frees: u64,
    /// Snapshots of this run that could not be written.
    pub snapshots_failed: u64,
}

/// Stacks that ended early, by cause.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Truncated {
    /// An address in no known module.
    pub unknown_module: u64,
    /// An address in a module without unwind information for it.
    pub no_unwind_info: u64,
    /// A rule that the unwinder does not support.
    pub unsupported_rule: u64,
    /// A stack pointer outside the thread's stack, or one that did not advance.
    pub bad_stack: u64,
    /// More frames than the unwinder follows.
    pub too_deep: u64,
}

/// Memory of the process as the system and the allocator see it, in bytes; absent where unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessMemory {
    /// Resident set size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// Highest resident set size so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_peak_bytes: Option<u64>,
    /// What the inner allocator keeps resident, free memory included, where it can tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocator_resident_bytes: Option<u64>,
    /// Memory limit of the control group (version 1 or 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_limit_bytes: Option<u64>,
    /// Memory usage of the control group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_usage_bytes: Option<u64>,
}

/// Memory of heaplens itself, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overhead {
    /// Tables and thread states: mapped and in use.
    pub tables_bytes: u64,
    /// Headers in front of blocks (exact mode) and padding of sampled blocks.
    pub block_bytes: u64,
    /// Heap used by heaplens' own threads (exact mode; 0 where it is not counted).
    pub heap_bytes: i64,
}

/// An executable or a library in the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Module {
    /// Path as the process saw it; `[special]` for index 0, `[vdso]` for the kernel's page.
    pub path: String,
    /// GNU build id in hex, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Where there is no build id: FNV-1a 64-bit hash of the executable `PT_LOAD` segments' bytes
    /// in program-header order, 16 hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_hash: Option<String>,
}

/// The call stacks as a tree: row `i` is a frame whose caller is row `parent[i]`.
///
/// Parents stand before their children (`parent[i] < i`), so one forward pass resolves the tree;
/// a row without a caller has parent `-1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stacks {
    /// Row of the caller, or `-1`.
    pub parent: Vec<i64>,
    /// Index into [`Snapshot::modules`].
    pub module: Vec<u32>,
    /// Address of the call in the module's own address space (the ELF virtual address, as
    /// `addr2line -e` takes it). It lies inside the calling instruction, so it needs no
    /// adjustment. In module 0, the code of a [`SpecialFrame`](super::SpecialFrame).
    pub address: Vec<u64>,
}

/// One row for each site: a call stack with numbers. All columns that are present have one length.
///
/// In sampled mode the byte and count columns are unbiased estimates, and the variance columns are
/// present. A reallocation counts as a free of the old block and an allocation of the new one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sites {
    /// Row in [`Stacks`] of the innermost frame.
    pub stack: Vec<u32>,
    /// Bytes allocated here and not freed. Can be negative for a moment, while threads move blocks.
    pub live_bytes: Vec<i64>,
    /// Blocks allocated here and not freed.
    pub live_count: Vec<i64>,
    /// Bytes ever allocated here. Strings in the file, since they can pass 2^53.
    #[serde(with = "decimal::column")]
    pub total_bytes: Vec<u64>,
    /// Blocks ever allocated here. Strings in the file.
    #[serde(with = "decimal::column")]
    pub total_count: Vec<u64>,
    /// Live bytes by age of the block.
    pub ages: Ages,
    /// Sampled mode: samples behind `live_bytes`. Empty in exact mode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub live_samples: Vec<u64>,
    /// Sampled mode: samples ever taken here. Empty in exact mode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub total_samples: Vec<u64>,
    /// Sampled mode: variance of `live_bytes`, bytes squared: the sum of size²·(1−p)/p² over the
    /// live samples, with p = 1−e^(−size/mean). Empty in exact mode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub live_bytes_variance: Vec<f64>,
    /// Sampled mode: variance of `total_bytes`, bytes squared, summed likewise over all samples
    /// ever taken. Its growth is the variance of what was born between two snapshots. Empty in
    /// exact mode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub total_bytes_variance: Vec<f64>,
}

/// Live bytes by age class. A block counts as older than a bound only once it surely is: class
/// borders lag by at most half of the bound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ages {
    /// Bounds between the classes in seconds, ascending: [`AGE_BOUNDS_SECONDS`].
    pub bounds_seconds: Vec<u64>,
    /// One column for each class, youngest first; each as long as the other columns.
    pub live_bytes: Vec<Vec<i64>>,
}

/// Names for the rows of [`Stacks`], so that a snapshot reads without its binaries.
///
/// Row `i` of the stacks has the frames `frame[first_frame[i] .. first_frame[i + 1]]`, innermost
/// first: inlined calls stand before the function that contains them. Special frames have none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Symbols {
    /// Texts that the other columns point to.
    pub strings: Vec<String>,
    /// Distinct frames: the demangled function, index into `strings`.
    pub function: Vec<u32>,
    /// Distinct frames: the source file, index into `strings`, or `-1` where unknown.
    pub file: Vec<i64>,
    /// Distinct frames: the line, 0 where unknown.
    pub line: Vec<u32>,
    /// Distinct frames: whether the call was inlined into the next frame of its row.
    pub inlined: Vec<bool>,
    /// Distinct frames: what a function of a standard container was compiled for, where its name
    /// does not say so (`shop::Cart, alloc::alloc::Global`); index into `strings`, or `-1`. Empty
    /// if none is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub generics: Vec<i64>,
    /// For each row of the stacks its first entry in `frame`, and one entry more for the end.
    pub first_frame: Vec<u32>,
    /// Indices into the columns of distinct frames.
    pub frame: Vec<u32>,
    /// What each module's names came from, by module index.
    pub sources: Vec<SymbolSource>,
}

/// Where a module's names came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SymbolSource {
    /// No file for it was found.
    #[default]
    Missing,
    /// Names from the symbol table: functions, but no lines and no inlined calls.
    SymbolTable,
    /// Names, lines and inlined calls from debug information.
    DebugInfo,
}
