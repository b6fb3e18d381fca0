//! Arguments of `heaplens diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ViewArgs;

pub(super) const EXAMPLES: &str = "\
Examples:
  heaplens diff before.json.gz after.json.gz -o growth.svg
  heaplens diff 'monday/*.json.gz' 'tuesday/*.json.gz'
  heaplens diff http://pod-a:6070 http://pod-b:6070 --format json | jq '.owners[:3]'
  heaplens diff --by-build @pods.txt
  heaplens diff --by-build=4f1c..a09b pods/*/

Where the sides are of different numbers of processes, and with --by-build, all numbers are means per
process.";

pub(super) const USAGE: &str = "heaplens diff [OPTIONS] <BEFORE> <AFTER>
       heaplens diff [OPTIONS] --base <BEFORE>... <AFTER>...
       heaplens diff [OPTIONS] --by-build[=OLD..NEW] <SNAP|DIR|URL>...";

/// Forms of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// A differential flamegraph.
    Svg,
    /// For people.
    Text,
    /// For programs; docs/json-output.md describes it.
    Json,
    /// A line for each path, `outer;inner 12 42`: live bytes before and after.
    Folded,
}

/// Arguments of `heaplens diff`.
#[derive(Debug, Args)]
#[command(override_usage = USAGE)]
pub struct DiffArgs {
    /// The earlier and the later side: each a snapshot, quoted glob, URL or @LIST whose snapshots are
    /// added up. With --base, all are of the later side
    #[arg(required = true, value_name = "SNAP")]
    pub snapshots: Vec<PathBuf>,
    /// A snapshot, quoted glob, URL or @LIST of the earlier side; may be given several times
    #[arg(long, value_name = "SNAP")]
    pub base: Vec<PathBuf>,
    /// Compare two builds of a program: sort all snapshots, also those in folders, by the build id of
    /// their program. Two are compared in the order in which they were started first; of more, the
    /// beginnings of two build ids say which
    #[arg(
        long,
        value_name = "OLD..NEW",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with = "base"
    )]
    pub by_build: Option<String>,
    /// Form of the output [default: by the ending of FILE, else text]
    #[arg(long, value_enum)]
    pub format: Option<DiffFormat>,
    /// Paths to show of each kind, 0 for all [default: 10 as text, all as JSON]
    #[arg(short = 'n', value_name = "N")]
    pub rows: Option<usize>,
    /// Turn the stacks of a picture over: what allocates at the bottom, its callers above it
    #[arg(long)]
    pub inverted: bool,
    /// Draw each frame, also where libraries call one another and nothing else changed
    #[arg(long)]
    pub all_frames: bool,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub view: ViewArgs,
}
