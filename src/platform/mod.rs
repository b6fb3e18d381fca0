//! The only system calls of the recorder: memory, environment, threads, loaded modules.
//!
//! Nothing here keeps state or decides anything. What the hook may call says so; everything else
//! is for heaplens' own threads and for `start`.

mod linux;

pub(crate) use linux::*;
