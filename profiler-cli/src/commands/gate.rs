//! What `heaplens check` and `heaplens run` share: reads what runs are held to, checks them, and writes
//! what became of it.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::baselines::Baselines;
use crate::analysis::gate::baseline::Program;
use crate::analysis::gate::budget::Budget;
use crate::analysis::gate::suppressions::Suppressions;
use crate::analysis::gate::text::TextError;
use crate::analysis::gate::{Outcome, Rules, check};
use crate::analysis::suspects::judge::LEAST_SNAPSHOTS;
use crate::analysis::suspects::{History, suspects_at_marks};
use crate::args::{CheckFormat, GateArgs};
use crate::error::Error;
use crate::input::repository::Repository;
use crate::input::text::read_text;
use crate::input::{self, Options, Run};
use crate::output;
use crate::profile::owner::{Workspace, program_name};
use crate::progress::Progress;
use crate::render::check::report::{ProgramReport, Report};
use crate::render::check::wording::Subject;
use crate::render::check::{github, json, junit, markdown, text};
use crate::render::escape::printable;

/// The name of a budget file that is found by itself.
const BUDGET: &str = "heaplens.toml";

/// What runs are held to.
pub(super) struct Gate<'a> {
    args: &'a GateArgs,
    options: Options,
    workspace: Workspace,
    repository: Repository,
    budget: Option<Budget>,
    budget_file: Option<String>,
    suppressions: Suppressions,
}

/// Files to write, and in which form.
type Files<'a> = Vec<(&'a Path, CheckFormat)>;

/// Which runs of each program are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The newest, in snapshots that have gathered.
    Newest,
    /// Each; the worst counts.
    All,
}

impl<'a> Gate<'a> {
    /// Checks by `work`, and writes what became of it.
    pub(super) fn with(
        args: &'a GateArgs,
        work: impl FnOnce(&Self) -> Result<Report, Error>,
    ) -> Result<ExitCode, Error> {
        let done = files(args).and_then(|files| {
            let done = Self::open(args).and_then(|gate| {
                let report = work(&gate)?;
                gate.write(&report, &files)?;
                Ok(report)
            });
            if let Err(error) = &done {
                // What an earlier check left here would be taken for the outcome of this one.
                let failed = Report {
                    errors: vec![error.to_string()],
                    ..Report::default()
                };
                for &(file, format) in &files {
                    let _ = output::write(Some(file), |out| form(&failed, format, out));
                }
            }
            done
        });
        if let (Err(error), true) = (&done, args.github) {
            // The error itself is what matters.
            let line = github::error(&error.to_string());
            let _ = output::write(None, |out| writeln!(out, "{line}"));
        }
        Ok(match done?.outcome() {
            Outcome::Pass => ExitCode::SUCCESS,
            Outcome::Fail => ExitCode::from(1),
            Outcome::Unknown => ExitCode::from(2),
        })
    }

    /// Reads what can be read before anything is checked: mistakes show at once.
    fn open(args: &'a GateArgs) -> Result<Self, Error> {
        let is_text = args.format == CheckFormat::Text;
        if args.github && !is_text && args.output.is_none() {
            return Err(Error::Usage(
                "--github writes to the standard output: name a file for --format with -o"
                    .to_owned(),
            ));
        }
        let folder = env::current_dir().map_err(|error| Error::input(Path::new("."), error))?;
        let options = args.profile.options();
        let mut workspace = options.own_crates.workspace.clone();
        if workspace.programs.is_empty() && !args.profile.owner_crates.is_empty() {
            workspace = input::workspace::current();
        }
        let mut gate = Self {
            args,
            options,
            workspace,
            repository: Repository::around(&folder),
            budget: None,
            budget_file: None,
            suppressions: Suppressions::default(),
        };
        for file in &args.suppressions {
            gate.suppress(file)?;
        }
        let found = || {
            // What lies above the repository is of somebody else.
            let inside = folder
                .ancestors()
                .take_while(|folder| folder.starts_with(gate.repository.root()));
            let mut files = inside.map(|folder| folder.join(BUDGET));
            files.find(|file| file.is_file())
        };
        if let Some(file) = args.budget.clone().or_else(found) {
            gate.read_budget(&file)?;
        }
        Ok(gate)
    }

