//! Starts the process of a run, and asks the command line's library what it says of its snapshots.

use crate::scenario::{Run, SAMPLE_BYTES};
use heaplens::snapshot::{self, Limits, Snapshot, SymbolSource, Symbols};
use heaplens_cli::analysis::suspects::{Class, suspects};
use heaplens_cli::input;
use heaplens_cli::input::history::RunReader;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// What is said of a run.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Owners that are said to leak, the first suspect first, with the reasons' numbers.
    pub(crate) leaks: Vec<String>,
    /// Every owner and its class.
    pub(crate) all: Vec<String>,
}

/// Judges runs, from any thread.
#[derive(Debug)]
pub(crate) struct Judge {
    names: Mutex<Names>,
    folder: tempfile::TempDir,
}

impl Judge {
    pub(crate) fn new() -> Self {
        // In memory where there is such a place: thousands of files that nobody keeps.
        let memory = Path::new("/dev/shm");
        let folder = tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir());
        Self {
            names: Mutex::new(Names::default()),
            folder: folder.expect("a temporary folder"),
        }
    }

    pub(crate) fn judge(&self, run: &Run) -> Verdict {
        let folder = tempfile::tempdir_in(self.folder.path()).expect("a temporary folder");
        let (name, value) = run.environment();
        let status = Command::new(std::env::current_exe().expect("this program"))
            .env(name, value)
            .env("HEAPLENS_DIR", folder.path())
            .env("HEAPLENS_INTERVAL", "0")
            .env("HEAPLENS_SIGNAL", "none")
            .env(
                "HEAPLENS_MODE",
                if run.scenario.exact {
                    "exact"
                } else {
                    "sampled"
                },
            )
            .env("HEAPLENS_SAMPLE_BYTES", SAMPLE_BYTES.to_string())
            .status()
            .expect("this program starts");
        assert!(status.success(), "{run:?}: {status}");
        self.read(run, folder.path())
    }

    fn read(&self, run: &Run, folder: &Path) -> Verdict {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        // One more at the end of the program.
        assert_eq!(files.len() as u32, run.scenario.snapshots + 1, "{run:?}");
        let mut reader: Option<RunReader> = None;
        for file in files.iter().rev() {
            let snapshot = snapshot::read(file, &Limits::default()).expect("a whole snapshot");
            let name = file.to_string_lossy();
            reader
                .get_or_insert_with(|| {
                    let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
                    let symbols = names.of(&snapshot);
                    RunReader::new(&name, &snapshot, Some(&symbols), &input::Options::default())
                })
                .add(&name, &snapshot);
        }
        let history = reader.expect("snapshots").finish();
        let suspects = suspects(&history);
        let name = |node| short(history.profile.name(node)).to_owned();
        Verdict {
            leaks: suspects
                .of(Class::Leak)
                .map(|finding| name(finding.node))
                .collect(),
            all: suspects
                .findings
                .iter()
                .map(|finding| {
                    format!(
                        "{} {:?} {:?} {:?} p {:.1e} freed {:.2} {:?} live {:?}",
                        name(finding.node),
                        finding.class,
                        finding.measure,
                        finding.course,
                        finding.p,
                        finding.turnover.freed_share(),
                        finding.survival,
                        finding.live,
                    )
                })
                .collect(),
        }
    }
}

fn short(name: &str) -> &str {
    name.rsplit("::").next().unwrap_or(name)
}

/// Names of addresses. Every process of a run is this program, so what one has needed the others
/// need not look up again.
#[derive(Debug, Default)]
struct Names {
    symbols: Symbols,
    /// Distinct frames by module and address.
    known: HashMap<(String, u64), Vec<u32>>,
}

impl Names {
    /// The names of a snapshot's rows.
    fn of(&mut self, snapshot: &Snapshot) -> Symbols {
        let stacks = &snapshot.stacks;
        let key = |row: usize| {
            let module = &snapshot.modules[stacks.module[row] as usize];
            (module.path.clone(), stacks.address[row])
        };
        let rows = 0..stacks.parent.len();
        if rows.clone().any(|row| !self.known.contains_key(&key(row))) {
            let options = input::Options::default();
            let found = input::name(snapshot, &options, &mut input::quiet).symbols;
            let offset = self.symbols.function.len() as u32;
            let text = self.symbols.strings.len() as u32;
            let all = &mut self.symbols;
            all.strings.extend(found.strings.iter().cloned());
            all.function
                .extend(found.function.iter().map(|at| at + text));
            all.file.extend(found.file.iter().map(
                |&at| {
                    if at < 0 { at } else { at + i64::from(text) }
                },
            ));
            all.line.extend(&found.line);
            all.inlined.extend(&found.inlined);
            for row in rows.clone() {
                let range = found.first_frame[row] as usize..found.first_frame[row + 1] as usize;
                let frames = found.frame[range].iter().map(|at| at + offset).collect();
                self.known.insert(key(row), frames);
            }
        }
        let mut symbols = self.symbols.clone();
        symbols.sources = vec![SymbolSource::DebugInfo; snapshot.modules.len()];
        symbols.first_frame = vec![0];
        symbols.frame.clear();
        for row in rows {
            symbols.frame.extend(&self.known[&key(row)]);
            symbols.first_frame.push(symbols.frame.len() as u32);
        }
        symbols
    }
}
