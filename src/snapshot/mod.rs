//! A snapshot: plain data, its file format, and the names of its files.
//!
//! This is the contract between the profiled process, which writes, and the command line,
//! which reads. `docs/snapshot-format.md` describes the format for readers in other languages.
//!
//! Nothing here is unsafe, keeps state, or knows how a snapshot came about: the recorder fills the
//! model, the command line draws it.

mod model;

pub use model::*;
