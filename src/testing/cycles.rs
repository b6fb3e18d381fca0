//! The assertion that nothing is lost in reference cycles.

use super::entries::Hold;
use super::failure;
use super::report::Report;
use super::scope::Scope;
use super::unreachable::{self, Unreachable};
use crate::control::scope_files::Content;
use crate::recorder;
use std::fmt::{self, Write};

/// Asserts that there are no reference cycles which nobody holds: a scan of the heap finds none.
///
/// With a closure, of what that allocates: it is run in a scope of its own, and its result is freed before the
/// scan. With a [`Scope`](crate::testing::Scope), of what was allocated in it so far. With neither, of the scope
/// that the thread is in, and where it is in none, of the whole process: then what other tests have lost fails this
/// one too, unless they run in processes of their own. A message may follow, as in `assert!`.
///
/// ```
/// # heaplens::testing::install!();
/// # #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
/// # fn main() {
/// use heaplens::testing::{Scope, assert_no_cycles};
///
/// assert_no_cycles!(|| vec![std::rc::Rc::new(1)]);
///
/// let scope = Scope::begin();
/// let words: Vec<&str> = "a b c".split(' ').collect();
/// assert_no_cycles!(scope, "after {} words", words.len());
/// assert_no_cycles!();
/// # }
/// # #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
/// # fn main() {}
/// ```
///
/// A cycle that a variable of a function points at, even one that was dropped, may not show before the function
/// has returned: see [`Unreachable`](crate::testing::Unreachable). With a closure that is seen to.
///
/// # Panics
///
/// If there are any: with the paths that have allocated them, and a snapshot of them. And where
/// [`Scope::begin`](crate::testing::Scope::begin) or
/// [`Scope::unreachable`](crate::testing::Scope::unreachable) does.
#[macro_export]
macro_rules! assert_no_cycles {
    () => {{
        // Here, so that all calls below begin on a clean stack.
        $crate::testing::clear_stack();
        $crate::testing::check_no_cycles()
    }};
    ($measured:expr $(,)?) => {
        $crate::__heaplens_assert_no_cycles!($measured, ::core::option::Option::None)
    };
    ($measured:expr, $($message:tt)+) => {
        $crate::__heaplens_assert_no_cycles!(
            $measured,
            ::core::option::Option::Some(::core::format_args!($($message)+))
        )
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __heaplens_assert_no_cycles {
    ($measured:expr, $message:expr) => {{
        // A scope has such a method too, which leaves it where it is.
        use $crate::testing::CyclesOf as _;
        $crate::testing::clear_stack();
        ($measured).heaplens_no_cycles($message)
    }};
}

/// A closure that is looked at in a scope of its own.
#[doc(hidden)]
pub trait CyclesOf {
    /// Runs it, and panics if it loses cycles.
    fn heaplens_no_cycles(self, message: Option<fmt::Arguments<'_>>);
}

impl<T, F: FnOnce() -> T> CyclesOf for F {
    #[track_caller]
    fn heaplens_no_cycles(self, message: Option<fmt::Arguments<'_>>) {
        let scope = Scope::begin();
        run(self);
        unreachable::clear_stack();
        scope.heaplens_no_cycles(message);
    }
}

/// Out of line, so that all that it leaves on the stack lies below its caller.
#[inline(never)]
fn run<T>(work: impl FnOnce() -> T) {
    drop(work());
}

impl Scope {
    /// Panics if cycles of the scope are lost.
    #[doc(hidden)]
    #[track_caller]
    pub fn heaplens_no_cycles(&self, message: Option<fmt::Arguments<'_>>) {
        check(&self.unreachable(), message);
    }
}

/// Panics if cycles are lost of the scope that the thread is in, or else of the process.
#[doc(hidden)]
#[track_caller]
pub fn check_no_cycles() {
    let scope = Hold::innermost();
    unreachable::clear_stack();
    check(&Unreachable::of(scope), None);
}

#[track_caller]
fn check(unreachable: &Unreachable, message: Option<fmt::Arguments<'_>>) {
    // What is not told apart may be cycles.
    if unreachable.cycles() == 0 && unreachable.left_out() == 0 {
        return;
    }
    let text = recorder::as_own(|| {
        let mut text = message.map_or_else(String::new, |message| format!("{message}: "));
        let cycles = failure::grouped(unreachable.cycles());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "reference cycles: {cycles}, and not none\n");
        text += &unreachable.describe(|shape| shape.is_cycle());
        text.push('\n');
        let content = match unreachable.scope() {
            Some(scope) => {
                let report = Report::of(scope.id());
                Content::Sites {
                    sites: report.sites().collect(),
                    peak_live_bytes: report.peak_bytes(),
                    scan: Some(unreachable.found()),
                }
            }
            None => {
                text += OF_ALL;
                Content::Process(unreachable.found())
            }
        };
        failure::push_command(&mut text, content, |file| {
            format!("To see who points at whom: heaplens leaks '{file}'")
        });
        text
    });
    std::panic::panic_any(text)
}

const OF_ALL: &str = "\
The thread is in no scope, so these are of the whole process, and perhaps another test's. For those of \
this one alone: assert_no_cycles!(|| …), or a Scope. What was allocated before the first scope of the \
process has no call path.
";
