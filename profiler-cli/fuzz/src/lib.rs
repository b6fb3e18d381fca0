//! One function for each reader of what someone else may have made: it feeds a reader any
//! bytes, and holds what comes out to what the reader promises.
//!
//! The fuzz targets and the test `corpus` call these. A panic is a finding; so is memory above the
//! bound that the reader states.

mod answers;
mod made_up;
mod memory;
mod names;
mod outputs;
mod pprof;
mod requests;
mod snapshot;
mod symbols;
mod texts;
mod unwind;

pub use answers::answers;
pub use names::names;
pub use outputs::outputs;
pub use pprof::pprof;
pub use requests::requests;
pub use snapshot::snapshot;
pub use symbols::symbols;
pub use texts::texts;
pub use unwind::unwind;

#[global_allocator]
static COUNTED: memory::Counted = memory::Counted;
