//! The differential flamegraph: what grew, what is new, what shrank and what is gone, in one picture.
//!
//! Width is *change*: of a path, the bytes by which it grew or shrank; of a frame, the sum over the
//! paths through it. So what did not change takes no room, and what vanished is seen. Each frame
//! carries the numbers of its whole subtree, unchanged paths included: live bytes before and after,
//! and the difference, which its colour tells. What grew stands left, what shrank right.
//!
//! `frames` adds up and leaves out what nobody could see, `fold` makes one frame of a run of frames
//! that are nobody's own code, `layout` says where each frame goes,
//! `page` writes the SVG, and `view.js` in it zooms and searches. Why not by `inferno`: it knows the
//! difference of a leaf alone, and has no place for stacks that are gone.
//!
//! It does not read files, and does not judge what is a leak.

mod fold;
mod frames;
mod label;
mod layout;
mod page;

use std::io::{self, Write};

use crate::analysis::diff::Diff;
use crate::profile::Origin;

/// What the picture is to show.
#[derive(Debug, Clone, Copy, Default)]
pub struct View {
    /// Turn the stacks over: what allocates at the bottom, its callers above it.
    pub inverted: bool,
    /// A row for each frame, also where libraries call one another and nothing else changed.
    pub all_frames: bool,
}

/// Draws what changed between two profiles.
pub fn svg(diff: &Diff<'_>, view: View, out: &mut dyn Write) -> io::Result<()> {
    let mut frames = frames::frames(diff, view.inverted);
    if !view.all_frames {
        let smallest = frames[0].weight * frames::SMALLEST_PART;
        frames = fold::fold(frames, |identity| is_own(diff, identity), smallest);
    }
    let spans = layout::layout(&frames);
    page::write(diff, &frames, &spans, out)
}

/// Whether a function is the user's own, or may be.
fn is_own(diff: &Diff<'_>, identity: u32) -> bool {
    let (profile, function) = diff.function(identity);
    let origin = profile.frames().origin(function);
    matches!(origin, Origin::Own | Origin::Unplaced)
}
