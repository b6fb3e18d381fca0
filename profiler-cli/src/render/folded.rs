//! Folded stacks, for other tools: `outer;inner;innermost 42`, one path a line.

use std::io::{self, Write};

use super::stacks::{self, frame_text, live_bytes, positive, write_folded};
use crate::analysis::diff::Diff;
use crate::profile::{CallTree, Profile};

/// Writes the live bytes of each path; callers last if `inverted`.
pub fn live(profile: &Profile, inverted: bool, out: &mut dyn Write) -> io::Result<()> {
    let frames = profile.frames();
    let texts: Vec<String> = (0..frames.function_count() as u32)
        .map(|f| frame_text(frames.name(f)))
        .collect();
    let (tree, own) = live_bytes(profile);
    let own: Vec<[u64; 1]> = own.into_iter().map(|weight| [weight]).collect();
    write(&tree, &own, inverted, &texts, out)
}

/// Writes the live bytes of each path before and after, the two columns of a differential
/// flamegraph; callers last if `inverted`. A path without change is left out.
pub fn before_and_after(diff: &Diff<'_>, inverted: bool, out: &mut dyn Write) -> io::Result<()> {
    let texts: Vec<String> = diff
        .functions()
        .map(|(profile, function)| frame_text(profile.frames().name(function)))
        .collect();
    let mut own = vec![[0; 2]; diff.tree().len()];
    for (_, row) in diff.changes() {
        own[row.node as usize] = [row.before.live_bytes, row.after.live_bytes].map(positive);
    }
    write(diff.tree(), &own, inverted, &texts, out)
}

fn write<const N: usize>(
    tree: &CallTree,
    own: &[[u64; N]],
    inverted: bool,
    texts: &[String],
    out: &mut dyn Write,
) -> io::Result<()> {
    if inverted {
        let (tree, own) = stacks::inverted(tree, own);
        return write_folded(out, &tree, texts, &own);
    }
    write_folded(out, tree, texts, own)
}
