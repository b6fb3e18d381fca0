//! Runs programs and the command line, and finds the snapshots that are left.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use heaplens::snapshot::FileName;
use serde_json::Value;

/// A command that knows no setting but those given.
pub(crate) fn command(program: impl AsRef<OsStr>, settings: &[(&str, &OsStr)]) -> Command {
    let mut command = Command::new(program);
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("HEAPLENS_") {
            command.env_remove(key);
        }
    }
    command
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a program that succeeds and says nothing on stderr; returns its snapshots.
pub(crate) fn snapshots_of(
    program: &Path,
    arguments: &[&str],
    settings: &[(&str, &str)],
    folder: &Path,
) -> BTreeMap<FileName, PathBuf> {
    let mut settings: Vec<(&str, &OsStr)> = settings
        .iter()
        .map(|&(key, value)| (key, OsStr::new(value)))
        .collect();
    settings.push(("HEAPLENS_DIR", folder.as_os_str()));
    let mut command = command(program, &settings);
    let output = command
        .args(arguments)
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    snapshots_in(folder)
}

/// The snapshots in a folder, which holds nothing else.
pub(crate) fn snapshots_in(folder: &Path) -> BTreeMap<FileName, PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder of snapshots");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(OsStr::to_str).expect("UTF-8");
            let name = FileName::parse(name).unwrap_or_else(|| panic!("{name} is no snapshot"));
            (name, path)
        })
        .collect()
}

/// The newest snapshot with a reason.
pub(crate) fn find<'a>(snapshots: &'a BTreeMap<FileName, PathBuf>, reason: &str) -> &'a Path {
    let found = snapshots
        .iter()
        .rev()
        .find(|(name, _)| name.reason == reason);
    found
        .unwrap_or_else(|| panic!("no {reason} among {snapshots:?}"))
        .1
}

/// Arguments for [`heaplens`] from anything that can be one.
macro_rules! args {
    ($($argument:expr),* $(,)?) => {
        &[$(std::ffi::OsString::from(&$argument)),*][..]
    };
}
pub(crate) use args;

/// Runs the command line.
pub(crate) fn heaplens(arguments: &[OsString]) -> Output {
    let mut command = command(env!("CARGO_BIN_EXE_heaplens"), &[]);
    command.args(arguments).output().expect("heaplens starts")
}

/// Runs the command line, which succeeds, and reads what it prints as JSON.
pub(crate) fn json(arguments: &[OsString]) -> Value {
    let output = heaplens(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The row of a name in JSON output.
pub(crate) fn row<'a>(document: &'a Value, name: &str) -> &'a Value {
    let rows = document["rows"].as_array().expect("rows");
    let mut found = rows.iter().filter(|row| row["name"] == name);
    let row = found.next();
    assert!(found.next().is_none(), "several rows of {name}");
    row.unwrap_or_else(|| panic!("no row of {name} in {document:#}"))
}
