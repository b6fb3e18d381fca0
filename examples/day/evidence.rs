//! The evidence: what heaplens has left and says, by its own commands.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use heaplens_cli::analysis::suspects::Class;
use quantum::drive::suspects::{Judged, heaplens, judge};
use quantum::drive::{kit, write};

/// Set in the environment of the process that is to be the command line.
const ROLE: &str = "INCIDENT_DAY_IS_HEAPLENS";
/// Seconds between the runbook's two snapshots; ten minutes there.
const WAIT: &str = "3";

/// Is the command line `heaplens`, if this process is to be it: the runbook calls it by name.
pub(crate) fn be_heaplens() -> Option<ExitCode> {
    std::env::var_os(ROLE).map(|_| heaplens_cli::run(std::env::args_os()))
}

/// Snapshots in a folder whose file names have this reason.
pub(crate) fn snapshots(folder: &Path, reason: &str) -> usize {
    let ending = format!(".{reason}.json.gz");
    std::fs::read_dir(folder).map_or(0, |entries| {
        let names = entries.flatten().map(|entry| entry.file_name());
        names
            .filter(|name| name.to_string_lossy().ends_with(&ending))
            .count()
    })
}

/// The line of composition, if that is the first leak that `heaplens suspects` names. While there is too
/// little to judge, nothing is named.
pub(crate) fn named_line(snapshots: &Path) -> Option<(Judged, String)> {
    let judged = judge(&[snapshots]).ok()?;
    let leak = judged
        .into_iter()
        .find(|judged| judged.class == Class::Leak)?;
    let place = leak.place.clone()?;
    is_composition(&leak.owner, &place).then_some((leak, place))
}

/// Whether an owner, at a file and line, is what composes widgets.
fn is_composition(owner: &str, place: &str) -> bool {
    owner.contains("widget::compose::") && place.contains("widget/compose.rs:")
}

/// Runs the commands of docs/runbook.md on an endpoint. What they print goes to `runbook.txt` in `output`,
/// what they collect to `collected` there. Returns the owner that they end at.
pub(crate) fn follow_runbook(
    work: &Path,
    output: &Path,
    collected: &Path,
    endpoint: &str,
    token: &Path,
) -> Result<String, String> {
    let programs = command_line(work)?;
    let mut path = programs.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let said = Command::new(kit().join("runbook.sh"))
        .env("PATH", path)
        .env("SERVICE_URL", format!("http://{endpoint}"))
        .env("SNAPSHOT_DIR", collected)
        .env("TOKEN_FILE", token)
        .env("WAIT", WAIT)
        .output()
        .map_err(|error| format!("cannot run the runbook: {error}"))?;
    let text = String::from_utf8_lossy(&said.stdout);
    write(&output.join("runbook.txt"), &text)?;
    if !said.status.success() {
        let error = String::from_utf8_lossy(&said.stderr);
        return Err(format!("the runbook fails: {}", error.trim_end()));
    }
    let report = std::fs::metadata(collected.join("report.html"));
    if !report.is_ok_and(|report| report.len() > 0) {
        return Err("the runbook leaves no report".to_owned());
    }
    let first_leak = text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("leak "))
        .ok_or("the runbook names no leak")?;
    // The last two columns: the owner and its place.
    let (owner, place) = first_leak
        .rsplit_once("  ")
        .map_or((first_leak, ""), |(row, place)| {
            (row.rsplit_once("  ").map_or(row, |(_, owner)| owner), place)
        });
    match is_composition(owner, place) {
        true => Ok(owner.to_owned()),
        false => Err(format!("the runbook ends elsewhere: {first_leak}")),
    }
}

/// A folder with a program `heaplens`, which is this one.
fn command_line(work: &Path) -> Result<PathBuf, String> {
    use std::os::unix::fs::PermissionsExt as _;
    let explain = |error: std::io::Error| format!("cannot make a program heaplens: {error}");
    let this = std::env::current_exe().map_err(explain)?;
    let folder = work.join("bin");
    std::fs::create_dir_all(&folder).map_err(explain)?;
    let program = folder.join("heaplens");
    let script = format!("#!/bin/sh\n{ROLE}=1 exec '{}' \"$@\"\n", this.display());
    write(&program, &script)?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).map_err(explain)?;
    Ok(folder)
}

/// Whether `heaplens check` ends as it should on these snapshots: with a leak, or without. What it says goes
/// to a file.
pub(crate) fn gate(snapshots: &Path, leaks: bool, said: &Path) -> Result<(), String> {
    let words = [
        "check".as_ref(),
        snapshots.as_os_str(),
        "-o".as_ref(),
        said.as_os_str(),
    ];
    match heaplens(words) == ExitCode::from(u8::from(leaks)) {
        true => Ok(()),
        false => Err(format!(
            "the gate does not {} {}: see {}",
            if leaks { "fail on" } else { "pass" },
            snapshots.display(),
            said.display()
        )),
    }
}
