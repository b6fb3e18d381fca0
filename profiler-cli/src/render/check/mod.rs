//! What became of a check, for people and for pipelines.
//!
//! [`wording`] puts it into words once, as plain data of [`report`]; each form writes that, and makes all
//! names safe for where it goes.
//!
//! | form | for |
//! |---|---|
//! | [`text`] | a terminal, or the log of a pipeline |
//! | [`json`] | programs: `heaplens-check-1` of `docs/json-output.md` |
//! | [`markdown`] | the summary of a job, or a comment on a pull request |
//! | [`junit`] | whatever shows results of tests |
//! | [`github`] | annotations of lines of source |

pub mod github;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod report;
pub mod text;
pub mod wording;

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