    fn read_budget(&mut self, file: &Path) -> Result<(), Error> {
        let text = read(file)?;
        let explain = |error: TextError| Error::input(file, error);
        let budget = Budget::parse(&text).map_err(explain)?;
        let mut known: Vec<&str> = self.workspace.packages.iter().map(String::as_str).collect();
        if !known.is_empty() {
            known.extend(self.args.package.as_deref());
            known.sort_unstable();
            known.dedup();
            budget
                .refuse_unknown_packages(&text, &known)
                .map_err(explain)?;
        }
        let folder = file.parent().unwrap_or(Path::new(""));
        for name in &budget.suppressions {
            self.suppress(&folder.join(name))?;
        }
        self.budget = Some(budget);
        self.budget_file = Some(file.display().to_string());
        Ok(())
    }

    fn suppress(&mut self, file: &Path) -> Result<(), Error> {
        let text = read(file)?;
        let added = self.suppressions.add(&text);
        added.map_err(|error| Error::input(file, error))
    }

    /// Checks the runs that left these snapshots.
    pub(super) fn check(&self, patterns: &[PathBuf], which: Which) -> Result<Report, Error> {
        let progress = Progress::new();
        let mut show = |step: input::Step<'_>| progress.show(step);
        let mut notes = Vec::new();
        let mut programs: BTreeMap<String, Vec<Run>> = BTreeMap::new();
        for run in input::runs_in_full(patterns, &self.options, &mut show, &mut notes)? {
            let name = program_name(&run.program.executable).to_owned();
            programs.entry(name).or_default().push(run);
        }
        let mut baselines = Baselines::new(self.args);
        let mut report = Report {
            budget: self.budget_file.clone(),
            ..Report::default()
        };
        for (program, runs) in programs {
            let mut beside = Vec::new();
            let (runs, gap) = match which {
                Which::Newest => {
                    let chosen = input::choose_newest(runs, LEAST_SNAPSHOTS, &mut beside);
                    let Some((run, gap)) = chosen else { continue };
                    (vec![run], gap)
                }
                Which::All => (runs, None),
            };
            if let processes @ 2.. = runs.len() {
                beside.push(format!("{processes} processes ran, and this is the worst"));
            }
            let package = self.package_of(&program);
            let subject = Subject {
                program,
                package,
                locate: &|file| self.repository.locate(file),
            };
            let judged = self.worst(&runs, gap, subject, &mut baselines, &mut show, &mut notes)?;
            report.programs.extend(judged.map(|mut judged| {
                judged.notes.extend(beside);
                judged
            }));
        }
        notes.extend(baselines.save()?);
        drop(progress);
        super::tell(&notes);
        Ok(report)
    }

