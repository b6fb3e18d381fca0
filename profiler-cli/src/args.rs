//! The command line: what can be asked for, and how it is explained.

mod diff;
mod export;
mod gate;
mod http;
mod leaks;
mod live;
mod profile;
mod time;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::diff::{DiffArgs, DiffFormat};
pub use self::export::{ExportArgs, ExportFormat};
pub use self::gate::{CheckArgs, CheckFormat, ExecuteArgs, GateArgs};
pub use self::http::{HttpArgs, TokenArgs};
pub use self::leaks::{GraphArgs, RetainedArgs};
pub use self::live::{SnapshotArgs, WatchArgs};
pub use self::profile::{ProfileArgs, ViewArgs};
use crate::analysis::top::{By, Sort};
use crate::render::units::parse_bytes;

/// Shows which code allocated the memory that a Rust program still holds.
///
/// A program that starts with `heaplens::profile!()` leaves snapshots behind. This reads them.
#[derive(Debug, Parser)]
#[command(name = "heaplens", version, after_help = AFTER)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "\
Examples:
  heaplens top heaplens/heaplens.shop.*.exit.json.gz
  heaplens diff before.json.gz after.json.gz -o growth.svg
  heaplens top http://127.0.0.1:6070

Wherever a snapshot is read there may be several: a quoted glob, a URL, or @LIST, a file that names more
of them, one a line (@- is the standard input). Of URLs, the address of a heaplens endpoint,
http://HOST:PORT, is a snapshot that is taken now, or the service's folder where a folder would do; any
other is a file to fetch, such as http://HOST:PORT/debug/pprof/heap?seconds=30.

Exit codes: 0 done, 1 a check failed, 2 wrong usage or an input that cannot be read.";

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ranks what holds memory
    ///
    /// Each row has its share, the live bytes and blocks, and the owner: the first frame in your
    /// own code, with file and line.
    #[command(after_help = TOP)]
    Top(TopArgs),
    /// Draws what holds memory as a flamegraph
    ///
    /// Width is live bytes. Callers stand below what they call; your own code is red.
    #[command(after_help = FLAMEGRAPH)]
    Flamegraph(FlamegraphArgs),
    /// Shows what grew between two snapshots
    ///
    /// As SVG, a differential flamegraph: width is bytes by which paths grew or shrank, colour tells
    /// what grew, what is new, what shrank and what is gone. As text, the paths that grew most, then what
    /// is new and what is gone. Different builds compare: a function is the same if its name and its file
    /// are, whatever its lines. Each side may be of many processes.
    #[command(after_help = diff::EXAMPLES)]
    Diff(DiffArgs),
    /// Names the code that leaks, and clears what does not
    ///
    /// Looks at all snapshots of one run: what grows steadily and is never freed is a leak, what
    /// levels off a cache. Of a folder or of several runs, judges the newest run that has snapshots
    /// enough.
    #[command(after_help = SUSPECTS)]
    Suspects(SuspectsArgs),
    /// Shows what no pointer reaches any more: reference cycles, and what was forgotten
    ///
    /// Of a snapshot with a graph of the heap: the kinds of blocks to which no pointer was found, with the
    /// cycles that they form and the stacks that allocate them, and how much is held.
    #[command(after_help = leaks::LEAKS)]
    Leaks(GraphArgs),
    /// Shows who holds memory: what would be freed with what, and the way from a root
    ///
    /// Of a snapshot whose graph of the heap has dominators: the holders that retain most, each with its own
    /// bytes and those of all that only it keeps, and the pointers that lead to it from static data, a stack or
    /// a thread-local.
    #[command(after_help = leaks::RETAINED)]
    Retained(RetainedArgs),
    /// Fails if a run leaks or breaks a limit: a gate for pipelines
    ///
    /// Judges runs as `suspects` does, of each program the newest with snapshots enough, and holds them
    /// to a budget and a baseline where there are any. What cannot be told never passes.
    #[command(after_help = gate::CHECK)]
    Check(CheckArgs),
    /// Runs a program with heaplens built in, and checks its snapshots
    ///
    /// In exact mode, with a fresh folder for the snapshots. A server is worked by --load, with a
    /// snapshot before, between and after, and then stopped.
    #[command(after_help = gate::RUN)]
    Run(ExecuteArgs),
    /// Writes snapshots in other tools' formats
    ///
    /// pprof for `go tool pprof`, Pyroscope and Parca: allocated and live objects and bytes, with
    /// addresses, build ids and names. Speedscope: live bytes, live blocks and bytes ever allocated.
    /// Folded: a line for each path with its live bytes.
    #[command(after_help = export::EXAMPLES)]
    Export(ExportArgs),
    /// Writes all of that on one page
    ///
    /// The verdict, memory over time, a flamegraph to zoom and search in, and the suspects with
    /// their stacks, in one HTML file that needs no network. Chooses a run as `suspects` does.
    #[command(after_help = REPORT)]
    Report(RunArgs),
    /// Folds names into a snapshot, so that it can be read without its binaries
    ///
    /// Functions, files, lines and inlined calls are looked up by build id next to the recorded
    /// path, under --debug-dir and where distributions keep debug files. The file is rewritten in
    /// place, whole or not at all, unless -o names another one.
    #[command(after_help = SYMBOLIZE)]
    Symbolize(SymbolizeArgs),
    /// Shows what is in a snapshot beside its stacks
    ///
    /// Program, build id, times, reason, mode, totals, losses, modules.
    #[command(after_help = INSPECT)]
    Inspect(InspectArgs),
    /// Has a running program take a snapshot, and prints its path once it is whole
    #[command(after_help = live::SNAPSHOT)]
    Snapshot(SnapshotArgs),
    /// Shows a running program: its memory, the rates, and which owners grow
    ///
    /// Growth counts from the first look. On a terminal the view stays in its place; elsewhere each look
    /// is a block of text. A program that is started again is looked at anew.
    #[command(after_help = live::WATCH)]
    Watch(WatchArgs),
}

