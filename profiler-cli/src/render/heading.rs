//! What stands above a picture or a table: when, from which files, and how sure the numbers are.

use super::escape::printable;
use super::units;
use crate::analysis::diff::{Diff, Side};
use crate::profile::Profile;

/// When the snapshots of a profile were taken.
pub(super) fn when(profile: &Profile) -> String {
    let mut taken: Vec<_> = profile
        .sources()
        .iter()
        .map(|source| (source.header.taken_unix_ms, source.header.taken.as_str()))
        .collect();
    taken.sort_unstable();
    match taken.as_slice() {
        [] => units::time(""),
        [(_, time)] => units::time(time),
        [(_, first), .., (_, last)] if first == last => {
            format!("{} ({} snapshots)", units::time(first), taken.len())
        }
        [(_, first), .., (_, last)] => {
            format!(
                "{} to {} ({} snapshots)",
                units::time(first),
                units::time(last),
                taken.len()
            )
        }
    }
}

/// How much later the later side was taken.
pub(super) fn distance(diff: &Diff<'_>) -> Option<String> {
    let latest = |side| {
        diff.profile(side)
            .sources()
            .iter()
            .map(|source| source.header.taken_unix_ms)
            .max()
    };
    let (before, after) = (latest(Side::Before)?, latest(Side::After)?);
    Some(match after.checked_sub(before) {
        Some(later) => format!("{} later", units::span(later)),
        None => format!("{} EARLIER", units::span(before - after)),
    })
}

pub(super) fn mode(sampled: bool) -> &'static str {
    if sampled {
        "estimated from samples"
    } else {
        "exact"
    }
}

/// The files of a profile: the name of one, and how many more there are. Safe to show.
pub(super) fn files(profile: &Profile) -> String {
    let name = |file: &str| printable(file.rsplit('/').next().unwrap_or(file)).into_owned();
    match profile.sources() {
        [] => "no file".to_owned(),
        [one] => name(&one.file),
        [first, rest @ ..] => format!("{} and {} more", name(&first.file), rest.len()),
    }
}
