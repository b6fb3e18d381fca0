//! Arguments of `heaplens export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ViewArgs;

pub(super) const EXAMPLES: &str = "\
Examples:
  heaplens export snapshot.json.gz -o heap.pb.gz && go tool pprof -http : heap.pb.gz
  heaplens export snapshot.json.gz -o heap.speedscope.json
  heaplens export 'pods/*.json.gz' --to folded | inferno-flamegraph > live.svg

All verbs but symbolize read pprof profiles of heaps too; docs/formats.md says what they lack.";

/// Formats of other tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A gzipped pprof profile.
    Pprof,
    /// A line for each path, `outer;inner 42`: live bytes.
    Folded,
    /// A file for speedscope.app.
    Speedscope,
}

/// Arguments of `heaplens export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Snapshots, quoted globs, URLs or @LISTs; several are added up, as the pods of a fleet
    #[arg(required = true, value_name = "SNAP")]
    pub snapshots: Vec<PathBuf>,
    /// Format [default: by the ending of FILE: .pb.gz, .folded, .speedscope.json]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub to: Option<ExportFormat>,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub view: ViewArgs,
}
