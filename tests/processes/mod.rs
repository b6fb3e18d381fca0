//! Runs a test program again, as a host of heaplens in a process of its own, and looks at what that
//! process leaves behind.
//!
//! A host is one of the program's `roles`, named in the environment. A process that hangs is killed
//! after [`LONG`], with what its threads were at.

#![allow(dead_code, reason = "not every test program needs all of it")]

pub(crate) mod children;

use heaplens::snapshot::{self, FileName, Snapshot};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const MS: Duration = Duration::from_millis(1);
/// Far longer than anything here takes on a slow machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

const ROLE: &str = "HOST_ROLE";
const PATIENT: &str = "HOST_PATIENCE";

/// What a process left behind.
pub(crate) struct Left {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    /// Its lines about heaplens.
    pub(crate) lines: Vec<String>,
    /// All else that it said on stderr.
    pub(crate) own_lines: Vec<String>,
    pub(crate) files: BTreeMap<FileName, Snapshot>,
}

impl Left {
    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.files.keys().map(|name| name.reason.as_str()).collect()
    }
}

/// How many times [`LONG`] a process may take.
static PATIENCE: AtomicU32 = AtomicU32::new(1);

/// Processes that are started from here on may take so many times longer.
pub(crate) fn be_patient(times: u32) {
    PATIENCE.store(times, Relaxed);
}

/// Runs the role that this process was started for, if it was.
pub(crate) fn play(roles: &[(&str, fn())]) -> bool {
    let Ok(asked) = std::env::var(ROLE) else {
        return false;
    };
    let known = roles.iter().find(|(name, _)| *name == asked);
    let (_, role) = known.unwrap_or_else(|| panic!("no role {asked}"));
    let patience =
        std::env::var(PATIENT).map_or(1, |times| times.parse().expect("a number")) * LONG;
    // For one that hangs before anybody waits for its end.
    // SAFETY: nothing here handles the signal, which ends the process.
    unsafe { libc::alarm(2 * patience.as_secs() as u32) };
    role();
    true
}

/// This program in a role, with no regular snapshots.
pub(crate) fn command(role: &str, dir: &Path, settings: &[(&str, &str)]) -> Command {
    wrapped(&[] as &[&str], role, dir, settings)
}

/// The same, started by another program that comes before it on the command line.
pub(crate) fn wrapped(
    wrapper: &[impl AsRef<OsStr>],
    role: &str,
    dir: &Path,
    settings: &[(&str, &str)],
) -> Command {
    let program = std::env::current_exe().expect("this program");
    let mut command = match wrapper {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    // For programs with a test harness; the others know by the variable.
    command
        .args(["--exact", "role", "--ignored", "--nocapture"])
        .env(ROLE, role)
        .env(PATIENT, PATIENCE.load(Relaxed).to_string())
        .env("HEAPLENS_DIR", dir)
        .env("HEAPLENS_INTERVAL", "0")
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

pub(crate) fn run(role: &str, settings: &[(&str, &str)]) -> Left {
    let dir = tempfile::tempdir().expect("a temporary folder");
    run_in(&dir.path().join("snapshots"), role, settings)
}

pub(crate) fn run_in(dir: &Path, role: &str, settings: &[(&str, &str)]) -> Left {
    let child = command(role, dir, settings).spawn();
    left(child.expect("this program starts"), dir)
}

/// Waits for the end of a process whose snapshots go to `dir`.
pub(crate) fn left(mut child: Child, dir: &Path) -> Left {
    let stdout = read_all(child.stdout.take());
    let stderr = read_all(child.stderr.take());
    let status = wait(&mut child);
    let stderr = stderr.join().expect("no panic");
    let (lines, own_lines) = stderr
        .lines()
        .map(str::to_owned)
        .partition(|line| line.starts_with("heaplens: "));
    Left {
        status,
        stdout: stdout.join().expect("no panic"),
        lines,
        own_lines,
        files: files(dir),
    }
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).expect("a pipe");
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for the end of a process, and kills one that hangs.
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status;
        }
        if start.elapsed() > LONG * PATIENCE.load(Relaxed) {
            let threads = threads_of(child.id());
            child.kill().expect("it runs");
            panic!("process {} hangs:\n{threads}", child.id());
        }
        thread::sleep(5 * MS);
    }
}

/// Name and system call of each thread of a process.
fn threads_of(pid: u32) -> String {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    let told = tasks.flatten().map(|task| {
        let read = |file| fs::read_to_string(task.path().join(file)).unwrap_or_default();
        format!(
            "{} {} {}",
            read("comm").trim(),
            read("wchan"),
            read("syscall")
        )
    });
    told.collect()
}

/// Everything in a folder: sound snapshots of this program, and nothing else.
pub(crate) fn files(dir: &Path) -> BTreeMap<FileName, Snapshot> {
    let Ok(entries) = fs::read_dir(dir) else {
        return BTreeMap::new();
    };
    let read = |path: &Path| {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("text");
        let name = FileName::parse(name).unwrap_or_else(|| panic!("{name} is no snapshot's name"));
        let snapshot = snapshot::read(path, &snapshot::Limits::default());
        let snapshot = snapshot.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(snapshot.header.sequence, name.sequence);
        assert_eq!(snapshot.header.program.pid, name.run.pid);
        (name, snapshot)
    };
    entries
        .map(|entry| read(&entry.expect("an entry").path()))
        .collect()
}

pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "waited in vain for {what}");
        thread::sleep(10 * MS);
    }
}

/// Says what a test lacks; fails where skipping is not allowed.
pub(crate) fn skip(needs: &str) {
    let required = std::env::var_os("HEAPLENS_TEST_TOOLS").is_some_and(|set| set == "require");
    assert!(!required, "needs {needs}");
    println!("SKIPPED: needs {needs}");
}
