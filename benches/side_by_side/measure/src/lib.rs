//! What the programs of the side-by-side benchmark share: the workloads by name, what one run of one
//! measures, the clocks and the memory counters behind that, and the statistics over many runs.
//!
//! It runs nothing and prints nothing.

pub mod clocks;
pub mod memory;
pub mod statistics;

mod measurement;
mod workload;

pub use measurement::Measurement;
pub use workload::{Kind, Workload};
