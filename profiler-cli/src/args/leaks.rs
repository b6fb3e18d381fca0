//! Arguments of the verbs about the graph of the heap.

use std::path::PathBuf;

use clap::Args;

use super::{Format, ViewArgs};

pub(super) const LEAKS: &str = "\
Examples:
  heaplens leaks heaplens/
  heaplens leaks heaplens.shop.20260105T140211123Z-7.000048.exit.json.gz
  heaplens leaks heaplens/ --format json | jq '.rows[0].title'

A program in exact mode leaves a graph with HEAPLENS_GRAPH=exit, or where it calls
heaplens::snapshot_graph(). What is found does not change the exit code; with `heaplens check` it does.";

pub(super) const RETAINED: &str = "\
Examples:
  heaplens retained heaplens/
  heaplens retained heaplens/ --owner 'shop::cache::*'
  heaplens retained heaplens/ --owner 'shop::CACHE*' --format json

A program in exact mode leaves a graph with HEAPLENS_GRAPH=exit, or where it calls
heaplens::snapshot_graph().";

/// Which graph, and where what it tells goes: `heaplens leaks` and `heaplens retained`.
#[derive(Debug, Args)]
pub struct GraphArgs {
    /// Snapshots, quoted globs, @LISTs, folders of snapshots, or endpoints, which stand for their folders;
    /// the newest with a graph counts
    #[arg(required = true, value_name = "SNAP|DIR|URL")]
    pub snapshots: Vec<PathBuf>,
    /// Rows to show, 0 for all [default: 10 as text, all as JSON]
    #[arg(short = 'n', value_name = "N")]
    pub rows: Option<usize>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub view: ViewArgs,
}

/// Arguments of `heaplens retained`.
#[derive(Debug, Args)]
pub struct RetainedArgs {
    /// Only holders whose owner has such a name, or variables: `*` is any text
    #[arg(long, value_name = "PATTERN")]
    pub owner: Option<String>,
    // Last, since what stands behind filters would stand under their heading.
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub graph: GraphArgs,
}
