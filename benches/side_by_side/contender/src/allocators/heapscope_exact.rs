//! heapscope with its defaults: every allocation, by a walk of frame pointers. Refuses to start in a
//! build that has none.

#[global_allocator]
static ALLOCATOR: heapscope::Alloc = heapscope::Alloc::system();

/// Starts the profiler.
pub(crate) fn start() -> Result<(), String> {
    let profiler = heapscope::Profiler::builder().no_output().build();
    std::mem::forget(profiler.map_err(|error| error.to_string())?);
    Ok(())
}
