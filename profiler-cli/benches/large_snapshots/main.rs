//! What it takes to compare two snapshots of a million sites: time, processor time and peak memory
//! of `heaplens diff`, run as a user runs it.
//!
//! ```text
//! cargo bench -p heaplens-cli --bench large_snapshots
//! ```
//!
//! Symbolizing is not part of it: the files carry their names, or have none to be found.

mod process;
mod shape;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use heaplens::snapshot;
use shape::{SHAPES, Shape};

/// Argument by which this program makes one file, in a process of its own: what a process is said
/// to have used at most includes what its parent used when it was started.
const MAKE: &str = "--make-file";

/// Runs of each command; the median is printed.
const RUNS: usize = 3;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, shape, side, path] = args.as_slice()
        && flag == MAKE
    {
        make(shape, side, Path::new(path));
        return ExitCode::SUCCESS;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!(
        "{:34} {:>10} {:>8} {:>8} {:>9}   (medians of {RUNS} runs)",
        "heaplens diff, 1,000,000 sites", "files MB", "wall s", "CPU s", "peak MiB"
    );
    for shape in &SHAPES {
        let [before, after] = ["before", "after"].map(|side| file(shape, side, folder.path()));
        let megabytes = |path: &Path| path.metadata().map_or(0, |data| data.len()) as f64 / 1e6;
        let mut runs: Vec<process::Cost> = (0..RUNS)
            .map(|_| {
                let mut diff = Command::new(env!("CARGO_BIN_EXE_heaplens"));
                process::run(diff.arg("diff").args([&before, &after]))
            })
            .collect();
        let mut median = |by: fn(&process::Cost) -> f64| {
            runs.sort_by(|a, b| by(a).total_cmp(&by(b)));
            by(&runs[RUNS / 2])
        };
        println!(
            "{:34} {:>10.1} {:>8.2} {:>8.2} {:>9.0}",
            shape.name,
            megabytes(&before) + megabytes(&after),
            median(|cost| cost.wall.as_secs_f64()),
            median(|cost| cost.cpu.as_secs_f64()),
            median(|cost| cost.peak_bytes as f64 / f64::from(1 << 20)),
        );
        for path in [before, after] {
            fs::remove_file(path).expect("a file of ours");
        }
    }
    ExitCode::SUCCESS
}

/// Makes the file of one side.
fn file(shape: &Shape, side: &str, folder: &Path) -> PathBuf {
    let path = folder.join(format!("{side}.json.gz"));
    let this = std::env::current_exe().expect("a program of its own");
    let mut maker = Command::new(this);
    process::run(maker.args([MAKE, shape.name, side]).arg(&path));
    path
}

fn make(name: &str, side: &str, path: &Path) {
    let shape = SHAPES.iter().find(|shape| shape.name == name);
    let snapshot = shape.expect("one of the shapes").snapshot(side == "after");
    let file = fs::File::create(path).expect("a new file");
    snapshot::write(&snapshot, std::io::BufWriter::new(file)).expect("a snapshot that is valid");
}
