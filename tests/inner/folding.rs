//! How a stack becomes a path, by the definition in `docs/snapshot-format.md` alone.
//!
//! Knows nothing of trees and of the last stack: takes all frames, and makes the path anew.

use heaplens::snapshot::{SpecialFrame, TruncatedCause};

/// Most frames that are folded into the same number before them.
const LONGEST_CYCLE: usize = 32;
/// A stack of so many frames is not walked to its end.
const TOO_MANY: usize = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Frame {
    Code(u64),
    Special(SpecialFrame),
}

/// The path of a stack that is all there, or of which the walk met these frames until it ended for a
/// cause. Innermost first, both.
pub(crate) fn path(stack: &[u64], cause: Option<TruncatedCause>, depth: usize) -> Vec<Frame> {
    let cause = match stack.len() {
        TOO_MANY.. => Some(TruncatedCause::TooDeep),
        _ => cause,
    };
    let mark = cause.map(|cause| Frame::Special(SpecialFrame::Truncated(cause)));
    let inward = |part: &[u64]| -> Vec<Frame> {
        part.iter().rev().map(|&frame| Frame::Code(frame)).collect()
    };
    let path = match stack.len() {
        TOO_MANY.. => folded(mark.into_iter().chain(inward(&stack[..depth - 1])), depth),
        _ => folded(mark.into_iter().chain(inward(stack)), depth),
    };
    let mut path = path.unwrap_or_else(|| {
        let outermost = depth / 4;
        let (inner, outer) = stack.split_at(depth - outermost - 2);
        let (elided, outer) = outer.split_at(outer.len() - outermost);
        let elided = SpecialFrame::Elided(1 << elided.len().ilog2());
        let outer = mark.into_iter().chain(inward(outer));
        let cut = outer.chain([Frame::Special(elided)]).chain(inward(inner));
        folded(cut, depth).expect("no more frames than the depth")
    });
    path.reverse();
    path
}

/// Frames with their repetitions folded, outermost first. `None` where that takes more than `depth`
/// on the way.
fn folded(frames: impl Iterator<Item = Frame>, depth: usize) -> Option<Vec<Frame>> {
    let mut path = Vec::new();
    for frame in frames {
        path.push(frame);
        let len = path.len();
        let cycle = (1..=LONGEST_CYCLE.min(len / 2))
            .find(|cycle| path[len - cycle..] == path[len - 2 * cycle..len - cycle]);
        path.truncate(len - cycle.unwrap_or(0));
        if path.len() > depth {
            return None;
        }
    }
    Some(path)
}
