//! The only system calls of the recorder and of the scan of the heap: memory, environment, threads,
//! loaded modules, copies of the process.
//!
//! Nothing here keeps state or decides anything. What the hook may call says so; everything else
//! is for heaplens' own threads and for `start`.

mod copy;
mod file;
mod linux;
#[cfg(target_arch = "x86_64")]
pub(crate) mod tracing;

pub(crate) use copy::*;
pub(crate) use file::File;
pub(crate) use linux::*;
