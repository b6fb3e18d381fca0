//! The allocator of this build: the one at the bottom, and what wraps it.
//!
//! Each wrapper is a file with the `#[global_allocator]` and a function `start`; features choose one.
//! How a profiler is told what to record (`HEAPLENS_MODE`, `_RJEM_MALLOC_CONF`) is up to the driver.

#[cfg(any(
    all(feature = "inner-mimalloc", feature = "inner-jemalloc"),
    all(feature = "wrap-forward", feature = "wrap-heaplens"),
    all(
        any(feature = "wrap-dhat", feature = "wrap-heapscope"),
        any(
            feature = "inner-mimalloc",
            feature = "inner-jemalloc",
            feature = "wrap-forward",
            feature = "wrap-heaplens"
        )
    ),
    all(feature = "wrap-dhat", feature = "wrap-heapscope")
))]
compile_error!(
    "one allocator at a time: dhat and heapscope stand alone, of the others one of a kind"
);

#[cfg_attr(feature = "wrap-forward", path = "allocators/forward.rs")]
#[cfg_attr(feature = "wrap-heaplens", path = "allocators/recorded.rs")]
#[cfg_attr(feature = "wrap-dhat", path = "allocators/dhat_heap.rs")]
#[cfg_attr(feature = "wrap-heapscope", path = "allocators/heapscope_exact.rs")]
#[cfg_attr(
    not(any(
        feature = "wrap-forward",
        feature = "wrap-heaplens",
        feature = "wrap-dhat",
        feature = "wrap-heapscope"
    )),
    path = "allocators/bare.rs"
)]
mod installed;

/// The allocator at the bottom.
#[cfg(not(any(feature = "wrap-dhat", feature = "wrap-heapscope")))]
mod inner {
    #[cfg(feature = "inner-mimalloc")]
    pub(super) use mimalloc::MiMalloc as Inner;
    #[cfg(not(any(feature = "inner-mimalloc", feature = "inner-jemalloc")))]
    pub(super) use std::alloc::System as Inner;
    #[cfg(feature = "inner-jemalloc")]
    pub(super) use tikv_jemallocator::Jemalloc as Inner;
}

/// Starts what the allocator needs besides itself. It runs to the end of the process.
pub(crate) use installed::start;