const TOP: &str = "\
Examples:
  heaplens top heaplens.shop.20260105T140211123Z-7.000048.exit.json.gz
  heaplens top 'pods/*/heaplens.shop.*.000012.*.json.gz' --by crate
  heaplens top after.json.gz --base before.json.gz --sort growth -n 5
  heaplens top after.json.gz --format json | jq '.rows[0].owner'";

const FLAMEGRAPH: &str = "\
Examples:
  heaplens flamegraph snapshot.json.gz -o live.svg
  heaplens flamegraph 'pods/*.json.gz' --format folded | inferno-flamegraph > live.svg";

const SUSPECTS: &str = "\
Examples:
  heaplens suspects heaplens/
  heaplens suspects 'heaplens/heaplens.shop.*.interval.json.gz' --limit 512MiB
  heaplens suspects heaplens/ --format json | jq '.findings[] | select(.class == \"leak\")'

A leak does not change the exit code; with `heaplens check` it does.";

const REPORT: &str = "\
Examples:
  heaplens report heaplens/ -o report.html
  heaplens report before.json.gz after.json.gz -o report.html";

const SYMBOLIZE: &str = "\
Examples:
  heaplens symbolize snapshot.json.gz
  heaplens symbolize snapshot.json.gz --debug-dir target/release -o named.json.gz";

const INSPECT: &str = "\
Example:
  heaplens inspect snapshot.json.gz";

/// Text or JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs; docs/json-output.md describes it.
    Json,
}

/// Arguments of `heaplens top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Snapshots, quoted globs, URLs or @LISTs; several are added up, as the pods of a fleet
    #[arg(required = true, value_name = "SNAP")]
    pub snapshots: Vec<PathBuf>,
    /// What to rank by; growth needs --base
    #[arg(long, value_enum, default_value_t)]
    pub sort: Sort,
    /// Snapshot, quoted glob, URL or @LIST that growth counts from; may be given several times
    #[arg(long, value_name = "SNAP")]
    pub base: Vec<PathBuf>,
    /// What makes a row: the function that allocates, its owner, or the owner's crate
    #[arg(long, value_enum, default_value_t)]
    pub by: By,
    /// Rows to show, 0 for all [default: 20 as text, all as JSON]
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

/// Forms of a flamegraph.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FlamegraphFormat {
    /// A picture for a browser.
    #[default]
    Svg,
    /// A line for each path, `outer;inner 42`, for other tools.
    Folded,
}

/// Arguments of `heaplens flamegraph`.
#[derive(Debug, Args)]
pub struct FlamegraphArgs {
    /// Snapshots, quoted globs, URLs or @LISTs; several are added up, as the pods of a fleet
    #[arg(required = true, value_name = "SNAP")]
    pub snapshots: Vec<PathBuf>,
    /// Form of the output [default: by the ending of FILE, else svg]
    #[arg(long, value_enum)]
    pub format: Option<FlamegraphFormat>,
    /// Turn the stacks over: what allocates at the bottom, its callers above it
    #[arg(long)]
    pub inverted: bool,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub view: ViewArgs,
}

/// Which run to judge, and where the judgement goes: `heaplens suspects` and `heaplens report`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Snapshots, quoted globs, @LISTs, folders of snapshots, or endpoints, which stand for their folders
    #[arg(required = true, value_name = "SNAP|DIR|URL")]
    pub snapshots: Vec<PathBuf>,
    /// Memory limit to reckon with, as 512MiB [default: that of the control group]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub limit: Option<u64>,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub view: ViewArgs,
}

/// Arguments of `heaplens suspects`.
#[derive(Debug, Args)]
pub struct SuspectsArgs {
    /// Owners to show, 0 for all [default: 10 as text, all as JSON]
    #[arg(short = 'n', value_name = "N")]
    pub rows: Option<usize>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    // Last, since what stands behind filters would stand under their heading.
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub run: RunArgs,
}

fn size(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| "not a size such as 512MiB or 2GiB".to_owned())
}

/// Arguments of `heaplens symbolize`.
#[derive(Debug, Args)]
pub struct SymbolizeArgs {
    /// Snapshots, quoted globs, URLs or @LISTs
    #[arg(required = true, value_name = "SNAP")]
    pub snapshots: Vec<PathBuf>,
    /// Write to this new file and leave SNAP as it is
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace FILE if it is there
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Look for unstripped programs and debug files here too; may be given several times
    #[arg(long = "debug-dir", value_name = "DIR")]
    pub debug_dirs: Vec<PathBuf>,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub http: HttpArgs,
}

/// Arguments of `heaplens inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Snapshots, quoted globs, URLs or @LISTs
    #[arg(required = true, value_name = "SNAP")]
    pub snapshots: Vec<PathBuf>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write to this file instead of the standard output
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub http: HttpArgs,
}

/// The number of rows for `-n`: all for 0, `default` for none.
pub(crate) fn limit(rows: Option<usize>, default: usize) -> usize {
    match rows {
        None => default,
        Some(0) => usize::MAX,
        Some(rows) => rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn each_verb_shows_an_example() {
        for verb in Cli::command().get_subcommands() {
            let help = verb
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.contains(&format!("heaplens {}", verb.get_name())),
                "{}",
                verb.get_name()
            );
        }
    }
}
