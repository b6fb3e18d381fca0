//! The replay: run the service with its leak and with the fix, and judge what its snapshots say.
//!
//! | file | does |
//! |---|---|
//! | [`service`] | the service as a process: start, requests, stop |
//! | [`load`] | what is requested, and how long the answers took |
//! | [`run`] | one run: quiet hours, busy hours, and the snapshots between |
//! | [`evidence`] | what the snapshots say |
//! | [`verdict`] | whether that names the leak |
//! | [`report`], [`progress`] | what is printed |

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod evidence;
mod load;
mod progress;
mod report;
mod run;
pub(crate) mod service;
mod verdict;

/// Replays the incident and prints the report. An error says why the leak was not named.
pub(crate) fn replay() -> Result<(), String> {
    let folder = folder();
    let svg = folder.join("retained.svg");

    report::heading("The incident: a widget service slows down, and its memory grows");
    let leaking = run::run(false, &clean(&folder.join("leaking"))?)?;
    let leak = evidence::gather(&leaking, Some(&svg))?;
    write_page(&folder.join("leaking"), &folder.join("report.html"))?;
    report::course(&leaking, &leak);
    report::owners(&leak);
    pass(verdict::leak_is_named(&leaking, &leak))?;
    report::named(&leak);

    report::heading("The fix: a child refers to its parent weakly");
    let fixed = run::run(true, &clean(&folder.join("fixed"))?)?;
    let fix = evidence::gather(&fixed, None)?;
    report::course(&fixed, &fix);
    pass(verdict::leak_is_gone(&fixed, &fix, &leak))?;
    report::gone(&fix, &leak);

    report::files(&folder);
    Ok(())
}

/// Calls `heaplens report` on the snapshots of a run.
fn write_page(snapshots: &Path, page: &Path) -> Result<(), String> {
    let words: [&OsStr; 5] = [
        "heaplens".as_ref(),
        "report".as_ref(),
        snapshots.as_ref(),
        "-o".as_ref(),
        page.as_ref(),
    ];
    match heaplens_cli::run(words.map(OsStr::to_owned)) == ExitCode::SUCCESS {
        true => Ok(()),
        false => Err(format!("cannot write {}", page.display())),
    }
}

/// One line with all that is wrong, if anything is.
fn pass(wrong: Vec<String>) -> Result<(), String> {
    match wrong.as_slice() {
        [] => Ok(()),
        wrong => Err(wrong.join("; ")),
    }
}

/// The folder for everything that is written. cargo tells where the package is; without it, the
/// working directory must do.
fn folder() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .unwrap_or_default();
    package.join("target").join("heaplens-incident")
}

/// Makes the folder and removes the snapshots of an earlier run from it, and nothing else.
fn clean(folder: &Path) -> Result<PathBuf, String> {
    let explain = |error| format!("cannot prepare {}: {error}", folder.display());
    std::fs::create_dir_all(folder).map_err(explain)?;
    for entry in std::fs::read_dir(folder).map_err(explain)? {
        let entry = entry.map_err(explain)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("heaplens.") && name.ends_with(".json.gz") {
            match std::fs::remove_file(entry.path()) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(explain(error)),
                _ => {}
            }
        }
    }
    Ok(folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_removes_snapshots_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("notes.json.gz");
        std::fs::write(&kept, "mine").unwrap();
        std::fs::write(folder.path().join("heaplens.incident.1.json.gz"), "old").unwrap();
        clean(folder.path()).unwrap();
        let left: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(left, [kept]);
    }
}
