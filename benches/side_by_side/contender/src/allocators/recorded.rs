//! heaplens with its keeper's thread, as a program would run it; only that no snapshot is due while
//! something is measured. `HEAPLENS_MODE` names the mode.

use super::inner::Inner;
use heaplens::{Allocator, Config};
use std::time::Duration;

const CONFIG: Config = Config::new().interval(Duration::ZERO);

#[global_allocator]
static ALLOCATOR: Allocator<Inner> = Allocator::new(Inner, CONFIG);

/// Starts the keeper.
pub(crate) fn start() -> Result<(), String> {
    let profiler = heaplens::start(CONFIG).map_err(|error| error.to_string())?;
    // Dropping it would take a last snapshot.
    std::mem::forget(profiler);
    Ok(())
}
