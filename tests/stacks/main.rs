//! Every stack that is recorded is the one that the `backtrace` crate sees at the same moment: the
//! oracle runs inside the very allocation, between heaplens and the system's allocator.
//!
//! Without a harness, since its threads would allocate too. Runs itself in each mode.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "../call_shapes/mod.rs"]
mod call_shapes;
#[path = "../inner/folding.rs"]
mod folding;
#[path = "../inner/full_unwind.rs"]
mod full_unwind;
mod loading;
mod recorded;
#[path = "../inner/spy.rs"]
mod spy;
mod trees;

use recorded::Recorded;
use std::process::Command;

#[global_allocator]
static ALLOCATOR: heaplens::Allocator<spy::Spy<std::alloc::System>> =
    heaplens::Allocator::new(spy::Spy(std::alloc::System), heaplens::Config::new());

fn main() {
    let _profiler = heaplens::start(heaplens::Config::new()).unwrap();
    if std::env::var_os("HEAPLENS_MODE").is_some() {
        let mut recorded = Recorded::new();
        let shapes = call_shapes::Shapes::new();
        trees::equal_backtrace(&shapes, &mut recorded);
        loading::is_followed(&mut recorded);
        return;
    }
    // With a mean of 16 bytes, a block of thousands is sampled surely.
    for (mode, depth) in [("exact", "256"), ("exact", "64"), ("sampled", "128")] {
        let dir = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .env("HEAPLENS_MODE", mode)
            .env("HEAPLENS_SAMPLE_BYTES", "16")
            .env("HEAPLENS_DIR", dir.path())
            .env("HEAPLENS_INTERVAL", "none")
            .env("HEAPLENS_DEPTH", depth)
            .status()
            .unwrap();
        assert!(status.success(), "{mode} at depth {depth}: {status}");
    }
    println!("test result: ok. 3 passed; 0 failed");
}
