//! One run of a workload in a process of its own.

use crate::contenders::{Contender, Launcher};
use measure::{Kind, Measurement, Workload};
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// Longest time from one line of a contender to its next.
const LIMIT: Duration = Duration::from_secs(120);

/// What to run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) contender: &'a Contender,
    pub(crate) program: &'a Path,
    pub(crate) workload: Workload,
    /// CPU time to measure.
    pub(crate) time: Duration,
    /// Keep it on one CPU.
    pub(crate) pin: bool,
    /// Where it may leave files. Emptied after each run.
    pub(crate) folder: &'a Path,
}

impl Run<'_> {
    /// Runs it and returns what it has measured, or in one line why there is nothing.
    pub(crate) fn measure(&self) -> Result<Measurement, String> {
        let milliseconds = self.time.as_millis().to_string();
        let mut arguments = vec!["--milliseconds", &milliseconds];
        if self.contender.idle_thread {
            arguments.push("--idle-thread");
        }
        let mut process = self.start(&arguments, &[])?;
        let line = process.line(|line| line.starts_with('{').then(|| line.to_owned()));
        drop(process);
        empty(self.folder);
        let line = line?;
        serde_json::from_str(&line).map_err(|error| format!("{line:?} is no measurement: {error}"))
    }

    /// Starts the contender in a clean environment, but for its own variables and these, and in a process
    /// group of its own.
    pub(crate) fn start(
        &self,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Process, String> {
        let mut command = match self.contender.launcher {
            Launcher::Direct => Command::new(self.program),
            Launcher::Heaptrack => {
                let mut command = Command::new("heaptrack");
                let output = self.folder.join("recorded");
                command.args(["--raw", "--output"]).arg(output);
                command.arg(self.program);
                command
            }
        };
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let prefixes = [
                "HEAPLENS_",
                "_RJEM_",
                "MALLOC_",
                "MIMALLOC_",
                "GLIBC_",
                "LD_",
            ];
            if prefixes.iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        // glibc gives the top of its heap back to the system when it is free, and fetches it again.
        // How often a workload comes across that border is luck, and costs more than most profilers.
        command
            .env("MALLOC_TRIM_THRESHOLD_", "1073741824")
            .env("MALLOC_TOP_PAD_", "67108864");
        command
            .arg(self.workload.name())
            .args(arguments)
            .envs(self.contender.environment.iter().copied())
            .envs(environment.iter().copied())
            .current_dir(self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if self.pin && self.workload.kind() == Kind::SingleThread {
            // SAFETY: what runs between fork and exec is one system call.
            unsafe { command.pre_exec(pin) };
        }
        let child = command
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", self.contender.name))?;
        Ok(Process::new(child))
    }
}

/// Keeps the calling thread, and what it executes, on the last CPU: the first has more interrupts.
fn pin() -> io::Result<()> {
    let mut allowed = empty_set();
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: the set is as large as it says.
    if unsafe { libc::sched_getaffinity(0, size, &raw mut allowed) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut one = empty_set();
    let cpus = 0..libc::CPU_SETSIZE as usize;
    // SAFETY: the numbers are below the size of the sets.
    let last = cpus
        .rev()
        .find(|cpu| unsafe { libc::CPU_ISSET(*cpu, &allowed) });
    // SAFETY: as above.
    unsafe { libc::CPU_SET(last.unwrap_or_default(), &mut one) };
    // SAFETY: the set is as large as it says.
    match unsafe { libc::sched_setaffinity(0, size, &raw const one) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn empty_set() -> libc::cpu_set_t {
    // SAFETY: a set of bits, for which all zeros is a value.
    unsafe { std::mem::zeroed() }
}

/// A running contender. Its whole process group is killed when this is dropped: by then it has said
/// what there is to say.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Process {
    fn new(mut child: Child) -> Self {
        let stdout = child.stdout.take().expect("it is a pipe");
        Self {
            child,
            lines: lines_of(stdout),
        }
    }

    /// The first line that `find` finds something in; a launcher may print others.
    pub(crate) fn line<T>(&mut self, find: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => {
                    if let Some(found) = find(&line) {
                        return Ok(found);
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(format!("it says nothing for {} s", LIMIT.as_secs()));
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => return Err(self.last_words()),
            }
        }
    }

    /// How it ended, with the first line that it wrote to stderr.
    fn last_words(&mut self) -> String {
        let ended = match self.child.wait() {
            Ok(status) => format!("it ended with {status}"),
            Err(error) => format!("it cannot be waited for: {error}"),
        };
        let mut words = String::new();
        if let Some(stderr) = self.child.stderr.take() {
            // Whatever can be read is more than nothing.
            let _ = stderr.take(4_096).read_to_string(&mut words);
        }
        match words.lines().next() {
            Some(line) => format!("{ended}: {line}"),
            None => ended,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = self.child.id() as libc::pid_t;
        // SAFETY: the group was made for this child, which has not been waited for unless it ended by
        // itself; its number is then free only once no process of the group is left.
        unsafe { libc::kill(-group, libc::SIGKILL) };
        // Fails only if it has been waited for.
        let _ = self.child.wait();
    }
}

fn lines_of(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody may listen any more, but somebody has to read.
            let _ = sender.send(line);
        }
    });
    receiver
}

/// Recordings of profilers are large. What cannot be removed goes with the folder in the end.
fn empty(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir_all(&path));
    }
}