    /// Judges each of a program's runs, and returns the worst; what they measured goes into the baseline.
    fn worst(
        &self,
        runs: &[Run],
        gap: Option<String>,
        subject: Subject<'_>,
        baselines: &mut Baselines<'_>,
        show: &mut dyn FnMut(input::Step<'_>),
        notes: &mut Vec<String>,
    ) -> Result<Option<ProgramReport>, Error> {
        let (program, package) = (&subject.program, &subject.package);
        let baseline = baselines.of(package, program)?;
        let budget = self.budget.as_ref().map(|budget| budget.of(package));
        let rules = Rules {
            budget: budget.as_ref(),
            baseline: baseline.as_ref(),
            tolerance: self.budget.as_ref().map_or(0.0, Budget::tolerance),
            suppressions: &self.suppressions,
            is_for_baseline: self.args.save_baseline.is_some(),
            gap: gap.as_deref(),
        };
        let mut worst: Option<ProgramReport> = None;
        let mut all_measured: Option<Program> = None;
        let mut is_known = true;
        for run in runs {
            let history = input::history::load(run, &self.options, show, notes)?;
            let (judged, measured) = judge(&history, &rules, subject.clone());
            is_known &= judged.gaps.is_empty();
            all_measured = Some(match all_measured {
                Some(other) => other.of_both(measured),
                None => measured,
            });
            worst = match worst {
                Some(worst) if worst.outcome > judged.outcome => Some(worst),
                _ => Some(judged),
            };
        }
        match all_measured {
            Some(measured) if is_known => baselines.take(package, program, measured)?,
            _ if self.args.save_baseline.is_some() => notes.push(format!(
                "the baseline does not take `{program}`, of whose run not all is known"
            )),
            _ => {}
        }
        Ok(worst)
    }

    fn package_of(&self, program: &str) -> String {
        let named = self.args.package.as_deref();
        let known = named.or_else(|| self.workspace.package_of(program));
        known.unwrap_or(program).to_owned()
    }

    fn write(&self, report: &Report, files: &Files<'_>) -> Result<(), Error> {
        if self.args.output.is_none() {
            let guard = self.args.github.then(stop_token);
            let shown = output::write(None, |out| {
                if let Some(token) = &guard {
                    writeln!(out, "::stop-commands::{token}")?;
                }
                form(report, self.args.format, out)?;
                match &guard {
                    Some(token) => writeln!(out, "::{token}::"),
                    None => Ok(()),
                }
            });
            unless_closed(shown)?;
        }
        for &(file, format) in files {
            unless_closed(output::write(Some(file), |out| form(report, format, out)))?;
        }
        if self.args.github {
            unless_closed(output::write(None, |out| github::write(report, out)))?;
            if let Some(summary) =
                env::var_os("GITHUB_STEP_SUMMARY").filter(|name| !name.is_empty())
            {
                append(Path::new(&summary), report)?;
            }
        }
        for error in &report.errors {
            eprintln!("heaplens: {}", printable(error));
        }
        for program in &report.programs {
            if program.outcome == Outcome::Unknown {
                let why = program.gaps.first().unwrap_or(&program.verdict);
                eprintln!(
                    "heaplens: {}: {}",
                    printable(&program.program),
                    printable(why)
                );
            }
        }
        Ok(())
    }
}

/// The files that the user names, and the form of each.
fn files(args: &GateArgs) -> Result<Files<'_>, Error> {
    let output = args.output.iter().map(|file| Ok((&**file, args.format)));
    let reports = args.reports.iter().map(|file| {
        let endings = [
            (".txt", CheckFormat::Text),
            (".json", CheckFormat::Json),
            (".md", CheckFormat::Markdown),
            (".xml", CheckFormat::Junit),
        ];
        let format = super::format_of(file, "-o with --format", &endings)?;
        Ok((file.as_path(), format))
    });
    output.chain(reports).collect()
}

/// That nobody reads the output is no failure, and no success either: the exit code stays that of the
/// check.
fn unless_closed(written: Result<(), Error>) -> Result<(), Error> {
    match written {
        Err(error) if error.is_closed_pipe() => Ok(()),
        written => written,
    }
}

fn form(report: &Report, format: CheckFormat, out: &mut dyn Write) -> io::Result<()> {
    match format {
        CheckFormat::Text => text::write(report, out),
        CheckFormat::Json => json::write(report, out),
        CheckFormat::Markdown => markdown::write(report, out),
        CheckFormat::Junit => junit::write(report, out),
    }
}

/// Adds the Markdown to a file that other steps of the job write to as well.
fn append(file: &Path, report: &Report) -> Result<(), Error> {
    let mut text = Vec::new();
    let append = |text: &mut Vec<u8>| {
        markdown::write(report, text)?;
        File::options()
            .append(true)
            .create(true)
            .open(file)?
            .write_all(text)
    };
    append(&mut text).map_err(|error: io::Error| Error::output(file, error))
}

/// A word that no name in a snapshot can know: until it comes again, GitHub obeys nothing.
fn stop_token() -> String {
    let number = || RandomState::new().build_hasher().finish();
    format!("heaplens-{:016x}{:016x}", number(), number())
}

/// What is said of a run, and what it measured.
fn judge(history: &History, rules: &Rules<'_>, subject: Subject<'_>) -> (ProgramReport, Program) {
    let suspects = suspects_at_marks(history);
    let checked = check(&suspects, rules);
    let sampled = history.sample_bytes() as u64;
    let measured = Program::new(&history.profile, &checked.measured, sampled);
    (ProgramReport::new(&checked, subject), measured)
}

fn read(file: &Path) -> Result<String, Error> {
    read_text(file).map_err(|error| Error::input(file, error))
}
