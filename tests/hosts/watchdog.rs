//! Ends hosts that hang, and says first what each of their threads was doing.
//!
//! A host that waits for ever uses no time of the processor, and one that goes in circles uses a lot: what
//! the clock on the wall says is no concern, since a machine may have other things to do.

use std::fmt::Write;
use std::fs;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest time without any progress.
const PATIENCE: Duration = Duration::from_secs(60);
/// Most time of the processor that a host takes, in seconds; ten times as much for whole storms.
const PROCESSOR_SECONDS: u64 = 300;

/// Waits for the end of a host that leads a process group. `Err`: it had to be killed, and what its
/// processes were doing.
pub(crate) fn wait(mut host: Child, is_full: bool) -> Result<ExitStatus, String> {
    let most = PROCESSOR_SECONDS * if is_full { 10 } else { 1 };
    let group = host.id();
    let (mut used, mut since, mut look) = (0.0, Instant::now(), Instant::now());
    let ended = loop {
        if let Some(status) = host.try_wait().expect("the host is our child") {
            break Ok(status);
        }
        if look.elapsed() > Duration::from_secs(1) {
            look = Instant::now();
            let now = processor_seconds(group);
            if now > used {
                (used, since) = (now, look);
            }
            if since.elapsed() > PATIENCE || used > most as f64 {
                let stacks = stacks_of_group(group);
                break Err(format!("hangs, after {used} s of the processor\n{stacks}"));
            }
        }
        sleep(Duration::from_millis(5));
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

/// What all processes of a group have used, and their children that have ended.
fn processor_seconds(group: u32) -> f64 {
    // SAFETY: asks for a constant of the system.
    let ticks_in_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    let ticks = numbers_in("/proc")
        .into_iter()
        .filter_map(fields_of)
        .filter(|fields| number::<u32>(fields, GROUP) == Some(group))
        .flat_map(|fields| TIMES.map(|field| number::<u64>(&fields, field).unwrap_or(0)))
        .sum::<u64>();
    ticks as f64 / ticks_in_second as f64
}

fn group_of(process: u32) -> Option<u32> {
    number(&fields_of(process)?, GROUP)
}

/// How many processes of a group have not ended.
pub(crate) fn living_in_group(group: u32) -> usize {
    let processes = numbers_in("/proc").into_iter().filter_map(fields_of);
    processes
        .filter(|fields| number::<u32>(fields, GROUP) == Some(group))
        .filter(|fields| !fields.trim_start().starts_with(['Z', 'X']))
        .count()
}

/// Of the fields behind the name in parentheses (proc(5)): the process group; time in user mode and in the
/// kernel, its own and that of children that have ended.
const GROUP: usize = 2;
const TIMES: [usize; 4] = [11, 12, 13, 14];

fn fields_of(process: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    Some(fields.to_owned())
}

fn number<T: std::str::FromStr>(fields: &str, field: usize) -> Option<T> {
    fields.split_ascii_whitespace().nth(field)?.parse().ok()
}
