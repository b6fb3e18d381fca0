//! Arguments of `heaplens check` and `heaplens run`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::ProfileArgs;
use super::time::time_or_zero;

pub(super) const CHECK: &str = "\
Examples:
  heaplens check heaplens/
  heaplens check before.json.gz after.json.gz --budget heaplens.toml
  heaplens check heaplens/ --save-baseline memory/ && heaplens check heaplens/ --baseline memory/
  heaplens check http://shop:6060 @pods.txt
  heaplens check heaplens/ --github --report memory.xml --report memory.json

Exit codes: 0 passed, 1 a leak or a broken limit, 2 it cannot be told: too little data, nothing recorded,
something lost, an input that cannot be read. docs/ci.md has more.";

pub(super) const RUN: &str = "\
Examples:
  heaplens run --iterations 2000 -- target/release/examples/requests
  heaplens run --interval 100ms -- cargo test --release
  heaplens run --ready 8080 --load 'oha -n 1000 http://127.0.0.1:8080/' -- target/release/shop

Exit codes: those of check, and 2 where CMD or the load fails.";

/// Forms of a check.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// For people.
    #[default]
    Text,
    /// For programs; docs/json-output.md describes it.
    Json,
    /// For the summary of a job, or a comment on a pull request.
    Markdown,
    /// For whatever shows results of tests.
    Junit,
}

/// What runs are held to, and where the outcome goes.
#[derive(Debug, Args)]
pub struct GateArgs {
    /// Budget file [default: the next heaplens.toml upwards in the repository, if there is one]
    #[arg(long, value_name = "FILE", help_heading = "What to hold it to")]
    pub budget: Option<PathBuf>,
    /// Hold it to this baseline; of a folder, to the file of the package
    #[arg(long, value_name = "FILE|DIR/", help_heading = "What to hold it to")]
    pub baseline: Option<PathBuf>,
    /// Write the baseline; what is there only goes down
    #[arg(long, value_name = "FILE|DIR/", help_heading = "What to hold it to")]
    pub save_baseline: Option<PathBuf>,
    /// Let the baseline go up
    #[arg(long, requires = "save_baseline", help_heading = "What to hold it to")]
    pub raise: bool,
    /// File of leaks that are known, with lines leak:PATTERN; may be given several times
    #[arg(long, value_name = "FILE", help_heading = "What to hold it to")]
    pub suppressions: Vec<PathBuf>,
    /// Package of the program [default: as cargo says, else the program's name]
    #[arg(long, value_name = "NAME", help_heading = "What to hold it to")]
    pub package: Option<String>,
    /// Form of the output
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
    /// Write to this file instead of the standard output
    #[arg(short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write this file too, in the form that its ending names: .txt, .json, .md or .xml (JUnit); may be
    /// given several times
    #[arg(long = "report", value_name = "FILE")]
    pub reports: Vec<PathBuf>,
    /// Annotate lines of source on GitHub, and write the summary of the job
    #[arg(long)]
    pub github: bool,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub profile: ProfileArgs,
}

/// Arguments of `heaplens check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Snapshots, quoted globs, @LISTs, folders of snapshots, or endpoints, which stand for their folders
    #[arg(required = true, value_name = "SNAP|DIR|URL")]
    pub snapshots: Vec<PathBuf>,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub gate: GateArgs,
}

/// Arguments of `heaplens run`.
#[derive(Debug, Args)]
pub struct ExecuteArgs {
    /// Program with heaplens built in, and its arguments
    #[arg(required = true, last = true, value_name = "CMD")]
    pub command: Vec<std::ffi::OsString>,
    /// Times that `heaplens::iterate` in CMD runs its body; with --load, times that the load runs
    /// [default: 10 with --load]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub iterations: Option<u32>,
    /// Time between snapshots, or 0 for those that CMD takes itself [default: 1s; with --iterations
    /// or --load 0]
    #[arg(long, value_name = "TIME", value_parser = time_or_zero)]
    pub interval: Option<Duration>,
    /// Command that works a server CMD; a snapshot is taken before it, after each time, and then CMD
    /// is stopped. A shell runs it; HEAPLENS_ROUND is 1, 2, …
    #[arg(long, value_name = "CMD")]
    pub load: Option<String>,
    /// CMD is ready when this port accepts a connection, or this http:// address answers
    #[arg(long, value_name = "URL|PORT", requires = "load")]
    pub ready: Option<String>,
    /// Longest time until CMD is ready
    #[arg(long, value_name = "TIME", value_parser = time_or_zero, default_value = "60s", requires = "load")]
    pub ready_timeout: Duration,
    /// Make the folder of this run's snapshots in DIR
    #[arg(long, value_name = "DIR", default_value = "heaplens-run")]
    pub dir: PathBuf,
    #[command(flatten)]
    #[allow(
        missing_docs,
        reason = "its type says it, and text here would become help"
    )]
    pub gate: GateArgs,
}
