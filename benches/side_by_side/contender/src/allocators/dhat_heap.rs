//! dhat with its defaults: every allocation, ten frames.

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Starts the profiler.
pub(crate) fn start() -> Result<(), String> {
    // Dropping it would write the profile.
    std::mem::forget(dhat::Profiler::new_heap());
    Ok(())
}
