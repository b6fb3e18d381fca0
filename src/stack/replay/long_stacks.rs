//! What is recorded of stacks with more frames than a path of the tree has, or a walk takes.

use super::memory::{Memory, Step};
use super::{Captured, Walker, special_frame};
use crate::snapshot::{SpecialFrame, TruncatedCause};
use crate::stack::step::Ending;
use crate::tables::site_tree::NodeId;

impl Walker {
    /// The node of a stack whose path would be too long: the outermost quarter of the depth, a mark,
    /// and the innermost rest.
    ///
    /// The mark says how many frames are cut out, to a power of two, so that a recursion has a few
    /// stacks and not one for each level.
    #[cold]
    #[inline(never)]
    pub(super) fn cut(&self, memory: &Memory) -> NodeId {
        let outermost = self.depth / 4;
        // The path has this mark, and may have one for a stack that is not all there.
        let innermost = self.depth - outermost - 2;
        let count = memory.count();
        let mark = SpecialFrame::Elided(1 << (count - outermost - innermost).ilog2());
        let above = memory.steps[outermost].node;
        let below = memory.steps[..=count].iter();
        below
            .skip(count + 1 - innermost)
            .fold(self.tree.child(above, special_frame(mark)), |node, step| {
                self.tree.child(node, step.at.pc())
            })
    }

    /// What is recorded of a stack that is too deep to be walked to its end: a mark, and the
    /// innermost frames.
    #[cold]
    #[inline(never)]
    pub(super) fn innermost(
        &self,
        memory: &mut Memory,
        joined: *mut Step,
        fresh: usize,
    ) -> Captured {
        // What is remembered of the outermost frames holds as long as it is met again.
        memory.innermost = joined;
        let joined = memory.count();
        let cause = TruncatedCause::TooDeep;
        let above = self.parent_of_all(Ending::truncated(cause));
        let node = (0..self.depth - 1).rev().fold(above, |node, n| {
            let at = match n < fresh {
                true => memory.fresh[n].at,
                false => memory.steps[joined + fresh - n].at,
            };
            self.tree.child(node, at.pc())
        });
        Captured {
            node,
            truncated: Some(cause),
        }
    }
}
