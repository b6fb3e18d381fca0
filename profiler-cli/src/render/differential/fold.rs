//! Folds runs of frames that tell nothing: of libraries and the runtime, one calling the next and
//! nothing else that changed. An asynchronous service has a hundred of them below its own code.

use super::frames::{Frame, Name};

/// Runs of so many frames are folded; of fewer, each frame has its row.
const LEAST_RUN: usize = 3;

/// The frames with each run as one frame, which has the numbers of its outermost call. `is_own`
/// tells what must stay. Below `smallest`, a difference in weight cannot be seen.
pub(super) fn fold(frames: Vec<Frame>, is_own: impl Fn(u32) -> bool, smallest: f64) -> Vec<Frame> {
    let folds = |frame: &Frame| matches!(frame.name, Name::Function(name) if !is_own(name));
    let mut calls = vec![0_usize; frames.len()];
    for frame in frames.iter().skip(1) {
        calls[frame.caller] += 1;
    }
    // The outermost frame of the run that a frame is in, and the length of each run.
    let mut outermost: Vec<usize> = (0..frames.len()).collect();
    let mut length = vec![1_usize; frames.len()];
    for (at, frame) in frames.iter().enumerate().skip(1) {
        let caller = &frames[frame.caller];
        let goes_on = folds(frame)
            && folds(caller)
            && calls[frame.caller] == 1
            && caller.weight - frame.weight <= smallest;
        if goes_on {
            outermost[at] = outermost[frame.caller];
            length[outermost[at]] += 1;
        }
    }
    let mut folded: Vec<Frame> = Vec::with_capacity(frames.len());
    let mut new_at = Vec::with_capacity(frames.len());
    for (at, mut frame) in frames.into_iter().enumerate() {
        let run = outermost[at];
        if run != at && length[run] >= LEAST_RUN {
            let run = new_at[run];
            if let Name::Function(name) = frame.name {
                folded[run as usize].inner.push(name);
            }
            new_at.push(run);
            continue;
        }
        new_at.push(folded.len() as u32);
        if at > 0 {
            frame.caller = new_at[frame.caller] as usize;
            frame.depth = folded[frame.caller].depth + 1;
        }
        folded.push(frame);
    }
    folded
}
