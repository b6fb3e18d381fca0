//! What a snapshot of 100,000 sites costs the service that takes it: processor time of the thread
//! that writes it, and memory beyond what the process had.
//!
//! ```text
//! cargo bench --bench snapshot_dump
//! ```

#[path = "../tests/large_tree/mod.rs"]
mod large_tree;

use heaplens::snapshot::{Limits, read};
use heaplens::{Config, Mode};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Names the folder to a process that is to take snapshots, and the calls that paths do not share.
const ALONE: &str = "SNAPSHOT_DUMP_ALONE";
const ROUNDS: usize = 5;

fn main() {
    heaplens::profile!(
        std::alloc::System,
        Config::new().mode(Mode::Exact).interval(Duration::ZERO)
    );
    if let Ok(alone) = std::env::var(ALONE) {
        return measure(alone.parse().expect("a number"));
    }
    println!(
        "{:>8} {:>8} {:>9} {:>15} {:>10}   (medians of {ROUNDS} snapshots)",
        "sites", "nodes", "file MB", "writer CPU ms", "extra MiB"
    );
    // Three, seven and nine nodes for each site.
    for alone in [0, 2, 3] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let status = Command::new(std::env::current_exe().expect("a program"))
            .env(ALONE, alone.to_string())
            .env("HEAPLENS_DIR", dir.path())
            .status();
        assert!(status.expect("a program").success());
    }
}

fn measure(alone: usize) {
    let kept = large_tree::blocks(alone, 16);
    let mut path = PathBuf::new();
    let (mut cpu, mut extra) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // The mark is put back to what is resident now.
        fs::write("/proc/self/clear_refs", "5").expect("a mark of our own");
        let (resident, before) = (status_kib("VmRSS:"), writer_cpu());
        path = heaplens::snapshot("large").expect("a snapshot");
        cpu.push(writer_cpu() - before);
        extra.push(status_kib("VmHWM:").saturating_sub(resident));
    }
    drop(kept);
    let snapshot = read(&path, &Limits::default()).expect("a snapshot");
    cpu.sort();
    extra.sort();
    println!(
        "{:>8} {:>8} {:>9.2} {:>15.0} {:>10.1}",
        snapshot.sites.stack.len(),
        snapshot.stacks.parent.len(),
        path.metadata().map_or(0, |data| data.len()) as f64 / 1e6,
        cpu[ROUNDS / 2].as_secs_f64() * 1e3,
        // The first one is the dearest: it has to get its memory from the system.
        extra[ROUNDS - 1] as f64 / 1024.0,
    );
}

/// A number from this process's status.
fn status_kib(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

/// Time that the keeper's thread has spent on a processor.
fn writer_cpu() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("threads");
    let times = tasks.flatten().filter_map(|task| {
        let name = fs::read_to_string(task.path().join("comm")).ok()?;
        let times = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let nanos = times.split_whitespace().next()?.parse().ok()?;
        (name.trim() == "heaplens").then(|| Duration::from_nanos(nanos))
    });
    times.sum()
}
