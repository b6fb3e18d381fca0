//! What stands above a picture or a table: when, from which files, and how sure the numbers are.

use super::escape::printable;
use super::units;
use crate::analysis::diff::{Diff, Side};
use crate::profile::{Profile, short_build_id};

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

/// How much later the later side was taken; none where that was in the midst of the other.
pub(super) fn distance(diff: &Diff<'_>) -> Option<String> {
    let taken = |side| diff.profile(side).taken_unix_ms();
    let ((first_before, before), (first_after, after)) =
        (taken(Side::Before)?, taken(Side::After)?);
    let is_single = |side| diff.profile(side).sources().len() == 1;
    let overlap = first_after <= before && first_before <= after;
    if overlap && !(is_single(Side::Before) && is_single(Side::After)) {
        return None;
    }
    Some(match after.checked_sub(before) {
        Some(later) => format!("{} later", units::span(later)),
        None => format!("{} EARLIER", units::span(before - after)),
    })
}

/// A text that stands behind others, if it is there.
pub(super) fn behind(text: Option<String>) -> String {
    text.map_or(String::new(), |text| format!(", {text}"))
}

/// The build of a side, where both sides are of one build each, and those differ.
pub(super) fn build(diff: &Diff<'_>, side: Side) -> Option<String> {
    let build = |side| diff.profile(side).build_id();
    let (before, after) = (build(Side::Before)?, build(Side::After)?);
    (before != after).then(|| {
        let build = short_build_id(build(side).unwrap_or_default());
        format!("build {}", printable(build))
    })
}

/// What the numbers of a profile are, if not sums.
pub(super) fn mean(profile: &Profile) -> Option<String> {
    let sums = profile.sums()?;
    let all = units::bytes(sums.live_bytes);
    Some(match profile.sources().len() {
        1 => "1 process".to_owned(),
        processes => format!("mean per process of {processes}, {all} in all"),
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
