//! Which code leaks, how surely, and what does not. `docs/verdict.md` has the method in full.
//!
//! | file | does |
//! |---|---|
//! | [`history`] | numbers of each owner and each path over the snapshots of a run |
//! | [`course`] | how one measure went: trend, flattening, falls |
//! | [`turnover`] | births, frees and ages behind it |
//! | [`finding`] | what is said of an owner or a path: its class and the numbers behind it |
//! | [`unreached`] | whether pointers lead to its blocks, where a snapshot has a graph of the heap |
//! | [`judge`] | tests all of them, corrects for their number, and gives each a class |
//! | [`program`] | the process as a whole: leak, cache, fragmentation or untracked; the limit |
//!
//! Numbers in, numbers out: words and files are elsewhere.

pub mod course;
pub mod finding;
pub mod history;
mod innocent;
pub mod judge;
pub mod program;
pub mod turnover;
pub mod unreached;

pub use finding::{Class, Finding, Measure, Suspects};
pub use history::{History, HistoryBuilder, Point, Series};
pub use judge::{suspects, suspects_at_marks};
