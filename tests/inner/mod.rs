//! What must hold over every inner allocator: the suite that `inner_*.rs` run.
//!
//! Each test program runs itself once in each mode, since the mode is fixed before `main`. It has no
//! harness: a failed check ends it with a panic.

mod folding;
mod full_unwind;
pub(crate) mod lazy;
pub(crate) mod numbers;
pub(crate) mod spy;
pub(crate) mod stacks;

use heaplens::snapshot::{Limits, Snapshot};
use std::process::Command;

/// Most frames of a path: more than the suite's stacks have.
const DEPTH: usize = 256;

/// Set in the runs that check.
const MODE: &str = "HEAPLENS_MODE";

/// Runs `checks` in each mode, in processes of their own.
pub(crate) fn in_each_mode(checks: fn(mode: &str)) {
    if let Ok(mode) = std::env::var(MODE) {
        return checks(&mode);
    }
    let mut passed = 0;
    for (mode, sample_bytes) in [
        ("exact", "512KiB"),
        ("sampled", "512KiB"),
        ("sampled", "4KiB"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .env(MODE, mode)
            .env("HEAPLENS_SAMPLE_BYTES", sample_bytes)
            .env("HEAPLENS_DIR", dir.path())
            .env("HEAPLENS_INTERVAL", "none")
            .env("HEAPLENS_DEPTH", DEPTH.to_string())
            .status()
            .unwrap();
        assert!(status.success(), "{mode} at {sample_bytes}: {status}");
        passed += 1;
    }
    println!("test result: ok. {passed} passed; 0 failed");
}

/// Takes a snapshot and reads it back.
pub(crate) fn take(label: &str) -> Snapshot {
    let path = heaplens::snapshot(label).unwrap();
    heaplens::snapshot::read(&path, &Limits::default()).unwrap()
}
