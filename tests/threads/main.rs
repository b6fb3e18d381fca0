//! Exact mode under many threads: sums at rest are exact, ended threads leave nothing behind, and
//! what heaplens takes for itself has a bound.
//!
//! Without a harness, since its threads would allocate too. Runs itself with the mode set, a process
//! for each check. With `MILLION_THREADS=1` in the environment the short-lived threads are a million.

mod bound;
#[path = "../call_paths/mod.rs"]
mod call_paths;
mod short_lived;
mod sums;

use heaplens::snapshot::{Limits, Snapshot};

/// Names the check that a process is for.
const CHECK: &str = "THREADS_CHECK";

fn main() {
    heaplens::profile!();
    // Each with the time between snapshots.
    let checks: [(&str, &str, fn()); 3] = [
        ("sums", "20ms", sums::are_exact),
        ("short-lived", "1s", short_lived::leave_nothing),
        ("bound", "none", bound::holds),
    ];
    if let Ok(asked) = std::env::var(CHECK) {
        let (_, _, check) = checks.iter().find(|(name, ..)| *name == asked).unwrap();
        return check();
    }
    for (name, interval, _) in checks {
        let dir = tempfile::tempdir().unwrap();
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .env(CHECK, name)
            .env("HEAPLENS_MODE", "exact")
            .env("HEAPLENS_DIR", dir.path())
            .env("HEAPLENS_INTERVAL", interval)
            .status()
            .unwrap();
        assert!(status.success(), "{name}: {status}");
    }
    println!("test result: ok. {} passed; 0 failed", checks.len());
}

fn take(label: &str) -> Snapshot {
    let path = heaplens::snapshot(label).unwrap();
    heaplens::snapshot::read(&path, &Limits::default()).unwrap()
}
