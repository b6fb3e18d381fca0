//! Whether allocations are recorded as a scope needs it; what to do where they are not.

use crate::control;
use crate::recorder;
use crate::settings::Mode;

/// Has stacks recorded from here on, if they are not yet.
///
/// # Errors
///
/// Says what to change where no scope can be exact.
pub(super) fn ensure() -> Result<(), &'static str> {
    let settings = recorder::settings().or_else(control::recorded_with);
    match settings.map(|settings| settings.mode) {
        None => return Err(NOT_INSTALLED),
        Some(Mode::Off | Mode::Sampled) => return Err(NOT_EXACT),
        Some(Mode::Exact) => {}
    }
    control::record_stacks();
    recorder::as_own(recorder::refresh_modules);
    match recorder::has_tables() {
        true => Ok(()),
        false => Err(NO_TABLES),
    }
}

const NOT_INSTALLED: &str =
    "heaplens does not see the allocations of this test binary. Add to one of its \
files:

    heaplens::testing::install!();

Where another allocator is the #[global_allocator], have heaplens wrap it instead:

    heaplens::testing::install!(mimalloc::MiMalloc);
";

const NOT_EXACT: &str = "this test binary does not record each allocation, so a scope would miss some: \
take HEAPLENS_MODE out of the environment, and where the program has an allocator of heaplens of its own, \
set HEAPLENS_MODE=exact";

const NO_TABLES: &str = "the system has not enough address space for heaplens' tables (about 300 MiB, \
hardly any of it resident), so nothing is recorded. Is there a limit, such as `ulimit -v`?";
