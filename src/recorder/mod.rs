//! The hook's pipeline.

use crate::settings::Settings;
use std::time::Duration;

/// The settings in force, or `None` while no heaplens allocator has served an allocation.
pub(crate) fn settings() -> Option<Settings> {
    Some(Settings::DEFAULT)
}

/// From here on stacks are recorded. Called once, outside the hook.
pub(crate) fn start() {}

/// Tells the recorder the time since the start: ages advance, module tables are refreshed where a
/// thread has asked for it. Called by the keeper about once a second.
pub(crate) fn tick(_uptime: Duration) {}

/// Runs `work` with this thread's allocations counted as heaplens' own.
pub(crate) fn as_own<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// In a forked child: this process is not recorded any more.
pub(crate) fn stop_in_child() {}
