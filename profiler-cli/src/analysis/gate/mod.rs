//! Whether a run passes: its verdict, limits of a budget, and a baseline that it is held to.
//!
//! | file | does |
//! |---|---|
//! | [`pattern`] | patterns of names, as in budgets and suppressions |
//! | [`text`] | TOML to values, with the place of what is wrong |
//! | [`budget`] | limits, and for which package and owner they are |
//! | [`baseline`] | what a package held when somebody wrote it down |
//! | `amounts` | its amounts |
//! | [`suppressions`] | leaks that are known, in LeakSanitizer's form |
//! | [`mod@measure`] | the quantities of a run that limits are about |
//! | [`evidence`] | what keeps a run from passing, since it may hide a leak |
//! | [`mod@check`] | all of that on one run |
//!
//! Texts and numbers in, numbers out: no files are read here, and nothing is put into words for people
//! but what is wrong with a text.

mod amounts;
pub mod baseline;
pub mod budget;
pub mod check;
pub mod evidence;
pub mod measure;
pub mod pattern;
pub mod suppressions;
pub mod text;

pub use check::{Checked, Outcome, Rules, Verdict, check};
