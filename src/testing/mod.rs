//! Memory in tests: exactly what a piece of work allocates, keeps and needs at most.
//!
//! Needs the feature `testing`, and in one file of each test binary the allocator:
//!
//! ```
//! heaplens::testing::install!();
//!
//! use heaplens::testing::{Scope, assert_allocations, assert_peak, assert_retained};
//!
//! # /*
//! #[test]
//! # */
//! fn a_parser_keeps_what_it_returns() {
//!     let scope = Scope::begin();
//!     let words: Vec<&str> = "to be or not to be".split(' ').collect();
//!     let report = scope.end();
//!     assert_retained!(report <= 128);
//!     assert_peak!(report <= 1 KiB);
//!     drop(words);
//!
//!     assert_allocations!(|| Box::new(1) == 1);
//! }
//! # a_parser_keeps_what_it_returns();
//! ```
//!
//! A [`Scope`] sees what its thread allocates, and with [`Scope::handle`] what other threads and
//! tasks do; [`Scope::of_process`] sees all. Other tests may run beside it: **a block belongs to the
//! scope in which it was allocated, whoever frees it.** So the numbers are exact, and the same in each
//! run of the same work, in parallel under the standard harness as well as with a process for each test.
//!
//! [`assert_no_growth`] repeats a piece of work and tells a leak from a cache, and [`assert_no_cycles!`] finds
//! reference cycles that nobody holds. An assertion that fails
//! prints the paths in question with their source lines, and writes a snapshot for the command line.
//!
//! What is counted is what the program asks its Rust allocator for: not what C code allocates by
//! itself, nor what an allocator adds. What heaplens allocates is not counted.

mod assertions;
mod cycles;
mod entries;
mod failure;
mod frames;
mod future;
mod installed;
mod repeat;
mod report;
mod scope;
mod unreachable;

#[doc(inline)]
pub use crate::__heaplens_install as install;
pub use crate::{assert_allocations, assert_no_cycles, assert_peak, assert_retained};
#[doc(hidden)]
pub use assertions::{Claim, Quantity, Relation, Work, units};
#[doc(hidden)]
pub use cycles::{CyclesOf, check_no_cycles};
pub use frames::Frame;
pub use future::InScope;
pub use repeat::{Repeat, assert_no_growth};
pub use report::{Amount, Path, Report};
pub use scope::{Entered, Handle, Scope};
#[doc(hidden)]
pub use unreachable::clear_stack;
pub use unreachable::{Member, Shape, Unreachable};

use crate::control::Config;
use crate::settings::Mode;

/// Installs the allocator for the tests of a binary: once, in any file of it.
///
/// ```
/// heaplens::testing::install!();
/// # fn main() {}
/// ```
///
/// Wraps [`std::alloc::System`]. Another allocator is named, in place of its own
/// `#[global_allocator]`: `heaplens::testing::install!(mimalloc::MiMalloc)`.
///
/// Every allocation is recorded, as in exact mode. No thread is started, and nothing is written until
/// an assertion fails.
#[doc(hidden)]
#[macro_export]
macro_rules! __heaplens_install {
    () => {
        $crate::testing::install!(::std::alloc::System);
    };
    ($inner:path) => {
        #[global_allocator]
        static HEAPLENS_TEST_ALLOCATOR: $crate::Allocator<$inner> =
            $crate::Allocator::new($inner, $crate::testing::CONFIG);
    };
}

/// What [`install!`] makes the allocator with.
#[doc(hidden)]
pub const CONFIG: Config = Config::new().mode(Mode::Exact);
