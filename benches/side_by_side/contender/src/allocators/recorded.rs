//! heaplens as in a program that takes its snapshots itself: no snapshot is due while something is
//! measured, and there is no thread of heaplens'. `HEAPLENS_MODE` names the mode; with
//! `HEAPLENS_SIGNAL` there is the thread.

use super::inner::Inner;
use heaplens::{Allocator, Config, Signal};
use std::time::Duration;

const CONFIG: Config = Config::new().interval(Duration::ZERO).signal(Signal::None);

#[global_allocator]
static ALLOCATOR: Allocator<Inner> = Allocator::new(Inner, CONFIG);

/// Starts the profiler.
pub(crate) fn start() -> Result<(), String> {
    let profiler = heaplens::start(CONFIG).map_err(|error| error.to_string())?;
    // Dropping it would take a last snapshot.
    std::mem::forget(profiler);
    Ok(())
}
