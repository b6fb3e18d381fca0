//! What `heaplens::mark` and `heaplens::iterate` leave behind. Each program is this one again.

use heaplens::snapshot::{Limits, Reason, Snapshot, read};
use heaplens::{Config, Mode};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

const ROLE: &str = "MARKS_ROLE";

fn main() {
    heaplens::profile!(
        std::alloc::System,
        Config::new().mode(Mode::Exact).interval(Duration::ZERO)
    );
    match std::env::var(ROLE).as_deref() {
        Ok("mark") => {
            heaplens::mark("Before");
            std::mem::forget(vec![0_u8; 1_000]);
            heaplens::work_done(3);
            heaplens::mark("after, with ünicode");
        }
        Ok("iterate") => {
            let mut runs = 0_u64;
            let result = heaplens::iterate(|| {
                std::mem::forget(vec![0_u8; 1_000]);
                runs += 1;
                runs
            });
            assert_eq!(result, runs);
        }
        Ok("work") => heaplens::iterate(|| heaplens::work_done(10)),
        Ok(role) => panic!("no such role: {role}"),
        Err(_) => check(),
    }
}

fn check() {
    marks_by_hand();
    runs_are_marked_and_counted();
    a_body_counts_its_own_work();
    many_runs_have_few_marks();
    off_and_unwritable_change_nothing();
    println!("test result: ok. 5 passed; 0 failed");
}

fn marks_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    run("mark", folder.path(), &[]);
    let (names, marks) = marks(folder.path());
    assert!(
        names.iter().all(|name| name.ends_with(".mark.json.gz")),
        "{names:?}"
    );
    assert_eq!(labels(&marks), ["Before", "after, with ünicode"]);
    assert_eq!(grown(&marks), [1_000]);
    assert_eq!(marks[1].header.work_done, 3);
}

fn runs_are_marked_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    run("iterate", folder.path(), &[("HEAPLENS_ITERATIONS", "3")]);
    let (_, marks) = marks(folder.path());
    let expected = ["iteration 0", "iteration 1", "iteration 2", "iteration 3"];
    assert_eq!(labels(&marks), expected);
    assert_eq!(grown(&marks), [1_000; 3]);
    let work: Vec<u64> = marks.iter().map(|mark| mark.header.work_done).collect();
    assert_eq!(work, [0, 1, 2, 3]);
}

fn a_body_counts_its_own_work() {
    let folder = tempfile::tempdir().unwrap();
    run("work", folder.path(), &[]);
    let (_, marks) = marks(folder.path());
    assert_eq!(labels(&marks), ["iteration 0", "iteration 1"]);
    assert_eq!(marks[1].header.work_done, 10);
}

fn many_runs_have_few_marks() {
    let folder = tempfile::tempdir().unwrap();
    run("iterate", folder.path(), &[("HEAPLENS_ITERATIONS", "2000")]);
    let (_, marks) = marks(folder.path());
    assert_eq!(marks.len(), 21);
    assert_eq!(marks[20].header.label.as_deref(), Some("iteration 2000"));
    assert_eq!(grown(&marks), [100_000; 20]);
}

fn off_and_unwritable_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = run("mark", folder.path(), &[("HEAPLENS_MODE", "off")]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(marks(folder.path()).0, Vec::<String>::new());
    let file = tempfile::NamedTempFile::new().unwrap();
    let output = run("iterate", file.path(), &[("HEAPLENS_ITERATIONS", "9")]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        stderr.matches("cannot write a snapshot").count(),
        1,
        "{stderr}"
    );
}

fn run(role: &str, folder: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("HEAPLENS_") {
            command.env_remove(key);
        }
    }
    let output = command
        .env(ROLE, role)
        .env("HEAPLENS_DIR", folder)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{role}: {stderr}");
    output
}

/// The marks in a folder and their names, in their order.
fn marks(folder: &Path) -> (Vec<String>, Vec<Snapshot>) {
    let files = folder.read_dir().unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let (mut names, mut marks) = (Vec::new(), Vec::new());
    for path in paths {
        let snapshot = read(&path, &Limits::default()).unwrap();
        if snapshot.header.reason == Reason::Mark {
            names.push(path.file_name().unwrap().to_string_lossy().into_owned());
            marks.push(snapshot);
        }
    }
    (names, marks)
}

fn labels(marks: &[Snapshot]) -> Vec<&str> {
    let labels = marks.iter().map(|mark| mark.header.label.as_deref());
    labels.map(|label| label.unwrap_or("none")).collect()
}

/// By how many bytes each mark has more than the one before.
fn grown(marks: &[Snapshot]) -> Vec<i64> {
    let live = |mark: &Snapshot| mark.header.totals.live_bytes;
    let pairs = marks.windows(2);
    pairs.map(|pair| live(&pair[1]) - live(&pair[0])).collect()
}
