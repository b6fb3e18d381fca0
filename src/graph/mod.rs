//! Who holds what: a scan of the heap in a frozen copy of the process.
//!
//! The copy finds all blocks by their headers, follows every aligned word that points at or into one,
//! from static data, stacks, thread-locals and registers first, and then from any other memory of the
//! process. What is left over after two scans is what no pointer was found to. Of the rest the second scan
//! tells who holds it: roots, pointers by site, and dominators. The program runs on meanwhile; it stands
//! still only while it is copied.
//!
//! In the copy nothing allocates by the program's allocator, takes a lock or returns into the program:
//! a thread that held a lock is not there. What scans are for, and when they are made, is not known here.

mod array;
mod blocks;
mod components;
mod copy;
mod dominators;
mod edges;
mod free_memory;
mod holders;
mod holding;
mod mappings;
mod mark;
mod numbers;
#[cfg(target_arch = "x86_64")]
mod probe;
mod report;
mod retained;
mod roots;
mod scan;
mod shapes;
mod spanning;
#[cfg(target_arch = "x86_64")]
mod stop;
#[cfg(target_arch = "x86_64")]
mod task;
mod threads;

pub(crate) use copy::{Found, Limits, ScanError, Shape, note_main_thread, scan_twice};
pub(crate) use holders::{Holder, Holding, MANY_OFFSETS, Root, RootKind};
pub(crate) use report::{Role, Sum};
