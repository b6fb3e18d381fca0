//! Runs the command, works it if it is a server, and hands its snapshots to the check.
//!
//! Whatever goes wrong on the way, the report is made of the snapshots that are there.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use heaplens::snapshot::FileName;
use rustix::process::Signal;

use super::super::gate::{Gate, Which};
use crate::args::ExecuteArgs;
use crate::error::Error;
use crate::execute::group::Group;
use crate::execute::ready::Ready;
use crate::execute::snapshots::{self, SIGNAL_NAME};
use crate::execute::watch::{STOP_LIMIT, Watch};
use crate::render::check::report::{ProgramReport, Report};
use crate::render::escape::printable;

/// Times that the load runs.
const ROUNDS: u32 = 10;
/// Time between snapshots of a program that takes none itself.
const INTERVAL: Duration = Duration::from_secs(1);
/// Longest time for a snapshot.
const SNAPSHOT_LIMIT: Duration = Duration::from_secs(30);
/// Snapshots that the program keeps, beside one for each round.
const KEEP: u32 = 200;

const STOPPED: &str = "stopped by a signal";

/// Why the work could not be done, in a line.
type Wrong = String;

pub(super) fn run(args: &ExecuteArgs, gate: &Gate<'_>) -> Result<Report, Error> {
    let ready = args
        .ready
        .as_deref()
        .map(Ready::parse)
        .transpose()
        .map_err(Error::Usage)?;
    let folder = fresh_folder(&args.dir)?;
    let system = |error: io::Error| Error::Usage(format!("cannot watch over a command: {error}"));
    let mut watch = Watch::new().map_err(system)?;
    let name = args.command[0].to_string_lossy().into_owned();
    let mut program = Program {
        args,
        folder: &folder,
        group: Group::start(&mut command(args, &folder))
            .map_err(|error| Error::Usage(format!("cannot start {name}: {error}")))?,
        name,
        watch: &mut watch,
    };
    let wrong = match &args.load {
        None => program.run_to_end(),
        Some(load) => program.work(load, ready.as_ref()),
    };
    drop(program);
    let mut errors: Vec<Wrong> = wrong.err().into_iter().collect();
    let checked = match snapshots::in_folder(&folder).is_empty() {
        true => {
            // It may not be empty.
            let _ = fs::remove_dir(&folder);
            Err(Error::Usage(
                "the command left no snapshots: make `heaplens::profile!()` the first line of its `main`"
                    .to_owned(),
            ))
        }
        false => gate.check(std::slice::from_ref(&folder), Which::All),
    };
    let mut report = match checked {
        Ok(report) => report,
        Err(error) if errors.is_empty() => return Err(error),
        Err(error) => {
            errors.push(error.to_string());
            Report::default()
        }
    };
    report.errors = errors;
    if report.programs.is_empty() {
        return Ok(report);
    }
    let too_few = |program: &ProgramReport| program.snapshots_needed.is_some();
    if report.programs.iter().any(too_few) {
        eprintln!("heaplens: {}", how_to_get_more(args));
    }
    eprintln!(
        "heaplens: snapshots are in {0}; `heaplens report {0} -o report.html` draws them",
        printable(&folder.to_string_lossy())
    );
    Ok(report)
}

/// What gives a verdict more snapshots.
fn how_to_get_more(args: &ExecuteArgs) -> &'static str {
    match (&args.load, args.iterations) {
        (Some(_), _) => "a snapshot is taken after each time that the load runs: see --iterations",
        (None, Some(_)) => {
            "with --iterations the command takes its snapshots itself, by `heaplens::iterate` or \
             `heaplens::mark`; --interval 100ms takes them by time"
        }
        (None, None) => "--interval 100ms takes more snapshots",
    }
}

/// The command with the settings that a check needs. What else the environment sets stays.
fn command(args: &ExecuteArgs, folder: &Path) -> Command {
    let (program, arguments) = args.command.split_first().expect("clap requires one");
    let rounds = args.iterations.unwrap_or(ROUNDS);
    let takes_its_own = args.iterations.is_some() || args.load.is_some();
    let usual = if takes_its_own {
        Duration::ZERO
    } else {
        INTERVAL
    };
    let interval = args.interval.unwrap_or(usual);
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("HEAPLENS_MODE", "exact")
        .env("HEAPLENS_DIR", folder)
        .env("HEAPLENS_INTERVAL", format!("{}ms", interval.as_millis()))
        .env("HEAPLENS_SIGNAL", SIGNAL_NAME)
        .env("HEAPLENS_TRIGGERS", "none")
        .env("HEAPLENS_KEEP", rounds.saturating_add(KEEP).to_string())
        .env("HEAPLENS_MAX_DISK", "8GiB");
    if let (Some(iterations), None) = (args.iterations, &args.load) {
        command.env("HEAPLENS_ITERATIONS", iterations.to_string());
    }
    command
}

