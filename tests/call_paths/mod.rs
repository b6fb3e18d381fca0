//! As many different stacks as a test likes.

use std::hint::black_box;

/// Runs `work` at the end of a path of calls of its own, one for each of the lowest decimal `digits`
/// of `path`: each digit is a call from another place.
#[inline(always)]
pub(crate) fn on_path<R>(path: usize, digits: u32, work: &mut dyn FnMut() -> R) -> R {
    #[inline(never)]
    fn step<const DIGIT: usize, R>(path: usize, digits: u32, work: &mut dyn FnMut() -> R) -> R {
        assert_eq!(black_box(path % 10), DIGIT);
        on_path(path / 10, digits - 1, work)
    }
    let steps = [
        step::<0, R>,
        step::<1, R>,
        step::<2, R>,
        step::<3, R>,
        step::<4, R>,
        step::<5, R>,
        step::<6, R>,
        step::<7, R>,
        step::<8, R>,
        step::<9, R>,
    ];
    match digits {
        0 => work(),
        _ => black_box(steps[path % 10](path, digits, work)),
    }
}
