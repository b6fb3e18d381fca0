//! Finds memory leaks in Rust services: which code path allocated the memory that is still here?
//!
//! A global allocator tracks live memory by call site, and a thread of its own writes snapshots of
//! it to files. The command line (`heaplens-cli`) turns these into flamegraphs, tables and diffs.
//!
//! Without the feature `recorder`, which is on by default, only [`mod@snapshot`] is left: the
//! format of the files, for programs that read them. The feature `pprof` adds a writer of pprof
//! profiles, `http` an endpoint, and `testing` assertions for tests.

#[cfg(feature = "recorder")]
mod allocator;
#[cfg(feature = "recorder")]
mod control;
#[cfg(feature = "recorder")]
mod graph;
#[cfg(feature = "internals")]
#[doc(hidden)]
pub mod internals;
#[cfg(feature = "recorder")]
mod platform;
#[cfg(feature = "recorder")]
mod recorder;
#[cfg(feature = "recorder")]
mod settings;
pub mod snapshot;
#[cfg(feature = "recorder")]
mod stack;
#[cfg(feature = "recorder")]
mod tables;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "recorder")]
pub use allocator::Allocator;
#[cfg(feature = "http")]
pub use control::http;

#[cfg(feature = "recorder")]
#[doc(hidden)]
pub use control::start_from_macro;
#[cfg(feature = "recorder")]
pub use control::{
    ChangeError, Config, Profiler, Signal, SnapshotError, StartError, iterate, mark, set_mode,
    set_sample_bytes, snapshot, snapshot_graph, snapshot_in_memory, start, work_done,
};
#[cfg(feature = "internals")]
#[doc(hidden)]
pub use control::{scan_within, set_uptime};
#[cfg(feature = "recorder")]
pub use settings::Mode;

/// Installs the allocator and starts the profiler: the first statement of `main`.
///
/// ```
/// #![forbid(unsafe_code)]
///
/// fn main() {
///     heaplens::profile!();
///     // ... the program
/// }
/// ```
///
/// Wraps [`std::alloc::System`]. Another allocator is named as the first argument, for example
/// `profile!(mimalloc::MiMalloc)`, and options as the second, a constant expression:
///
/// ```
/// use heaplens::{Config, Mode};
///
/// fn main() {
///     heaplens::profile!(std::alloc::System, Config::new().mode(Mode::Exact).depth(64));
/// }
/// ```
///
/// Expands to a `let` that holds the guard and to the `#[global_allocator]` itself. The guard drops
/// after all later locals of `main`, so the last snapshot shows what outlives them. Where the
/// profiler cannot start, one line on stderr says why, and the program runs on.
#[cfg(feature = "recorder")]
#[macro_export]
macro_rules! profile {
    () => {
        $crate::profile!(::std::alloc::System)
    };
    ($inner:path) => {
        $crate::profile!($inner, $crate::Config::new())
    };
    ($inner:path, $config:expr) => {
        let _heaplens_profiler = {
            const CONFIG: $crate::Config = $config;
            #[global_allocator]
            static ALLOCATOR: $crate::Allocator<$inner> = $crate::Allocator::new($inner, CONFIG);
            $crate::start_from_macro(&CONFIG)
        };
    };
}

/// Compiles the examples of the README.
#[cfg(all(doctest, feature = "recorder"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the examples of the guide to tests.
#[cfg(all(doctest, feature = "testing"))]
#[doc = include_str!("../docs/testing.md")]
struct TestingGuide;
