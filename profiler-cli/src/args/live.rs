//! Arguments of the verbs that look at running programs: `heaplens snapshot` and `heaplens watch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::ProfileArgs;
use super::http::TokenArgs;
use super::time::time;

pub(super) const SNAPSHOT: &str = "\
Examples:
  heaplens snapshot 4242
  heaplens snapshot http://127.0.0.1:6070 -o now.json.gz
  heaplens top \"$(heaplens snapshot 4242)\"

A process gets the signal that heaplens has installed in it (HEAPLENS_SIGNAL, USR2 by default); no other
process ever gets one. In a container it is found by its process id here, outside.";

pub(super) const WATCH: &str = "\
Examples:
  heaplens watch heaplens/
  heaplens watch http://127.0.0.1:6070 --interval 2s
  heaplens watch http://127.0.0.1:6070 --count 10 > watched.txt

An endpoint is asked for its metrics and for a profile in memory: nothing is written there. In a folder, the
newest snapshots are looked at. Ctrl-C ends it.";

/// Arguments of `heaplens snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// Process id, or the URL of an endpoint
    #[arg(value_name = "PID|URL")]
    pub target: String,
    /// Write to this new file [default: of a process, the file in its folder; of an endpoint, a file of
    /// the same name here]
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
    /// Longest time to wait for it, as 30s
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "1min")]
    pub timeout: Duration,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub token: TokenArgs,
}

/// Arguments of `heaplens watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Folder of snapshots, or the URL of an endpoint
    #[arg(value_name = "DIR|URL")]
    pub target: PathBuf,
    /// Time between two looks
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "5s")]
    pub interval: Duration,
    /// Looks before it ends, 0 for no end
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub count: u64,
    /// Growing owners to show, 0 for all [default: 10]
    #[arg(short = 'n', value_name = "N")]
    pub rows: Option<usize>,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub profile: ProfileArgs,
}
