//! A snapshot: plain data, its file format, and the names of its files.
//!
//! This is the contract between the profiled process, which writes, and the command line,
//! which reads. `docs/snapshot-format.md` describes the format for readers in other languages.
//!
//! Nothing here is unsafe, keeps state, or knows how a snapshot came about: the recorder fills the
//! model, the command line draws it.

mod codec;
mod decimal;
mod envelope;
mod error;
mod file_name;
pub mod graph;
mod json;
mod model;
#[cfg(feature = "pprof")]
pub mod pprof;
mod printable;
mod special_frame;
mod stack_index;
mod validate;

pub use codec::{Limits, read, read_bytes, read_from, read_header, read_header_from, write};
pub use error::{Error, ErrorKind};
pub use file_name::{FileName, RunName, executable_slug, reason_slug, rfc3339};
pub use model::*;
pub use printable::is_unprintable;
#[cfg(feature = "recorder")]
pub(crate) use printable::printable;
pub use special_frame::{SPECIAL_MODULE, SpecialFrame, TruncatedCause};
pub use stack_index::StackIndex;
pub use validate::{Invalid, validate};

#[cfg(test)]
pub(crate) mod examples;
