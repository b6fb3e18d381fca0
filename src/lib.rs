//! Finds memory leaks in Rust services: which code path allocated the memory that is still here?
//!
//! A global allocator tracks live memory by call site, and a thread of its own writes snapshots of
//! it to files. The command line (`heaplens-cli`) turns these into flamegraphs, tables and diffs.
//!
//! Without the feature `recorder`, which is on by default, only [`mod@snapshot`] is left: the
//! format of the files, for programs that read them.

#[cfg(feature = "recorder")]
mod control;
#[cfg(feature = "recorder")]
mod recorder;
#[cfg(feature = "recorder")]
mod settings;
pub mod snapshot;

#[cfg(feature = "recorder")]
#[doc(hidden)]
pub use control::start_from_macro;
#[cfg(feature = "recorder")]
pub use control::{
    Config, Profiler, Signal, SnapshotError, StartError, snapshot, start, work_done,
};
#[cfg(feature = "recorder")]
pub use settings::Mode;
