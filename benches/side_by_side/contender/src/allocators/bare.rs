//! The allocator at the bottom, as it is.

use super::inner::Inner;

#[global_allocator]
static ALLOCATOR: Inner = Inner;

/// There is nothing to start.
pub(crate) fn start() -> Result<(), String> {
    Ok(())
}
