//! Asks the processes of a command for snapshots, by the signal that heaplens takes them at.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use heaplens::snapshot::FileName;
use rustix::process::{Pid, Signal, kill_process};

use super::group::Group;
use crate::process::is_caught;

/// The signal, and its name as `HEAPLENS_SIGNAL` takes it.
const SIGNAL: Signal = Signal::USR2;
/// See [`SIGNAL`].
pub(crate) const SIGNAL_NAME: &str = "USR2";

/// Sends the signal to each process of a command that is prepared for it, and says how many these are.
/// The others would die of it.
pub(crate) fn ask(group: &Group) -> usize {
    let ready = prepared(group);
    ready
        .iter()
        .filter(|&&process| kill_process(process, SIGNAL).is_ok())
        .count()
}

/// The processes of a command that handle the signal.
pub(crate) fn prepared(group: &Group) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let processes = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes
        .filter_map(Pid::from_raw)
        .filter(|&process| is_prepared(process, group.id()).unwrap_or(false))
        .collect()
}

fn is_prepared(process: Pid, group: Pid) -> Option<bool> {
    let read =
        |name: &str| fs::read_to_string(format!("/proc/{}/{name}", process.as_raw_nonzero())).ok();
    let (stat, status) = (read("stat")?, read("status")?);
    Some(group_in(&stat)? == group.as_raw_nonzero().get() && is_caught(&status, SIGNAL)?)
}

/// The process group in `/proc/N/stat`; the name before it may hold anything.
fn group_in(stat: &str) -> Option<i32> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(2)?.parse().ok()
}

/// The snapshots in a folder.
pub(crate) fn in_folder(folder: &Path) -> BTreeSet<FileName> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let names = entries.filter_map(|entry| FileName::parse(entry.ok()?.file_name().to_str()?));
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_as_the_kernel_writes_them() {
        assert_eq!(group_in("7 (a) b) S 1 42 42 0 -1"), Some(42));
        assert_eq!(group_in("7"), None);
    }
}
