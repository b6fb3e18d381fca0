//! The command line: what can be asked for, and how it is explained.

mod export;
mod report;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::export::{ExportArgs, ExportFormat};
pub use self::report::ReportArgs;
use crate::analysis::top::{By, Sort};
use crate::input;
use crate::profile::owner::Workspace;
use crate::profile::{Filter, OwnCrates};
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

Exit codes: 0 done, 2 wrong usage or an input that cannot be read.";

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
    /// what grew, what is new, what shrank and what is gone. As text, the paths that grew most, then what is new and what is gone. Different builds
    /// compare: a function is the same if its name and its file are, whatever its lines.
    #[command(after_help = DIFF)]
    Diff(DiffArgs),
    /// Names the code that leaks, and clears what does not
    ///
    /// Looks at all snapshots of one run: what grows steadily and is never freed is a leak, what
    /// levels off a cache. Of a folder or of several runs, judges the newest run that has snapshots
    /// enough.
    #[command(after_help = SUSPECTS)]
    Suspects(SuspectsArgs),
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
    #[command(after_help = report::EXAMPLES)]
    Report(ReportArgs),
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

const DIFF: &str = "\
Examples:
  heaplens diff before.json.gz after.json.gz -o growth.svg
  heaplens diff 'monday/*.json.gz' 'tuesday/*.json.gz'
  heaplens diff before.json.gz after.json.gz --format json | jq '.owners[:3]'";

const SUSPECTS: &str = "\
Examples:
  heaplens suspects heaplens/
  heaplens suspects 'heaplens/heaplens.shop.*.interval.json.gz' --limit 512MiB
  heaplens suspects heaplens/ --format json | jq '.findings[] | select(.class == \"leak\")'

A leak does not change the exit code.";

const SYMBOLIZE: &str = "\
Examples:
  heaplens symbolize snapshot.json.gz
  heaplens symbolize snapshot.json.gz --debug-dir target/release -o named.json.gz";

const INSPECT: &str = "\
Example:
  heaplens inspect snapshot.json.gz";

/// Where names come from, whose code is whose, and what to look at.
#[derive(Debug, Clone, Default, Args)]
pub struct ProfileArgs {
    /// Look for unstripped programs and debug files here too; may be given several times
    #[arg(long = "debug-dir", value_name = "DIR")]
    pub debug_dirs: Vec<PathBuf>,
    /// Count these crates as your own code, beside the program's main crate [default: those of the
    /// workspace around the current folder, if it builds the program]
    #[arg(long, value_name = "CRATE,…", value_delimiter = ',')]
    pub owner_crates: Vec<String>,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub filter: Filter,
}

impl ProfileArgs {
    pub(crate) fn options(&self) -> input::Options {
        input::Options {
            debug_dirs: self.debug_dirs.clone(),
            own_crates: self.own_crates(),
            filter: self.filter.clone(),
            ..input::Options::default()
        }
    }

    /// Whoever names crates need not be told of others.
    fn own_crates(&self) -> OwnCrates {
        let workspace = match self.owner_crates.is_empty() {
            true => input::workspace::current(),
            false => Workspace::default(),
        };
        OwnCrates {
            named: self.owner_crates.clone(),
            workspace,
        }
    }
}

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
    /// Snapshots, or quoted globs; several are added up, as the pods of a fleet
    #[arg(required = true, value_name = "SNAP")]
    pub snapshots: Vec<PathBuf>,
    /// What to rank by; growth needs --base
    #[arg(long, value_enum, default_value_t)]
    pub sort: Sort,
    /// Snapshot, or quoted glob, that growth counts from
    #[arg(long, value_name = "SNAP")]
    pub base: Option<PathBuf>,
    /// What makes a row: the function that allocates, its owner, or the owner's crate
    #[arg(long, value_enum, default_value_t)]
    pub by: By,
    /// Rows to show, 0 for all [default: 20 as text, all as JSON]
    #[arg(short = 'n', value_name = "N")]
    pub rows: Option<usize>,
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
    pub profile: ProfileArgs,
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
    /// Snapshots, or quoted globs; several are added up, as the pods of a fleet
    #[arg(required = true, value_name = "SNAP")]
    pub snapshots: Vec<PathBuf>,
    /// Form of the output [default: by the ending of FILE, else svg]
    #[arg(long, value_enum)]
    pub format: Option<FlamegraphFormat>,
    /// Turn the stacks over: what allocates at the bottom, its callers above it
    #[arg(long)]
    pub inverted: bool,
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
pub struct DiffArgs {
    /// The earlier snapshot, or a quoted glob whose files are added up
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The later snapshot, or a quoted glob
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
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

/// Arguments of `heaplens suspects`.
#[derive(Debug, Args)]
pub struct SuspectsArgs {
    /// Snapshots, quoted globs, or a folder of snapshots
    #[arg(required = true, value_name = "SNAP|DIR")]
    pub snapshots: Vec<PathBuf>,
    /// Memory limit to reckon with, as 512MiB [default: that of the control group]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub limit: Option<u64>,
    /// Owners to show, 0 for all [default: 10 as text, all as JSON]
    #[arg(short = 'n', value_name = "N")]
    pub rows: Option<usize>,
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
    pub profile: ProfileArgs,
}

fn size(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| "not a size such as 512MiB or 2GiB".to_owned())
}

/// Arguments of `heaplens symbolize`.
#[derive(Debug, Args)]
pub struct SymbolizeArgs {
    /// Snapshots, or quoted globs
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
}

/// Arguments of `heaplens inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Snapshots, or quoted globs
    #[arg(required = true, value_name = "SNAP")]
    pub snapshots: Vec<PathBuf>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Write to this file instead of the standard output
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
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
