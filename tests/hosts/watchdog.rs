//! Ends hosts that hang, and says first what each of their threads was doing.

use std::fmt::Write;
use std::fs;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Far longer than any host takes on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);
const PATIENCE_FULL: Duration = Duration::from_secs(600);

/// Waits for the end of a host that leads a process group. `Err`: it had to be killed, and what its
/// processes were doing.
pub(crate) fn wait(mut host: Child, is_full: bool) -> Result<ExitStatus, String> {
    let patience = if is_full { PATIENCE_FULL } else { PATIENCE };
    let start = Instant::now();
    let group = host.id();
    let ended = loop {
        match host.try_wait().expect("the host is our child") {
            Some(status) => break Ok(status),
            None if start.elapsed() > patience => {
                break Err(format!(
                    "hangs after {patience:?}\n{}",
                    stacks_of_group(group)
                ));
            }
            None => sleep(Duration::from_millis(5)),
        }
    };
    if ended.is_err() {
        // SAFETY: sends a signal to the group that the host leads; it has not been waited for, so
        // the number is still its own.
        unsafe { libc::kill(-(group as libc::pid_t), libc::SIGKILL) };
        host.wait().expect("the host is our child");
    }
    ended
}

fn stacks_of_group(group: u32) -> String {
    let mut text = String::new();
    for process in numbers_in("/proc") {
        if group_of(process) == Some(group) {
            let _ = writeln!(text, "process {process}");
            text.push_str(&stacks_by_gdb(process).unwrap_or_else(|| states_of_threads(process)));
        }
    }
    text
}

fn stacks_by_gdb(process: u32) -> Option<String> {
    let output = Command::new("gdb")
        .args([
            "-batch",
            "-nx",
            "-ex",
            "thread apply all backtrace 40",
            "-p",
        ])
        .arg(process.to_string())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // Where it may not attach there is nothing about any thread.
    text.contains("\nThread ").then(|| text.into_owned())
}

/// What the kernel tells without a debugger.
fn states_of_threads(process: u32) -> String {
    let folder = format!("/proc/{process}/task");
    let mut text = String::new();
    for thread in numbers_in(&folder) {
        for file in ["comm", "stat", "wchan", "syscall", "stack"] {
            let content = fs::read_to_string(format!("{folder}/{thread}/{file}"));
            let content = content.unwrap_or_else(|error| error.to_string());
            let _ = writeln!(text, "{thread} {file}: {}", content.trim_end());
        }
    }
    text
}

fn numbers_in(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The process group, the third field behind the name in parentheses (proc(5)).
fn group_of(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(2)?.parse().ok()
}
