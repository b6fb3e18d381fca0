//! Where each frame goes: callers below what they call, growth left of what shrank.

use std::cmp::Reverse;

use super::frames::Frame;

/// A frame's place, in parts of the whole width.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Span {
    pub(super) left: f64,
    pub(super) width: f64,
}

/// A place for each frame. Those with one caller stand side by side, none wider than the caller
/// has room for.
pub(super) fn layout(frames: &[Frame]) -> Vec<Span> {
    let mut spans = vec![Span::default(); frames.len()];
    let Some(all) = frames.first() else {
        return spans;
    };
    // Also where nothing changed, and nothing else is there.
    spans[0].width = 1.0;
    // Callers stand before what they call: each has its place before its own are placed.
    let mut order: Vec<usize> = (1..frames.len()).collect();
    order.sort_by_key(|&at| (frames[at].caller, Reverse(frames[at].change()), at));
    let mut end: Vec<Option<f64>> = vec![None; frames.len()];
    for at in order {
        let caller = frames[at].caller;
        let room = spans[caller];
        let left = end[caller].unwrap_or(room.left);
        let width = (frames[at].weight / all.weight).min(room.left + room.width - left);
        spans[at] = Span {
            left,
            width: width.max(0.0),
        };
        end[caller] = Some(left + spans[at].width);
    }
    spans
}
