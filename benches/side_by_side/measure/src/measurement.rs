//! What one run of a workload in a process of its own has measured.

use serde::{Deserialize, Serialize};

/// The measured part of a run: after the warm-up, before anything is written or torn down.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Pieces of work done: pairs of allocation and free, documents, maps, widgets, requests.
    pub operations: u64,
    /// CPU time of all threads of the process in nanoseconds, in user mode and in the kernel.
    pub cpu_ns: u64,
    /// Time that passed, in nanoseconds.
    pub wall_ns: u64,
    /// Largest resident set of the process since its start, in bytes.
    pub peak_rss_bytes: u64,
    /// What 99 of 100 requests took at most, in nanoseconds. Of services only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_ns: Option<u64>,
}

impl Measurement {
    /// CPU time of one operation, in nanoseconds.
    pub fn cpu_per_operation(&self) -> f64 {
        self.cpu_ns as f64 / self.operations as f64
    }

    /// Time that passed for one operation, in nanoseconds.
    pub fn wall_per_operation(&self) -> f64 {
        self.wall_ns as f64 / self.operations as f64
    }
}
