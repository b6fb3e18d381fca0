//! The only system calls of the recorder and of the scan of the heap: memory, environment, threads,
//! loaded modules, copies of the process.
//!
//! Nothing here decides anything, or keeps state but for a copy that was killed and has not gone. What the
//! hook may call says so; everything else is for heaplens' own threads and for `start`.

mod copy;
mod file;
mod linux;
mod shared;
#[cfg(target_arch = "x86_64")]
pub(crate) mod tracing;

pub(crate) use copy::*;
pub(crate) use file::File;
pub(crate) use linux::*;
pub(crate) use shared::*;
