//! Arguments of `heaplens report`.

use std::path::PathBuf;

use clap::Args;

use super::{ProfileArgs, size};

pub(super) const EXAMPLES: &str = "\
Examples:
  heaplens report heaplens/ -o report.html
  heaplens report before.json.gz after.json.gz -o report.html";

/// Arguments of `heaplens report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Snapshots, quoted globs, or a folder of snapshots
    #[arg(required = true, value_name = "SNAP|DIR")]
    pub snapshots: Vec<PathBuf>,
    /// Memory limit to reckon with, as 512MiB [default: that of the control group]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub limit: Option<u64>,
    /// Write to this file instead of the standard output
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub profile: ProfileArgs,
}