/// A new folder, by an absolute path: the command may change its own.
fn fresh_folder(parent: &Path) -> Result<PathBuf, Error> {
    let make = || {
        fs::create_dir_all(parent)?;
        let parent = parent.canonicalize()?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let folder = parent.join(format!("{}-{}", now.as_millis(), std::process::id()));
        fs::create_dir(&folder)?;
        Ok(folder)
    };
    make().map_err(|error: io::Error| Error::output(parent, error))
}

/// The command while it runs.
struct Program<'a> {
    args: &'a ExecuteArgs,
    folder: &'a Path,
    name: String,
    group: Group,
    watch: &'a mut Watch,
}

impl Program<'_> {
    fn run_to_end(&mut self) -> Result<(), Wrong> {
        let status = self
            .watch
            .wait(&mut self.group)
            .map_err(|error| self.lost(error))?;
        match status.success() {
            true if self.watch.is_stopped() => Err(STOPPED.to_owned()),
            true => Ok(()),
            false => Err(ended(&self.name, status)),
        }
    }

    /// Works a server, with snapshots before, between and after, and stops it.
    fn work(&mut self, load: &str, ready: Option<&Ready>) -> Result<(), Wrong> {
        let worked = self.rounds(load, ready);
        let stopped = self.stop();
        worked.and(stopped)
    }

    fn rounds(&mut self, load: &str, ready: Option<&Ready>) -> Result<(), Wrong> {
        self.until_ready(ready)?;
        self.snapshot()?;
        for round in 1..=self.args.iterations.unwrap_or(ROUNDS) {
            let mut command = Command::new("sh");
            command
                .args(["-c", load])
                .env("HEAPLENS_ROUND", round.to_string());
            let mut group = Group::start(&mut command)
                .map_err(|error| format!("cannot start a shell for the load: {error}"))?;
            let status = loop {
                if let Some(status) = group.ended().map_err(|error| self.lost(error))? {
                    break status;
                }
                self.must_run()?;
                self.watch.pause(&[&self.group, &group]);
            };
            if !status.success() {
                return Err(ended(&format!("round {round} of the load"), status));
            }
            self.snapshot()?;
        }
        Ok(())
    }

    fn until_ready(&mut self, ready: Option<&Ready>) -> Result<(), Wrong> {
        let longest = self.args.ready_timeout;
        let deadline = Instant::now() + longest;
        loop {
            self.must_run()?;
            let takes_snapshots = !snapshots::prepared(&self.group).is_empty();
            let answers = ready.is_none_or(Ready::is_so);
            if takes_snapshots && answers {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let seconds = longest.as_secs();
                let why = match answers {
                    false => "does not answer at the address of --ready",
                    true => {
                        "handles no signal for snapshots: make `heaplens::profile!()` the first line \
                         of its `main`"
                    }
                };
                return Err(format!("after {seconds} s {} {why}", self.name));
            }
            self.watch.pause(&[&self.group]);
        }
    }

    /// Takes a snapshot of each process, and waits for the files.
    fn snapshot(&mut self) -> Result<(), Wrong> {
        let before = snapshots::in_folder(self.folder);
        let asked = snapshots::ask(&self.group);
        let deadline = Instant::now() + SNAPSHOT_LIMIT;
        let new = |before: &BTreeSet<FileName>| {
            snapshots::in_folder(self.folder).difference(before).count()
        };
        while asked == 0 || new(&before) < asked {
            self.must_run()?;
            if asked == 0 || Instant::now() >= deadline {
                return Err(format!(
                    "{} took no snapshot at the signal {SIGNAL_NAME} within {} s: does it handle the \
                     signal itself?",
                    self.name,
                    SNAPSHOT_LIMIT.as_secs()
                ));
            }
            self.watch.pause(&[&self.group]);
        }
        Ok(())
    }

    /// The server has not ended, and nobody wants it to.
    fn must_run(&mut self) -> Result<(), Wrong> {
        if let Some(status) = self.group.ended().map_err(|error| self.lost(error))? {
            return Err(format!(
                "{} while it was to serve",
                ended(&self.name, status)
            ));
        }
        match self.watch.is_stopped() {
            true => Err(STOPPED.to_owned()),
            false => Ok(()),
        }
    }

    fn stop(&mut self) -> Result<(), Wrong> {
        self.group.signal(Signal::TERM);
        let status = self.watch.wait_for(&mut self.group, STOP_LIMIT);
        let Some(status) = status.map_err(|error| self.lost(error))? else {
            eprintln!(
                "heaplens: {} runs on {} s after SIGTERM, and is killed",
                printable(&self.name),
                STOP_LIMIT.as_secs()
            );
            return Ok(());
        };
        // Servers end with many a code when they are told to.
        match std::os::unix::process::ExitStatusExt::signal(&status) {
            None => Ok(()),
            Some(signal) if signal == Signal::TERM.as_raw() => Ok(()),
            Some(_) => Err(ended(&self.name, status)),
        }
    }

    fn lost(&self, error: io::Error) -> Wrong {
        format!("cannot wait for {}: {error}", self.name)
    }
}

fn ended(what: &str, status: ExitStatus) -> Wrong {
    format!("{what} ended with {status}")
}
