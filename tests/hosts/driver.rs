//! Runs the scenarios in processes of their own, and judges how those ended.

use crate::inner::{BASE, BASES, LAYER};
use crate::scenarios::{ALL, Over, Scenario};
use crate::watchdog;
use heaplens::snapshot::graph::Graph;
use heaplens::snapshot::{Limits, Snapshot, read};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Names the scenario that a process is for.
pub(crate) const SCENARIO: &str = "HOSTS_SCENARIO";
/// Set in the hosts of whole storms.
pub(crate) const FULL: &str = "HOSTS_FULL";
/// Set in hosts whose heap is scanned all the while.
pub(crate) const SCANNED: &str = "HOSTS_SCANNED";

/// Exit code of a host that cannot do its scenario here, and says why on stdout.
pub(crate) const SKIPPED: i32 = 77;

/// So long threads stand still for a copy only if somebody waits in vain, and gives up then: for a lock, say,
/// that one of them holds.
const IN_VAIN_US: u64 = 2_000_000;

/// How the recorder is set in a host.
const MODES: [(&str, &str); 2] = [("exact", "512KiB"), ("sampled", "512")];

/// One process.
struct Run {
    scenario: &'static Scenario,
    base: &'static str,
    mode: (&'static str, &'static str),
    is_scanned: bool,
}

/// What a host left behind.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// In the order of their names, without those of scans.
    pub(crate) snapshots: Vec<Snapshot>,
    /// What scans have found.
    graphs: Vec<Graph>,
}

enum Verdict {
    Passed,
    Skipped(String),
    Failed(String),
}

pub(crate) fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_asked = |scenario: &&Scenario| {
        asked.is_empty()
            || asked
                .iter()
                .any(|part| scenario.name.contains(part.as_str()))
    };
    let runs: Vec<Run> = ALL.iter().filter(is_asked).flat_map(runs_of).collect();
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let (next, counts) = (AtomicUsize::new(0), Mutex::new([0usize; 3]));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let verdict = run.judge();
                    // Locked while the line is printed, so that lines stay whole.
                    let mut counts = counts.lock().unwrap();
                    counts[run.print(verdict)] += 1;
                }
            });
        }
    });
    let [passed, skipped, failed] = counts.into_inner().unwrap();
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {passed} passed; {failed} failed; {skipped} ignored");
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn runs_of(scenario: &'static Scenario) -> Vec<Run> {
    let (bases, modes) = match scenario.over {
        Over::All => (&BASES[..], &MODES[..]),
        Over::Modes => (&BASES[..1], &MODES[..]),
        Over::Scans | Over::Others => (&[][..], &[][..]),
    };
    let run = |base, mode| Run {
        scenario,
        base,
        mode,
        is_scanned: false,
    };
    let scanned = scenario.scanned.then_some(Run {
        is_scanned: true,
        ..run(BASES[0], MODES[0])
    });
    bases
        .iter()
        .flat_map(|&base| modes.iter().map(move |&mode| run(base, mode)))
        .chain(scanned)
        .collect()
}

impl Run {
    /// Returns which count it goes to.
    fn print(&self, verdict: Verdict) -> usize {
        let Self {
            scenario,
            base,
            mode: (mode, _),
            is_scanned,
        } = self;
        let name = scenario.name;
        let scanned = if *is_scanned { ", scanned" } else { "" };
        let (number, word) = match verdict {
            Verdict::Passed => (0, "ok".to_owned()),
            Verdict::Skipped(why) => (1, format!("ignored: {why}")),
            Verdict::Failed(why) => (2, format!("FAILED\n{why}")),
        };
        println!("test {name} ({base}, {mode}{scanned}) ... {word}");
        number
    }

    fn judge(&self) -> Verdict {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ended = match self.run(dir.path()) {
            Ok(ended) => ended,
            Err(why) => return Verdict::Failed(why),
        };
        if ended.status.code() == Some(SKIPPED) {
            let why = ended.stdout.trim().to_owned();
            return match std::env::var("HEAPLENS_TEST_TOOLS").as_deref() {
                Ok("require") => Verdict::Failed(why),
                _ => Verdict::Skipped(why),
            };
        }
        match (self.scenario.expect)(&ended).and_then(|()| self.judge_scans(&ended.graphs)) {
            Ok(()) => Verdict::Passed,
            Err(why) => Verdict::Failed(format!(
                "{why}\n{}\n{}{}",
                ended.status, ended.stdout, ended.stderr
            )),
        }
    }

    /// Scans were made where they should be, no block was told as unreached, and nobody waited in vain.
    fn judge_scans(&self, graphs: &[Graph]) -> Result<(), String> {
        if self.is_scanned && graphs.is_empty() {
            return Err("the heap was not scanned".to_owned());
        }
        let counts = graphs.iter().flat_map(|graph| &graph.sites.unreached_count);
        let unreached: u64 = counts.sum();
        if unreached > 0 {
            return Err(format!(
                "{unreached} blocks that are held told as unreached"
            ));
        }
        match graphs.iter().map(|graph| graph.scan.pause_us).max() {
            Some(most) if most >= IN_VAIN_US => Err(format!("stood still for {most} µs")),
            _ => Ok(()),
        }
    }

    fn run(&self, dir: &Path) -> Result<Ended, String> {
        let (stdout, stderr) = (dir.join("stdout"), dir.join("stderr"));
        let create = |path: &Path| File::create(path).expect("a file");
        let is_full = std::env::var("HEAPLENS_STORMS").is_ok_and(|storms| storms == "full");
        let (mode, mean) = self.mode;
        let snapshots = dir.join("snapshots");
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .env(SCENARIO, self.scenario.name)
            .env(BASE.to_str().expect("text"), self.base)
            .env(LAYER.to_str().expect("text"), self.scenario.layer)
            .env("HEAPLENS_MODE", mode)
            .env("HEAPLENS_SAMPLE_BYTES", mean)
            .env("HEAPLENS_DIR", &snapshots)
            .env("HEAPLENS_INTERVAL", self.scenario.interval)
            .env_remove("HEAPLENS_STORMS")
            .stdout(create(&stdout))
            .stderr(create(&stderr))
            // A group of its own, which ends as a whole.
            .process_group(0);
        if is_full {
            command.env(FULL, "1");
        }
        if self.is_scanned {
            // None goes to make room, least of all those that the scenario has asked for.
            command.env(SCANNED, "1").env("HEAPLENS_KEEP", "100000");
        }
        let child = command.spawn().expect("this program starts");
        let status = watchdog::wait(child, is_full);
        let text =
            |path: &Path| String::from_utf8_lossy(&fs::read(path).expect("the file")).into_owned();
        let (stdout, stderr) = (text(&stdout), text(&stderr));
        let status = status.map_err(|stacks| format!("{stacks}\n{stdout}{stderr}"))?;
        let (scans, snapshots): (Vec<_>, Vec<_>) = sound_snapshots(&snapshots)?
            .into_iter()
            .partition(|snapshot| snapshot.graph.is_some());
        let graphs = scans.into_iter().filter_map(|scan| scan.graph).collect();
        Ok(Ended {
            status,
            stdout,
            stderr,
            snapshots,
            graphs,
        })
    }
}

/// All files of a folder, none of which is torn.
fn sound_snapshots(folder: &Path) -> Result<Vec<Snapshot>, String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let sound = |path: &std::path::PathBuf| {
        read(path, &Limits::default()).map_err(|error| error.to_string())
    };
    paths.iter().map(sound).collect()
}
