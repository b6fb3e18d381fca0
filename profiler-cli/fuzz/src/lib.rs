//! One function for each reader of files that someone else may have made: it feeds a reader any
//! bytes, and holds what comes out to what the reader promises.
//!
//! The fuzz targets and the test `corpus` call these. A panic is a finding; so is memory above the
//! bound that the reader states.

mod made_up;
mod memory;
mod names;
mod outputs;
mod pprof;
mod snapshot;
mod symbols;
mod texts;

pub use names::names;
pub use outputs::outputs;
pub use pprof::pprof;
pub use snapshot::snapshot;
pub use symbols::symbols;
pub use texts::texts;

#[global_allocator]
static COUNTED: memory::Counted = memory::Counted;
