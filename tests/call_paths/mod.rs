//! As many different stacks as a test likes.

use std::hint::black_box;

/// Most digits of a path.
const LEVELS: usize = 7;

/// Runs `work` at the end of a path of calls of its own, one for each of the lowest decimal `digits`
/// of `path`: each digit is a call from another place.
///
/// The same digit at another level is a place of its own too: a path that repeated itself would be
/// recorded as a shorter one.
#[inline(always)]
pub(crate) fn on_path<R>(path: usize, digits: u32, work: &mut dyn FnMut() -> R) -> R {
    #[inline(never)]
    fn step<const PLACE: usize, R>(path: usize, digits: u32, work: &mut dyn FnMut() -> R) -> R {
        assert_eq!(black_box(place(path, digits)), PLACE);
        on_path(path / 10, digits - 1, work)
    }
    type Step<R> = fn(usize, u32, &mut dyn FnMut() -> R) -> R;
    macro_rules! steps {
        ($($level:literal)*) => {
            [$(
                step::<{ 10 * $level }, R>,
                step::<{ 10 * $level + 1 }, R>,
                step::<{ 10 * $level + 2 }, R>,
                step::<{ 10 * $level + 3 }, R>,
                step::<{ 10 * $level + 4 }, R>,
                step::<{ 10 * $level + 5 }, R>,
                step::<{ 10 * $level + 6 }, R>,
                step::<{ 10 * $level + 7 }, R>,
                step::<{ 10 * $level + 8 }, R>,
                step::<{ 10 * $level + 9 }, R>,
            )*]
        };
    }
    let steps: [Step<R>; 10 * LEVELS] = steps!(0 1 2 3 4 5 6);
    match digits {
        0 => work(),
        _ => black_box(steps[place(path, digits)](path, digits, work)),
    }
}

/// The place that a call is from, by the lowest digit and by how many are left.
fn place(path: usize, digits: u32) -> usize {
    10 * (digits as usize - 1) + path % 10
}
